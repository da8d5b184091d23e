"""Signed links: one file for a while, without a sign-in; for `<audio>`, downloads and mails.

A link is a JWT of ours (RFC 7519) of its own type and audience, so that neither passes for the
other: whoever sees a link gets the one file, and an access token opens no link.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt

from core.errors import Unauthenticated
from core.settings import Settings
from services.tokens import KeyRing

#: RFC 8725, section 3.11: explicit types keep kinds of tokens apart.
TYPE = "artifact+jwt"
#: Longest life of a link.
LIFETIME = timedelta(minutes=15)


class LinkInvalid(Unauthenticated):
    """The link is not valid for this file."""

    code = "INVALID_LINK"


class LinkExpired(Unauthenticated):
    """The time of the link is over; ask for another."""

    code = "LINK_EXPIRED"


def _audience(settings: Settings) -> str:
    return f"{settings.jwt_audience}/artifacts"


def sign(
    settings: Settings, keys: KeyRing, owner_id: UUID, artifact_id: UUID, expires_at: datetime
) -> str:
    """The secret part of a link to a file of this owner."""
    claims = {
        "iss": settings.jwt_issuer,
        "aud": _audience(settings),
        "sub": str(owner_id),
        "artifact": str(artifact_id),
        "iat": datetime.now(UTC),
        "exp": expires_at,
    }
    headers = {"typ": TYPE, "kid": keys.signing_id}
    return jwt.encode(claims, keys.signing, algorithm="EdDSA", headers=headers)


def owner_of(settings: Settings, keys: KeyRing, link: str, artifact_id: UUID) -> UUID:
    """Whose file a link opens.

    Raises:
        LinkInvalid: it is none of ours, or one to another file.
        LinkExpired
    """
    try:
        header = jwt.get_unverified_header(link)
        key = keys.published.get(str(header.get("kid")))
        if key is None or str(header.get("typ", "")).lower() != TYPE:
            raise LinkInvalid
        claims = jwt.decode(
            link,
            key,
            algorithms=["EdDSA"],
            audience=_audience(settings),
            issuer=settings.jwt_issuer,
            options={"require": ["exp", "iat", "sub", "iss", "aud", "artifact"]},
        )
        if claims["artifact"] != str(artifact_id):
            raise LinkInvalid
        return UUID(claims["sub"])
    except jwt.ExpiredSignatureError:
        raise LinkExpired from None
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        raise LinkInvalid from None
