"""The record of what admins did: written with the deed, in its transaction, and never changed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind
from core.ids import new_id


@dataclass(frozen=True)
class Admin:
    """Who acts, and in which request."""

    id: UUID
    request_id: str


@dataclass(frozen=True)
class ActionView:
    """One line of the record."""

    id: UUID
    at: datetime
    admin_id: UUID
    action: str
    target: str
    details: dict[str, Any]
    request_id: str | None


_RECORD = text("""
INSERT INTO admin_actions (id, admin_id, action, target, details, request_id)
VALUES (:id, :admin, :action, :target, CAST(:details AS jsonb), :request)
""")


def record(admin: Admin, action: str, target: str, **details: Any) -> Steps[None]:
    """Write down a deed in the transaction that does it, as role `engine`.

    Args:
        action: noun and verb, e.g. ``kind.pause``.
        target: what it was done to.
        details: JSON values; nothing that people wrote about themselves.
    """
    yield bind(
        _RECORD,
        id=new_id(),
        admin=admin.id,
        action=action,
        target=target,
        details=json.dumps(details),
        request=admin.request_id,
    )


_TOTAL = text("SELECT count(*)::int FROM admin_actions")
_PAGE = text("""
SELECT id, at, admin_id, action, target, details, request_id FROM admin_actions
ORDER BY id DESC LIMIT :limit OFFSET :offset
""")


def page(*, limit: int, offset: int) -> Steps[tuple[list[ActionView], int]]:
    """A page of the record, newest first, and how many lines there are."""
    total: int = (yield _TOTAL).scalar_one()
    rows = (yield bind(_PAGE, limit=limit, offset=offset)).all()
    return [ActionView(**row._mapping) for row in rows], total
