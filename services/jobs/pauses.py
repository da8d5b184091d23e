"""Pauses: kinds and lanes whose jobs are accepted and kept, and not begun."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind


def paused(kind: str, lane: str) -> str:
    """The condition that jobs of this kind in this lane are not begun, as SQL.

    Written into the statements that ask: `pauses` is empty on most days and then costs a
    microsecond, while a function of the database would cost ten.

    Args:
        kind: of our own text, a column or a parameter; `lane` likewise.
    """
    return (
        f"EXISTS (SELECT FROM pauses WHERE pauses.scope = 'kind' AND pauses.name = {kind}"
        f" OR pauses.scope = 'lane' AND pauses.name = {lane})"
    )


class Scope(StrEnum):
    """What a pause holds up."""

    KIND = "kind"
    LANE = "lane"


@dataclass(frozen=True)
class PauseView:
    """A pause, and since when."""

    scope: str
    name: str
    reason: str | None
    paused_at: datetime
    paused_by: UUID
    #: Jobs that wait because of it.
    waiting: int


_PAUSE = text("""
INSERT INTO pauses (scope, name, reason, paused_by) VALUES (:scope, :name, :reason, :admin)
ON CONFLICT (scope, name) DO NOTHING
""")
# Their messages find nothing to claim and would only take up room; `admit` sends them again.
_TAKE_BACK = {
    Scope.KIND: text("""
UPDATE jobs SET admitted_at = NULL, admissions = 0
WHERE status = 'queued' AND admitted_at IS NOT NULL AND kind = :name
"""),
    Scope.LANE: text("""
UPDATE jobs SET admitted_at = NULL, admissions = 0
WHERE status = 'queued' AND admitted_at IS NOT NULL AND lane = :name
"""),
}
_RESUME = text("DELETE FROM pauses WHERE scope = :scope AND name = :name RETURNING name")
_ALL = text("""
SELECT scope, name, reason, paused_at, paused_by, (SELECT count(*)::int FROM jobs
    WHERE status = 'queued' AND CASE scope WHEN 'kind' THEN kind ELSE lane END = pauses.name)
    AS waiting
FROM pauses ORDER BY scope, name
""")


def pause(scope: Scope, name: str, admin_id: UUID, reason: str | None) -> Steps[PauseView]:
    """Begin no more jobs of a kind or lane, as role `engine`; those that run go on.

    Idempotent: a pause that stands already stays as it was.
    """
    yield bind(_PAUSE, scope=scope.value, name=name, admin=admin_id, reason=reason)
    yield bind(_TAKE_BACK[scope], name=name)
    found = yield from pauses()
    return next(each for each in found if (each.scope, each.name) == (scope.value, name))


def resume(scope: Scope, name: str) -> Steps[bool]:
    """Begin jobs again; False where they were not paused."""
    return (yield bind(_RESUME, scope=scope.value, name=name)).first() is not None


def pauses() -> Steps[list[PauseView]]:
    """All pauses, as role `engine`."""
    return [PauseView(**row._mapping) for row in (yield _ALL).all()]
