"""Accounts and their sign-ins: the statements and decisions, for whoever holds a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlmodel import col

from core.database import Steps
from core.errors import Conflict, Unauthenticated
from core.ids import new_id
from models.user import RefreshToken, SignIn, User

#: A device that stays away longer has to sign in again.
REFRESH_IDLE = timedelta(days=30)
#: So has every device in the end.
SIGN_IN_LIFETIME = timedelta(days=180)
#: For so long after its use a refresh token still answers: the first answer may have been lost.
REFRESH_GRACE = timedelta(seconds=10)
#: Ended sign-ins are kept so long, to recognize stolen tokens of theirs.
KEEP_ENDED = timedelta(days=30)


class EmailTaken(Conflict):
    """There is already an account with this e-mail address."""

    code = "EMAIL_TAKEN"


class InvalidCredentials(Unauthenticated):
    """E-mail address or password is wrong."""

    code = "INVALID_CREDENTIALS"


class InvalidRefreshToken(Unauthenticated):
    """The refresh token is not valid; sign in again."""

    code = "INVALID_REFRESH_TOKEN"


@dataclass(frozen=True)
class Account:
    """What may be shown of a user."""

    id: UUID
    email: str
    display_name: str | None
    role: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Credentials:
    """Whom an e-mail address belongs to, and what their password hashes to."""

    user_id: UUID
    password_hash: str | None


class Outcome(StrEnum):
    """What became of a refresh token that was presented."""

    ROTATED = "rotated"
    REPEATED = "repeated"  # within the grace: the same successor again
    REFUSED = "refused"  # unknown, expired, or of an ended sign-in
    REUSED = "reused"  # somebody has a copy: the whole sign-in was ended


@dataclass(frozen=True)
class Rotation:
    """The outcome, and whose token it was where that is known."""

    outcome: Outcome
    user_id: UUID | None
    session_id: UUID | None

    @property
    def granted(self) -> bool:
        return self.outcome in (Outcome.ROTATED, Outcome.REPEATED)


_SHOWN = [
    col(User.id),
    col(User.email),
    col(User.display_name),
    col(User.role),
    col(User.created_at),
    col(User.updated_at),
]


def normal_email(email: str) -> str:
    """One spelling per mailbox; in practice nobody's server tells capitals apart."""
    return email.strip().lower()


def create_account(
    user_id: UUID, email: str, password_hash: str, display_name: str | None
) -> Steps[Account]:
    """A new account; the transaction acts for `user_id`.

    Raises:
        EmailTaken: somebody has an account with this address.
    """
    values = {
        "id": user_id,
        "email": normal_email(email),
        "display_name": display_name,
        "password_hash": password_hash,
    }
    made = yield insert_or(User).values(values).on_conflict_do_nothing().returning(col(User.id))
    if made.scalar() is None:
        raise EmailTaken
    return (yield from own_account(user_id))


def own_account(user_id: UUID) -> Steps[Account]:
    """The account that the transaction acts for.

    Raises:
        Unauthenticated: it was deleted while its token still holds.
    """
    row = (yield select(*_SHOWN).where(col(User.id) == user_id)).one_or_none()
    if row is None:
        raise Unauthenticated("This account no longer exists.")
    return Account(**row._mapping)


def find_credentials(email: str) -> Steps[Credentials | None]:
    """Look an address up. Nobody is signed in yet, so a function of the database does it."""
    found = yield text("SELECT user_id, password_hash FROM find_sign_in(:email)").bindparams(
        email=normal_email(email)
    )
    row = found.one_or_none()
    return Credentials(**row._mapping) if row else None


def renew_password_hash(user_id: UUID, password_hash: str) -> Steps[None]:
    """Store a better hash of the same password."""
    yield (
        update(User)
        .where(col(User.id) == user_id)
        .values(password_hash=password_hash, updated_at=func.now())
    )


def begin_sign_in(user_id: UUID, refresh_hash: bytes, user_agent: str | None) -> Steps[UUID]:
    """Start a family of refresh tokens and drop what is left of long ended ones."""
    yield delete(SignIn).where(
        col(SignIn.user_id) == user_id,
        func.least(col(SignIn.expires_at), col(SignIn.revoked_at)) < func.now() - KEEP_ENDED,
    )
    session_id = new_id()
    yield insert(SignIn).values(
        id=session_id,
        user_id=user_id,
        user_agent=user_agent[:200] if user_agent else None,
        expires_at=func.now() + SIGN_IN_LIFETIME,
    )
    yield insert(RefreshToken).values(
        hash=refresh_hash,
        session_id=session_id,
        user_id=user_id,
        expires_at=func.now() + REFRESH_IDLE,
    )
    return session_id


def rotate(presented: bytes, following: bytes, at: datetime | None = None) -> Steps[Rotation]:
    """Exchange a refresh token for its successor, or find out that it was stolen.

    The transaction must commit in every case: a refusal may have ended a sign-in.

    Args:
        presented: hash of the token that the client sent.
        following: hash of its successor.
        at: the time, if it is not the database's own.
    """
    asked = yield text(
        "SELECT outcome, owner_id, family_id FROM rotate_refresh_token("
        ":presented, :following, coalesce(cast(:at AS timestamptz), now()), :idle, :grace)"
    ).bindparams(
        presented=presented, following=following, at=at, idle=REFRESH_IDLE, grace=REFRESH_GRACE
    )
    row = asked.one()
    return Rotation(Outcome(row.outcome), row.owner_id, row.family_id)


def _alive_of(user_id: UUID) -> list[ColumnElement[bool]]:
    return [
        col(SignIn.user_id) == user_id,
        col(SignIn.revoked_at).is_(None),
        col(SignIn.expires_at) > func.now(),
    ]


def require_alive(user_id: UUID, session_id: UUID | None) -> Steps[None]:
    """Refuse an access token whose sign-in has been ended meanwhile.

    Raises:
        Unauthenticated: it was ended.
    """
    if session_id is None:  # a token of somebody else's, who keeps the sessions
        return
    wanted = (*_alive_of(user_id), col(SignIn.id) == session_id)
    found = yield select(col(SignIn.id)).where(*wanted)
    if found.scalar() is None:
        raise Unauthenticated("This sign-in has been ended.")


def list_sign_ins(user_id: UUID, limit: int, offset: int) -> Steps[tuple[list[SignIn], int]]:
    """One page of the sign-ins that are still good, last used first, and how many there are."""
    own = _alive_of(user_id)
    total = (yield select(func.count()).select_from(SignIn).where(*own)).scalar_one()
    rows = yield (
        select(SignIn)
        .where(*own)
        .order_by(col(SignIn.last_used_at).desc(), col(SignIn.id))
        .limit(limit)
        .offset(offset)
    )
    return list(rows.scalars()), total


def end_sign_in(user_id: UUID, session_id: UUID) -> Steps[bool]:
    """End one sign-in; False if the user has no such one (any more)."""
    ended = yield (
        update(SignIn)
        .where(*_alive_of(user_id), col(SignIn.id) == session_id)
        .values(revoked_at=func.now())
        .returning(col(SignIn.id))
    )
    return ended.scalar() is not None
