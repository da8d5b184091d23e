"""Which fault strikes whom, when and for how long: drawn from a seed, and nothing else."""

from __future__ import annotations

import random
from dataclasses import dataclass

WORKERS = ("compute-a", "compute-b", "io-a")
PREFORK = ("compute-a", "compute-b")
APIS = ("api-1", "api-2")
LIFELINES = ("housekeeping-1", "housekeeping-2")

#: Nothing strikes before everybody has begun to work. Seconds.
FIRST_S = 2.0
#: Seconds between one fault and the next; they may last longer, and then overlap.
GAP_S = (1.5, 3.5)


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        at_s: seconds from the beginning of the campaign.
        name: the method of `Nemesis` that carries it out.
        target: whom it strikes; one target suffers one fault at a time.
        lasts_s: until it is healed; zero where it is over at once.
        ripe: what it waits for besides its time, by the names of `nemesis.RIPE`.
    """

    at_s: float
    name: str
    target: str
    lasts_s: float = 0.0
    ripe: str = ""


#: Name, targets, and how long it may last, seconds. Freezes reach past the lease of 6 s.
MENU: tuple[tuple[str, tuple[str, ...], tuple[float, float]], ...] = (
    ("kill_child", PREFORK, (0, 0)),
    ("kill_worker", WORKERS, (0, 0)),
    # its children live on for so long before the supervisor has cleaned up behind it
    ("kill_parent", PREFORK, (0, 2)),
    ("freeze_worker", WORKERS, (1, 10)),
    ("freeze_child", PREFORK, (1, 10)),
    ("kill_process", LIFELINES, (0, 0)),
    ("freeze_process", LIFELINES, (1, 8)),
    ("kill_process", APIS, (0, 0)),
    ("freeze_process", APIS, (0.5, 3)),
    ("restart_api", APIS, (0, 0)),
    ("kill_broker", ("broker",), (0.2, 8)),
    ("flush_broker", ("broker",), (0, 0)),
    ("freeze_broker", ("broker",), (1, 6)),
    ("silence_wire", ("broker-wire", "postgres-wire"), (1, 9)),
    ("slow_wire", ("broker-wire", "postgres-wire"), (2, 8)),
    ("cut_wire", ("broker-wire", "postgres-wire"), (0, 0)),
    ("restart_postgres", ("postgres",), (0, 2)),
    ("crash_postgres", ("postgres",), (0, 2)),
    ("terminate_backends", ("postgres",), (0, 0)),
    ("rolling_restart", ("workers",), (0, 0)),
    ("deliver_again", ("messages",), (0, 0)),
    ("fill_disk", ("artifacts",), (1, 6)),
)


def draw(seed: int, seconds: float) -> list[Fault]:
    """The faults of a campaign, in order of time; the same for the same seed.

    A deck holds every pair of fault and target once; it is shuffled anew when it is empty, so
    that a long campaign has all of them about equally often.
    """
    rng = random.Random(seed)
    drawn, deck = list[Fault](), list[tuple[str, str, tuple[float, float]]]()
    busy_until: dict[str, float] = {}
    at_s = FIRST_S
    while at_s < seconds:
        if not deck:
            deck = [(name, target, span) for name, targets, span in MENU for target in targets]
            rng.shuffle(deck)
        place = next((i for i, card in enumerate(deck) if _free(card[1], at_s, busy_until)), None)
        if place is not None:
            name, target, span = deck.pop(place)
            lasts_s = round(min(rng.uniform(*span), max(0.0, seconds - at_s)), 2)
            drawn.append(Fault(round(at_s, 2), name, target, lasts_s))
            for one in _struck(target):
                busy_until[one] = at_s + lasts_s + (20.0 if name == "rolling_restart" else 1.0)
        at_s += rng.uniform(*GAP_S)
    return drawn


def _struck(target: str) -> tuple[str, ...]:
    return (target, *WORKERS) if target == "workers" else (target,)


def _free(target: str, at_s: float, busy_until: dict[str, float]) -> bool:
    return all(busy_until.get(one, 0.0) <= at_s for one in _struck(target))
