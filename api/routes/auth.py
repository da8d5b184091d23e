"""Signing up, in and out, and the sessions behind it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from api.deps import Caller, CurrentUser, Db, PageQuery, PathOwner, Process, Services
from api.schemas.auth import Login, Refresh, SignedIn, SignInShown, Signup, UserShown
from api.schemas.base import One, Page
from core.database import perform_async
from core.errors import NotFound
from core.ids import new_id
from services import accounts
from services.accounts import Account, InvalidCredentials, InvalidRefreshToken
from services.tokens import ACCESS_LIFETIME, Identity, mint, new_refresh_token, refresh_hash

keys_router = APIRouter(tags=["auth"])
sign_in_router = APIRouter(prefix="/auth", tags=["auth"])
account_router = APIRouter(prefix="/auth", tags=["auth"])
users_router = APIRouter(prefix="/users", tags=["users"])

#: They ask for no access token, and yet may refuse whoever comes.
UNKNOWN: dict[int | str, dict[str, Any]] = {
    401: {
        "$ref": "#/components/responses/Unauthenticated",
        "description": "Not what belongs to an account (`error_code` says which).",
    }
}


@keys_router.get("/.well-known/jwks.json")
async def jwks(process: Process, response: Response) -> dict[str, Any]:
    """The public keys of our access tokens (RFC 7517)."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return process.keys.jwks()


@sign_in_router.post(
    "/signup",
    status_code=201,
    responses={
        409: {
            "$ref": "#/components/responses/Conflict",
            "description": "There is an account with this address (`EMAIL_TAKEN`).",
        }
    },
)
async def signup(
    new: Signup, request: Request, response: Response, process: Process
) -> One[SignedIn]:
    """Make an account and sign in."""
    await process.limiter.check_sign_in(request)
    # hashing takes 30 ms: no connection is held meanwhile
    password_hash = await process.passwords.hash(new.password.get_secret_value())
    user_id, token = new_id(), new_refresh_token()
    async with process.databases.app.transaction(user_id) as db:
        account = await perform_async(
            db, accounts.create_account(user_id, new.email, password_hash, new.display_name)
        )
        session_id = await perform_async(
            db, accounts.begin_sign_in(user_id, refresh_hash(token), _user_agent(request))
        )
    response.headers["Location"] = f"/api/v1/users/{user_id}"
    return _signed_in(process, account, session_id, token)


@sign_in_router.post("/login", responses=UNKNOWN)
async def login(who: Login, request: Request, process: Process) -> One[SignedIn]:
    """Sign in with e-mail and password."""
    await process.limiter.check_sign_in(request, accounts.normal_email(who.email))
    async with process.databases.app.transaction() as db:
        found = await perform_async(db, accounts.find_credentials(who.email))
    fits, renewed = await process.passwords.verify(
        who.password.get_secret_value(), found.password_hash if found else None
    )
    if found is None or not fits:
        raise InvalidCredentials
    token = new_refresh_token()
    async with process.databases.app.transaction(found.user_id) as db:
        if renewed:
            await perform_async(db, accounts.renew_password_hash(found.user_id, renewed))
        session_id = await perform_async(
            db, accounts.begin_sign_in(found.user_id, refresh_hash(token), _user_agent(request))
        )
        account = await perform_async(db, accounts.own_account(found.user_id))
    return _signed_in(process, account, session_id, token)


@sign_in_router.post("/refresh", responses=UNKNOWN)
async def refresh(old: Refresh, request: Request, process: Process) -> One[SignedIn]:
    """Exchange a refresh token; each works once.

    Within 10 s of its use a token answers the same successor again, because the first answer may
    have been lost. Any later reuse ends the whole sign-in.
    """
    await process.limiter.check_sign_in(request)
    token = process.keys.successor(old.refresh_token)
    async with process.databases.app.transaction() as db:
        rotation = await perform_async(
            db, accounts.rotate(refresh_hash(old.refresh_token), refresh_hash(token))
        )
    # only after the commit: what the refusal of a stolen token has ended must stay ended
    if not rotation.granted or rotation.user_id is None or rotation.session_id is None:
        raise InvalidRefreshToken
    async with process.databases.app.transaction(rotation.user_id) as db:
        account = await perform_async(db, accounts.own_account(rotation.user_id))
    return _signed_in(process, account, rotation.session_id, token)


@account_router.post("/logout", status_code=204)
async def logout(user: CurrentUser, db: Db) -> None:
    """End the sign-in of this access token, with all its refresh tokens."""
    if user.session_id is not None:
        await perform_async(db, accounts.end_sign_in(user.id, user.session_id))


@account_router.get("/me")
async def me(user: CurrentUser, db: Db) -> One[UserShown]:
    """The caller's account."""
    return await _own_account(user, db)


@account_router.get("/sessions")
async def list_sessions(user: CurrentUser, db: Db, paging: PageQuery) -> Page[SignInShown]:
    """Where the caller is signed in, last used first."""
    await perform_async(db, accounts.require_alive(user.id, user.session_id))
    rows, total = await perform_async(
        db, accounts.list_sign_ins(user.id, paging.page_size, paging.offset)
    )
    shown = [SignInShown(**row.model_dump(), current=row.id == user.session_id) for row in rows]
    return Page(data=shown, total=total, page=paging.page, page_size=paging.page_size)


@account_router.delete("/sessions/{session_id}", status_code=204)
async def end_session(session_id: UUID, user: CurrentUser, db: Db) -> None:
    """End one sign-in; its refresh tokens stop working at once."""
    if not await perform_async(db, accounts.end_sign_in(user.id, session_id)):
        raise NotFound


@users_router.get("/{user_id}")
async def get_user(user: PathOwner, db: Db) -> One[UserShown]:
    """The caller's account by id; anybody else's looks absent."""
    return await _own_account(user, db)


async def _own_account(user: Caller, db: Db) -> One[UserShown]:
    await perform_async(db, accounts.require_alive(user.id, user.session_id))
    account = await perform_async(db, accounts.own_account(user.id))
    return One(data=UserShown.model_validate(account))


def _user_agent(request: Request) -> str | None:
    return request.headers.get("user-agent")


def _signed_in(
    process: Services, account: Account, session_id: UUID, refresh_token: str
) -> One[SignedIn]:
    identity = Identity(account.id, session_id, account.role)
    return One(
        data=SignedIn(
            user=UserShown.model_validate(account),
            access_token=mint(process.settings, process.keys, identity),
            refresh_token=refresh_token,
            expires_in=int(ACCESS_LIFETIME.total_seconds()),
        )
    )
