"""Webhooks: make, change, rotate, ping; their log of deliveries, and sending once more."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api.answers import CREATED, UNCHANGED, Idempotent, IfMatch, IfNoneMatch, made, many, one
from api.deps import CurrentUser, Db, LimitSubmits, PageQuery, Process
from api.engine_room import Room
from api.merge import revised
from api.schemas.base import One, Page
from api.schemas.webhooks import (
    DeliveryPage,
    DeliveryRead,
    DeliveryStatusName,
    DeliveryWhole,
    WebhookNew,
    WebhookPatch,
    WebhookRead,
    WebhookWithSecret,
)
from core.database import perform_async
from core.errors import Invalid
from core.ids import new_id
from core.settings import Settings
from models.webhook import DeliveryStatus
from services.webhooks import addresses, deliveries, endpoints
from services.webhooks.vault import Vault

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

#: How long a new address may take to be looked up; a name that leads nowhere yet is no error.
LOOKUP_S = 2.0

NOT_STORED = {"Cache-Control": "no-store"}
FULL: dict[int | str, dict[str, Any]] = {
    409: {
        "$ref": "#/components/responses/Conflict",
        "description": "There are as many as one user may have (`TOO_MANY_WEBHOOKS`).",
    }
}
SENT: dict[int | str, dict[str, Any]] = {
    202: {
        "headers": {
            "Location": {"schema": {"type": "string"}, "description": "The delivery."},
        }
    },
    409: {
        "$ref": "#/components/responses/Conflict",
        "description": "The webhook is switched off (`WEBHOOK_DISABLED`).",
    },
}


async def _check(url: str, settings: Settings) -> None:
    """Refuse an address that we would not send to.

    Raises:
        Invalid: names the field.
    """
    rules = addresses.Rules.of(settings)
    try:
        target = addresses.read_url(url)
    except addresses.UnsafeAddress:
        return  # named together with all other wrong fields
    try:
        addresses.check_target(target, rules)
        found = await asyncio.to_thread(
            addresses.resolve, target.host, target.port, within_s=LOOKUP_S
        )
        addresses.check_addresses(target, found, rules)
    except addresses.UnsafeAddress as unsafe:
        raise Invalid(field_errors={"url": [str(unsafe)]}) from None
    except addresses.Unresolvable:
        return  # perhaps not yet; it is looked up again whenever something is sent


@router.post("", status_code=201, response_model=One[WebhookWithSecret], responses=CREATED | FULL)
async def create_webhook(new: WebhookNew, user: CurrentUser, db: Db, process: Process) -> Response:
    """Have an address told of jobs, by the Standard Webhooks specification.

    A message is a POST of `{"type", "timestamp", "seq", "data"}`: `data` is the job as lists show
    it, less what would make it larger than 20 kB; `job.artifact` adds `artifact`. It is signed with
    the `secret`, which is shown here only (and therefore takes no `Idempotency-Key`).

    Any 2xx within 15 s is success; redirects are not followed. Else it is sent again after 5 s,
    5 min, 30 min, 2, 5, 10, 14, 20 and 24 h, with the same `webhook-id` and the same body. Messages
    may come twice, and in any order. `410` switches the webhook off, as do three messages in a row
    that never got through.
    """
    settings = process.settings
    await _check(new.url, settings)
    webhook_id, vault = new_id(), Vault.from_settings(settings)
    columns = new.model_dump(mode="json")
    most = settings.max_webhooks
    secret = await perform_async(
        db, endpoints.create(user.id, webhook_id, columns, vault, most=most)
    )
    view = await perform_async(db, endpoints.read(user.id, webhook_id))
    headers = made(f"/api/v1/webhooks/{webhook_id}", replayed=False) | NOT_STORED
    return _with_secret(view, secret, status=201, headers=headers)


def _with_secret(
    view: endpoints.EndpointView, secret: str, *, status: int, headers: dict[str, str]
) -> Response:
    shown = {**WebhookRead.of(view).model_dump(mode="json"), "secret": secret}
    return one(shown, version=view.version, status=status, headers=headers)


def _shown(view: endpoints.EndpointView) -> Response:
    return one(WebhookRead.of(view).model_dump(mode="json"), version=view.version)


@router.get("", response_model=Page[WebhookRead])
async def list_webhooks(user: CurrentUser, db: Db, paging: PageQuery) -> Response:
    """The caller's webhooks, newest first."""
    found, total = await perform_async(
        db, endpoints.page(user.id, limit=paging.page_size, offset=paging.offset)
    )
    return many([WebhookRead.of(view).model_dump(mode="json") for view in found], total, paging)


@router.get("/{webhook_id}", response_model=One[WebhookRead], responses=UNCHANGED)
async def read_webhook(webhook_id: UUID, user: CurrentUser, db: Db, known: IfNoneMatch) -> Response:
    """One webhook. Its failures are no new version."""
    view = await perform_async(db, endpoints.read(user.id, webhook_id))
    return known.unchanged(view.version) or _shown(view)


@router.patch("/{webhook_id}", response_model=One[WebhookRead])
async def change_webhook(
    webhook_id: UUID,
    patch: WebhookPatch,
    user: CurrentUser,
    db: Db,
    process: Process,
    versions: IfMatch,
) -> Response:
    """Change the fields that are sent (RFC 7396). Enabled again, it gets what still waited."""

    def revise(view: endpoints.EndpointView) -> dict[str, object]:
        new: WebhookNew = revised(WebhookNew, view.written(), patch)
        return new.model_dump(mode="json")

    if isinstance(patch.get("url"), str):
        await _check(patch["url"], process.settings)
    view = await perform_async(db, endpoints.change(user.id, webhook_id, revise, versions))
    return _shown(view)


@router.delete("/{webhook_id}", status_code=204)
async def delete_webhook(webhook_id: UUID, user: CurrentUser, db: Db, versions: IfMatch) -> None:
    """Delete a webhook and its log; what still waits is not sent."""
    await perform_async(db, endpoints.remove(user.id, webhook_id, versions))


@router.post("/{webhook_id}/rotate", response_model=One[WebhookWithSecret])
async def rotate_webhook_secret(
    webhook_id: UUID, user: CurrentUser, db: Db, process: Process
) -> Response:
    """A new secret, shown this once. For 24 hours messages carry a signature by the old one too.

    Rotated once more within that time, only the newest two sign.
    """
    vault = Vault.from_settings(process.settings)
    secret, view = await perform_async(db, endpoints.rotate(user.id, webhook_id, vault))
    return _with_secret(view, secret, status=200, headers=dict(NOT_STORED))


@router.post(
    "/{webhook_id}/ping",
    status_code=202,
    response_model=One[DeliveryWhole],
    responses=SENT,
    dependencies=[LimitSubmits],
)
async def ping_webhook(
    webhook_id: UUID, user: CurrentUser, process: Process, room: Room, once: Idempotent
) -> Response:
    """Send a `webhook.ping` now; its delivery says how it went."""
    async with process.databases.app.transaction(user.id) as db:
        view, replayed = await perform_async(
            db, deliveries.ping(user.id, webhook_id, once.key(None))
        )
    return _sent(view, room, replayed=replayed)


@router.get("/{webhook_id}/deliveries", response_model=DeliveryPage)
async def list_webhook_deliveries(
    webhook_id: UUID,
    user: CurrentUser,
    db: Db,
    paging: PageQuery,
    status: DeliveryStatusName | None = None,
    type: Annotated[str | None, Query(max_length=100)] = None,  # its name outside
    after: Annotated[
        str | None, Query(max_length=100, description="A `next_cursor`: what comes after it.")
    ] = None,
) -> DeliveryPage:
    """What was and will be sent, newest first; kept 30 days."""
    place = None if after is None else deliveries.After.read(after)
    if after is not None and place is None:
        raise Invalid(field_errors={"after": ["is no cursor of ours"]})
    which = deliveries.Filter(DeliveryStatus(status) if status else None, type)
    found, total, more = await perform_async(
        db,
        deliveries.page(
            user.id,
            webhook_id,
            which,
            limit=paging.page_size,
            offset=0 if place else paging.offset,
            after=place,
        ),
    )
    return DeliveryPage(
        data=[DeliveryRead.of(view) for view in found],
        total=total,
        page=paging.page,
        page_size=paging.page_size,
        next_cursor=str(more) if more else None,
    )


@router.get("/{webhook_id}/deliveries/{delivery_id}")
async def read_webhook_delivery(
    webhook_id: UUID, delivery_id: UUID, user: CurrentUser, db: Db
) -> One[DeliveryWhole]:
    """One delivery, with what is sent."""
    view = await perform_async(db, deliveries.read(user.id, webhook_id, delivery_id))
    return One(data=DeliveryWhole.of(view))


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/replay",
    status_code=202,
    response_model=One[DeliveryWhole],
    responses=SENT,
    dependencies=[LimitSubmits],
)
async def replay_webhook_delivery(
    webhook_id: UUID, delivery_id: UUID, user: CurrentUser, process: Process, room: Room
) -> Response:
    """Send the same message once more, now: same `webhook-id`, same body, a schedule of its own."""
    async with process.databases.app.transaction(user.id) as db:
        view = await perform_async(db, deliveries.replay(user.id, webhook_id, delivery_id))
    return _sent(view, room, replayed=False)


def _sent(view: deliveries.DeliveryView, room: Room, *, replayed: bool) -> Response:
    room.publisher.deliveries_wait()
    place = f"/api/v1/webhooks/{view.endpoint_id}/deliveries/{view.id}"
    body = One(data=DeliveryWhole.of(view)).model_dump_json()
    headers = made(place, replayed=replayed)
    return Response(body, 202, headers, media_type="application/json")
