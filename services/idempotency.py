"""Keys of callers: a POST that is sent again finds what the first one made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core.database import Steps, bind
from core.errors import AppError, Conflict

#: How long a repeat waits for the first request with its key. Seconds.
KEY_WAIT_S = 2


class KeyReused(AppError):
    """This Idempotency-Key was used for a different request."""

    status, code = 422, "IDEMPOTENCY_KEY_REUSED"


class KeyInFlight(Conflict):
    """The first request with this Idempotency-Key is still being served."""

    code = "IDEMPOTENCY_KEY_IN_FLIGHT"


@dataclass(frozen=True)
class IdempotencyKey:
    """A caller's key, and the fingerprint of the request it came with."""

    key: str
    fingerprint: bytes

    @classmethod
    def of(cls, key: str, method: str, path: str, body: Any) -> IdempotencyKey:
        """Fingerprint a request: SHA-256 over method, path and canonical JSON body."""
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), default=str)
        return cls(key, hashlib.sha256(f"{method} {path}\n{canonical}".encode()).digest())


_TAKE_KEY = text("""
INSERT INTO idempotency_keys (owner_id, key, fingerprint, status, resource_id, resource_ids)
VALUES (:owner, :key, :fingerprint, :status, :resource, :resources)
ON CONFLICT (owner_id, key) DO UPDATE SET fingerprint = excluded.fingerprint,
    status = excluded.status, resource_id = excluded.resource_id,
    resource_ids = excluded.resource_ids, created_at = now(), expires_at = excluded.expires_at
    WHERE idempotency_keys.expires_at <= now()
RETURNING resource_id
""")

_READ_KEY = text("""
SELECT fingerprint, coalesce(resource_ids, ARRAY[resource_id]) AS resources
FROM idempotency_keys WHERE owner_id = :owner AND key = :key
""")


def take_key(owner_id: UUID, key: IdempotencyKey, status: int, resource_id: UUID) -> Steps[UUID]:
    """Claim a key for what this transaction makes, or learn what an earlier one made.

    The unique index is the lock: a second request waits here until the first commits.

    Returns:
        `resource_id` where the key was free, else the id of the earlier resource.

    Raises:
        KeyReused: the key came with another request before.
        KeyInFlight: the first request took longer than `KEY_WAIT_S`.
    """
    return (yield from take_key_of_many(owner_id, key, status, [resource_id]))[0]


def take_key_of_many(
    owner_id: UUID, key: IdempotencyKey, status: int, resource_ids: list[UUID]
) -> Steps[list[UUID]]:
    """`take_key` for a request that makes several resources, at least one.

    Raises:
        KeyReused, KeyInFlight: as `take_key`.
    """
    yield text(f"SELECT set_config('lock_timeout', '{KEY_WAIT_S}s', true)")
    try:
        taken = yield bind(
            _TAKE_KEY,
            owner=owner_id,
            key=key.key,
            fingerprint=key.fingerprint,
            status=status,
            resource=resource_ids[0],
            resources=resource_ids if len(resource_ids) > 1 else None,
        )
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":
            raise KeyInFlight(retry_after_s=1) from None
        raise
    if taken.first() is not None:
        return resource_ids
    earlier = (yield bind(_READ_KEY, owner=owner_id, key=key.key)).one()
    if bytes(earlier.fingerprint) != key.fingerprint:
        raise KeyReused
    return list(earlier.resources)
