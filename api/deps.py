"""What an endpoint may ask for, as types."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, cast
from uuid import UUID

import structlog
from fastapi import Depends, Path, Query, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.ext.asyncio import AsyncSession

from api.limits import SUBMITS, WRITES, Limiter
from api.schemas.base import Paging
from core.database import AsyncDatabase, perform_async
from core.errors import Forbidden, NotFound, Unauthenticated
from core.settings import Settings
from services.accounts import own_account
from services.artifacts.store import ArtifactStore
from services.passwords import Passwords
from services.tokens import KeyRing, Verifier


@dataclass
class Databases:
    """Two pools: requests act for one owner, the engine role reads jobs of all owners."""

    app: AsyncDatabase
    engine: AsyncDatabase


@dataclass
class Services:
    """What lives as long as the process; made in the lifespan of `api.app`."""

    settings: Settings
    databases: Databases
    keys: KeyRing
    verifier: Verifier
    passwords: Passwords
    limiter: Limiter
    artifacts: ArtifactStore


def services_in(request: Request) -> Services:
    """For what depends on the request anyway: FastAPI needs 0.1 ms for each dependency, as often
    as it is named."""
    return cast(Services, request.app.state.services)


async def services_of(request: Request) -> Services:
    # async, as every dependency here: FastAPI sends a plain function to a thread, which costs
    # more than all that it does
    return services_in(request)


Process = Annotated[Services, Depends(services_of)]


@dataclass(frozen=True)
class Caller:
    """Who asks, as the access token says it; no table was read."""

    id: UUID
    session_id: UUID | None
    role: str


bearer_scheme = HTTPBearer(
    scheme_name="bearer",
    bearerFormat="JWT",
    description="The `access_token` of signup, login or refresh.",
    auto_error=False,
)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


async def current_user(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(bearer_scheme)],
) -> Caller:
    """The caller. Every guarded write is counted here, so that no route can forget it."""
    if bearer is None:
        raise Unauthenticated
    process = services_in(request)
    identity = await process.verifier.identify(bearer.credentials)
    structlog.contextvars.bind_contextvars(user_id=str(identity.user_id))
    if request.method not in SAFE_METHODS:
        process.limiter.check_writes(request, identity.user_id, WRITES)
    return Caller(identity.user_id, identity.session_id, identity.role)


CurrentUser = Annotated[Caller, Depends(current_user)]


class AdminRequired(Forbidden):
    """Only admins may do this."""

    code = "ADMIN_REQUIRED"


async def current_admin(process: Process, user: CurrentUser) -> Caller:
    """The caller, where their row says that they are an admin; a token may be older than that.

    Raises:
        AdminRequired
    """
    async with process.databases.app.transaction(user.id) as session:
        account = await perform_async(session, own_account(user.id))
    if account.role != "admin":
        raise AdminRequired
    return user


CurrentAdmin = Annotated[Caller, Depends(current_admin)]

#: What `responses=` says of an endpoint for admins.
FORBIDDEN: dict[int | str, dict[str, Any]] = {403: {"$ref": "#/components/responses/Forbidden"}}


async def own_path(
    user: CurrentUser, user_id: Annotated[UUID, Path(description="The caller's own id.")]
) -> Caller:
    """The caller, where the path carries an id: anybody else's looks absent."""
    if user_id != user.id:
        raise NotFound
    return user


#: For paths of the form `/users/{user_id}/…`.
PathOwner = Annotated[Caller, Depends(own_path)]


async def db_session(request: Request, user: CurrentUser) -> AsyncIterator[AsyncSession]:
    """A transaction for the caller's rows: committed before the answer leaves, else rolled back."""
    async with services_in(request).databases.app.transaction(user.id) as session:
        yield session


async def anonymous_session(process: Process) -> AsyncIterator[AsyncSession]:
    """A transaction that acts for nobody and therefore sees no rows at all."""
    async with process.databases.app.transaction() as session:
        yield session


# scope="function": with the default one FastAPI commits after the answer has left, and
# holds the connection for as long as a stream lives
Db = Annotated[AsyncSession, Depends(db_session, scope="function")]
AnonymousDb = Annotated[AsyncSession, Depends(anonymous_session, scope="function")]


async def limit_submits(request: Request, user: CurrentUser) -> None:
    """Count a request that makes work for a worker."""
    services_in(request).limiter.check_writes(request, user.id, SUBMITS)


#: For `dependencies=[…]` of a route that starts a job without `Accept`.
LimitSubmits = Depends(limit_submits)


async def page_query(
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    page_size: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Paging:
    """Which page of a collection."""
    return Paging(page, page_size)


PageQuery = Annotated[Paging, Depends(page_query)]
