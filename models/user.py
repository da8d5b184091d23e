"""Who uses the product: accounts, their sign-ins, and the refresh tokens of each sign-in."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKey, LargeBinary, String, text
from sqlmodel import Field, SQLModel

from core.ids import new_id
from models.base import UTC_TIME


def _owner() -> Column[UUID]:
    return Column(ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True)


def _time(*, required: bool = True, default: str | None = None) -> Column[datetime]:
    return Column(
        UTC_TIME, nullable=not required, server_default=text(default) if default else None
    )


class User(SQLModel, table=True):
    """An account. The role `wheels_app` may write `password_hash` and never read it."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("role IN ('user', 'admin')", name="role"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    email: str = Field(unique=True, max_length=254)  # stripped, lower case
    display_name: str | None = Field(default=None, max_length=100)
    #: Empty for accounts that sign in elsewhere.
    password_hash: str | None = Field(default=None, max_length=255)
    role: str = Field(
        default="user", sa_column=Column(String(16), nullable=False, server_default="user")
    )
    created_at: datetime = Field(sa_column=_time(default="now()"))
    updated_at: datetime = Field(sa_column=_time(default="now()"))


class SignIn(SQLModel, table=True):
    """One sign-in on one device: a family of refresh tokens that live and die together."""

    __tablename__ = "sessions"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    user_id: UUID = Field(sa_column=_owner())
    user_agent: str | None = Field(default=None, max_length=200)
    created_at: datetime = Field(sa_column=_time(default="now()"))
    last_used_at: datetime = Field(sa_column=_time(default="now()"))
    #: The end, however often it is refreshed.
    expires_at: datetime = Field(sa_column=_time())
    revoked_at: datetime | None = Field(default=None, sa_column=_time(required=False))


class RefreshToken(SQLModel, table=True):
    """A refresh token, known by its hash only. Used ones stay: they give a thief away."""

    __tablename__ = "refresh_tokens"

    hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    session_id: UUID = Field(
        sa_column=Column(ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, index=True)
    )
    user_id: UUID = Field(sa_column=_owner())
    #: The hash of the token that was answered for this one.
    successor: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    expires_at: datetime = Field(sa_column=_time())
    used_at: datetime | None = Field(default=None, sa_column=_time(required=False))
