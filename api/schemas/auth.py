"""What goes in and out when people sign up, sign in, and look at their sign-ins."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from api.schemas.base import Body
from services.accounts import normal_email

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# What browsers accept in <input type=email>, plus a dot in the domain. Whether a mailbox is
# behind it only a letter can tell, and lists of forbidden domains would be wrong tomorrow.
_EMAIL = re.compile(rf"[a-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})+")


def _check_email(value: str) -> str:
    email = normal_email(value)
    if not _EMAIL.fullmatch(email) or ".." in email or email.startswith("."):
        raise ValueError("must be an e-mail address")
    return email


def _strip(value: str) -> str | None:
    return value.strip() or None


Email = Annotated[
    str,
    Field(min_length=3, max_length=254, json_schema_extra={"format": "email"}),
    AfterValidator(_check_email),
]
NewPassword = Annotated[SecretStr, Field(min_length=8, max_length=128)]


class Signup(Body):
    """A new account."""

    email: Email
    password: NewPassword
    display_name: Annotated[str, Field(max_length=100), AfterValidator(_strip)] | None = None


class Login(Body):
    """An account that exists."""

    email: Annotated[str, Field(max_length=254)]
    password: Annotated[SecretStr, Field(max_length=128)]


class Refresh(Body):
    """A refresh token, to be exchanged for its successor."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=256)]


class UserShown(BaseModel):
    """An account as its owner sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    display_name: str | None
    role: Literal["user", "admin"]
    created_at: datetime
    updated_at: datetime


class SignedIn(BaseModel):
    """An account with fresh tokens."""

    user: UserShown
    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105
    expires_in: int = Field(default=900, description="Seconds until the access token expires.")


class SignInShown(BaseModel):
    """A sign-in on one device."""

    id: UUID
    user_agent: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool = Field(description="Whether the request itself belongs to it.")
