"""A user's endpoints: make, read, change, rotate the secret, delete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Table, delete, func, select, text, update

from core.database import Steps, bind
from models.base import metadata
from models.webhook import WebhookEndpoint
from services.records import Versions, expect
from services.webhooks.errors import TooManyWebhooks, WebhookNotFound
from services.webhooks.vault import Vault, new_secret

ENDPOINTS: Table = metadata.tables[str(WebhookEndpoint.__tablename__)]
#: What the owner may write.
FIELDS = ("url", "description", "enabled", "events", "kinds", "tags")
#: How long the secret before the present one signs as well. Hours.
OVERLAP_H = 24


@dataclass(frozen=True)
class EndpointView:
    """An endpoint as its owner sees it: without its secrets."""

    id: UUID
    url: str
    description: str
    enabled: bool
    events: list[str]
    kinds: list[str]
    tags: list[str]
    failures: int
    rest_until: datetime | None
    disabled_reason: str | None
    old_secret_until: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime

    def written(self) -> dict[str, Any]:
        """What its owner has written."""
        return {name: getattr(self, name) for name in FIELDS}


_COLUMNS = [ENDPOINTS.c[field.name] for field in fields(EndpointView)]


def _view(row: Row[Any]) -> EndpointView:
    return EndpointView(**row._mapping)


def read(owner_id: UUID, endpoint_id: UUID, *, lock: bool = False) -> Steps[EndpointView]:
    """One endpoint of its owner.

    Args:
        lock: hold it until the transaction ends.

    Raises:
        WebhookNotFound
    """
    wanted = select(*_COLUMNS).where(*_own(owner_id, endpoint_id))
    row = (yield wanted.with_for_update() if lock else wanted).one_or_none()
    if row is None:
        raise WebhookNotFound
    return _view(row)


def _own(owner_id: UUID, endpoint_id: UUID) -> list[Any]:
    return [ENDPOINTS.c.id == endpoint_id, ENDPOINTS.c.owner_id == owner_id]


def page(owner_id: UUID, *, limit: int, offset: int) -> Steps[tuple[list[EndpointView], int]]:
    """A page of the owner's endpoints, newest first, and how many there are in all."""
    own = ENDPOINTS.c.owner_id == owner_id
    total = (yield select(func.count()).select_from(ENDPOINTS).where(own)).scalar_one()
    wanted = select(*_COLUMNS).where(own).order_by(ENDPOINTS.c.id.desc())
    rows = (yield wanted.limit(limit).offset(offset)).all()
    return [_view(row) for row in rows], int(total)


_CREATE = text("""
INSERT INTO webhook_endpoints (id, owner_id, url, description, enabled, events, kinds, tags, secret)
SELECT :id, :owner, :url, :description, :enabled, :events, :kinds, :tags, :secret
WHERE (SELECT count(*) FROM webhook_endpoints WHERE owner_id = :owner) < :most
RETURNING id
""")


def create(
    owner_id: UUID, endpoint_id: UUID, columns: dict[str, Any], vault: Vault, *, most: int
) -> Steps[str]:
    """Write an endpoint.

    Args:
        columns: see `FIELDS`; the address has been checked.
        most: endpoints that the owner may have.

    Returns:
        Its secret, which is shown this once.

    Raises:
        TooManyWebhooks
        NoSealingKey: see `Vault`.
    """
    secret = new_secret()
    sealed = vault.seal(endpoint_id, secret)
    bound = bind(_CREATE, id=endpoint_id, owner=owner_id, secret=sealed, most=most, **columns)
    if (yield bound).first() is None:
        raise TooManyWebhooks
    return secret


def change(
    owner_id: UUID,
    endpoint_id: UUID,
    revise: Callable[[EndpointView], dict[str, Any]],
    versions: Versions = None,
) -> Steps[EndpointView]:
    """Change what the owner has written; what is the same already makes no new version.

    Where it is enabled again, or moves, its failures are forgotten.

    Args:
        revise: from the endpoint as it is to its columns as they shall be.

    Raises:
        WebhookNotFound, PreconditionFailed.
    """
    before = yield from _hold(owner_id, endpoint_id, versions)
    columns = revise(before)
    if columns == before.written():
        return before
    fresh = (columns["enabled"] and not before.enabled) or columns["url"] != before.url
    forgotten = {"failures": 0, "exhausted": 0, "rest_until": None} if fresh else {}
    if columns["enabled"]:
        forgotten["disabled_reason"] = None
    yield (
        update(ENDPOINTS)
        .where(*_own(owner_id, endpoint_id))
        .values(version=ENDPOINTS.c.version + 1, updated_at=func.now(), **columns, **forgotten)
    )
    return (yield from read(owner_id, endpoint_id))


def _hold(owner_id: UUID, endpoint_id: UUID, versions: Versions) -> Steps[EndpointView]:
    found = yield from read(owner_id, endpoint_id, lock=True)
    expect(found.version, versions)
    return found


_ROTATE = text("""
UPDATE webhook_endpoints SET old_secret = secret, secret = :secret,
    old_secret_until = now() + make_interval(hours => :hours), version = version + 1,
    updated_at = now()
WHERE id = :id AND owner_id = :owner RETURNING id
""")


def rotate(owner_id: UUID, endpoint_id: UUID, vault: Vault) -> Steps[tuple[str, EndpointView]]:
    """Give an endpoint a new secret; the one before it signs too for `OVERLAP_H` more.

    Returns:
        The new secret, which is shown this once, and the endpoint.

    Raises:
        WebhookNotFound
        NoSealingKey: see `Vault`.
    """
    secret = new_secret()
    sealed = vault.seal(endpoint_id, secret)
    bound = bind(_ROTATE, id=endpoint_id, owner=owner_id, secret=sealed, hours=OVERLAP_H)
    if (yield bound).first() is None:
        raise WebhookNotFound
    view = yield from read(owner_id, endpoint_id)
    return secret, view


def remove(owner_id: UUID, endpoint_id: UUID, versions: Versions = None) -> Steps[None]:
    """Delete an endpoint; a trigger deletes its deliveries.

    Raises:
        WebhookNotFound, PreconditionFailed.
    """
    yield from _hold(owner_id, endpoint_id, versions)
    yield delete(ENDPOINTS).where(*_own(owner_id, endpoint_id))
