"""Short campaigns with one promise broken on purpose, and the same ones with all kept."""

from __future__ import annotations

import random
from dataclasses import replace

from tests.chaos.campaign import Plan
from tests.chaos.errands import Errand
from tests.chaos.schedule import Fault
from tests.chaos.stage import Parts

#: Short leases: what is frozen for longer than one has lost its job.
LEASE_S = 2.0


def _naps(rng: random.Random) -> Errand:
    """Work that never looks up, so that only its fence can stop what wakes up late."""
    body = {"seconds": round(rng.uniform(0.5, 1.2), 2), "stubborn": True}
    return Errand("/chaos/nap", body, followed=rng.random() < 0.3)


KEPT = Plan(
    seed=1,
    seconds=5.0,
    schedule=(
        Fault(0.5, "freeze_until_rescued", "compute-a", 6.0, ripe="runs"),
        Fault(1.5, "flush_broker", "broker", ripe="published"),
        Fault(4.0, "kill_worker", "compute-b", ripe="runs"),
    ),
    parts=Parts(
        apis=("api-1",),
        workers=("compute-a", "compute-b"),
        lifelines=("housekeeping-1",),
        lease_s=LEASE_S,
    ),
    drain_s=40.0,
    campers=3,
    every_s=0.4,
    to_the_last=True,
    draw=_naps,
)
#: What is lost stays lost, so nobody waits long for it.
HOPELESS = replace(KEPT, drain_s=5.0)

BITES = {
    "kept": KEPT,
    "unfenced": replace(
        HOPELESS, parts=replace(KEPT.parts, worker_app="tests.chaos.broken.unfenced")
    ),
    "unpublished": replace(
        HOPELESS, parts=replace(KEPT.parts, housekeeping="tests.chaos.broken.unpublished")
    ),
    "unrescued": replace(
        HOPELESS,
        parts=replace(
            KEPT.parts,
            worker_app="tests.chaos.broken.unrescued",
            housekeeping="tests.chaos.broken.unrescued",
        ),
    ),
}
