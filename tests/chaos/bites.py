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
    seconds=6.0,
    schedule=(
        Fault(1.0, "freeze_worker", "compute-a", 3.5),
        Fault(2.0, "flush_broker", "broker"),
        Fault(5.0, "kill_worker", "compute-b"),
    ),
    parts=Parts(
        apis=("api-1",),
        workers=("compute-a", "compute-b"),
        lifelines=("housekeeping-1",),
        lease_s=LEASE_S,
    ),
    drain_s=40.0,
    campers=3,
    every_s=0.5,
    draw=_naps,
)
#: What is lost stays lost, so nobody waits long for it.
HOPELESS = replace(KEPT, drain_s=6.0)

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
