"""`/metrics`, for Prometheus: behind a token of its own, or an admin's."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from api.deps import FORBIDDEN, Process, bearer_scheme, current_admin, current_user
from api.metrics import Metrics
from core.errors import Unauthenticated

router = APIRouter(tags=["health"])


async def may_scrape(
    request: Request,
    process: Process,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(bearer_scheme)],
) -> None:
    """Prometheus by its token, which needs no database; a person by being an admin."""
    wanted = process.settings.metrics_token
    if bearer is None:
        raise Unauthenticated
    if wanted is not None and hmac.compare_digest(
        bearer.credentials.encode(), wanted.get_secret_value().encode()
    ):
        return
    await current_admin(process, await current_user(request, bearer))


@router.get(
    "/metrics",
    dependencies=[Depends(may_scrape)],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **FORBIDDEN},
)
async def metrics(request: Request, process: Process) -> Response:
    """The figures of this process and of the job layer, as Prometheus reads them.

    With the token of the setting `METRICS_TOKEN`, or with an admin's access token. Figures are a
    second old at most. While the database is away, `wheels_database_up` is 0 and the process
    answers with its own. Counters are kept in the database and outlive every process.
    """
    kept: Metrics = request.app.state.metrics
    text = await kept.scrape(process.databases.engine)
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)
