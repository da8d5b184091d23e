"""The schedule: a seed is a campaign, and every fault has its turn."""

from __future__ import annotations

import itertools

import pytest

from tests.chaos.nemesis import Nemesis
from tests.chaos.schedule import FIRST_S, MENU, WORKERS, draw


class TestASchedule:
    def test_is_the_same_for_the_same_seed_and_no_other(self) -> None:
        assert draw(11, 300) == draw(11, 300)
        assert draw(11, 300) != draw(12, 300)

    @pytest.mark.parametrize("seed", range(20))
    def test_has_every_fault_within_five_minutes(self, seed: int) -> None:
        wanted = {(name, target) for name, targets, _ in MENU for target in targets}
        assert {(fault.name, fault.target) for fault in draw(seed, 300)} == wanted

    @pytest.mark.parametrize("seed", range(20))
    def test_stays_within_its_time(self, seed: int) -> None:
        for fault in draw(seed, 60):
            assert fault.at_s >= FIRST_S
            assert fault.at_s + fault.lasts_s <= 60.01

    @pytest.mark.parametrize("seed", range(20))
    def test_strikes_nobody_who_is_struck_already(self, seed: int) -> None:
        for one, other in itertools.combinations(draw(seed, 300), 2):
            same = one.target == other.target or (
                one.target in WORKERS and other.target == "workers"
            )
            if same:
                assert one.at_s + one.lasts_s <= other.at_s, (one, other)

    def test_names_faults_that_can_be_carried_out(self) -> None:
        for name, _, _ in MENU:
            assert callable(getattr(Nemesis, f"_{name}"))
