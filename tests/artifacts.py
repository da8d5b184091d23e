"""An artifact of a user, made without a worker by the role that workers have."""

from __future__ import annotations

import os
from uuid import UUID

from core.database import Database, Role, perform
from core.ids import new_id
from core.settings import get_settings
from services.artifacts.store import open_store
from services.jobs import fleet
from services.jobs.claim import claim
from services.jobs.submit import NewJob, submit
from tasks.files import Files
from tests.errands import ERRAND


def make_artifact(owner_id: UUID) -> UUID:
    """Its id. The job behind it goes on for ever."""
    settings = get_settings()
    engine = Database(settings, Role.ENGINE, pool_size=0)
    app = Database(settings, Role.APP, pool_size=0)
    worker_id = new_id()
    with app.transaction(owner_id) as session:
        job_id = perform(session, submit(owner_id, NewJob(ERRAND, {}, []))).job_id
    with engine.transaction() as session:
        perform(session, fleet.enter(worker_id, f"hand-{worker_id}", ERRAND.lane, 1))
        taking = claim(job_id, 0, worker_id=worker_id, pid=os.getpid(), lease_s=600)
        claimed = perform(session, taking)
    assert claimed is not None
    files = Files(engine, open_store(settings), lambda _: None)
    artifact_id = files.add(claimed, "note.txt", "text/plain", b"a note")
    assert artifact_id is not None
    return artifact_id
