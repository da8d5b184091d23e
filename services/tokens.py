"""Access tokens: minted with our key, and accepted from registered issuers only."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jwt.algorithms import OKPAlgorithm

from core.errors import Unauthenticated
from core.ids import new_id
from core.log import log
from core.settings import Settings

ACCESS_LIFETIME = timedelta(minutes=15)
#: Tokens that a process remembers to have verified: a signature costs more than the rest.
TOKENS_KNOWN = 10_000
#: Clocks of two hosts of ours differ by less.
LEEWAY = timedelta(seconds=2)

_PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)


class InvalidToken(Unauthenticated):
    """The access token is not valid."""

    code = "INVALID_TOKEN"


class TokenExpired(Unauthenticated):
    """The access token has expired."""

    code = "TOKEN_EXPIRED"


@dataclass(frozen=True)
class Identity:
    """Whom a valid access token names."""

    user_id: UUID
    session_id: UUID | None
    role: str


def _key_id(key: Ed25519PublicKey) -> str:
    """RFC 7638 thumbprint of the public key."""
    members = {name: OKPAlgorithm.to_jwk(key, as_dict=True)[name] for name in ("crv", "kty", "x")}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return _base64url(hashlib.sha256(canonical).digest())


def _base64url(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


class KeyRing:
    """The key that signs, and older ones whose tokens are still accepted.

    The setting holds one PEM block or several: the first is the private key that
    signs; whatever follows (private or public) stays published during a rotation.
    """

    def __init__(self, signing: Ed25519PrivateKey, older: Iterable[Ed25519PublicKey] = ()) -> None:
        self.signing = signing
        public = signing.public_key()
        self.signing_id = _key_id(public)
        self.published = {_key_id(key): key for key in (public, *older)}
        raw = signing.private_bytes_raw()
        self._refresh_secret = HKDF(hashes.SHA256(), 32, None, b"refresh-token-successor").derive(
            raw
        )

    @classmethod
    def from_settings(cls, settings: Settings) -> KeyRing:
        if settings.jwt_private_key:
            # one line in an .env file writes its line ends as \n
            return cls.from_pem(settings.jwt_private_key.get_secret_value().replace("\\n", "\n"))
        if settings.jwt_private_key_file:
            return cls.from_pem(settings.jwt_private_key_file.read_text())
        log.warning("ephemeral_signing_key", effect="a restart signs everybody out")
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, text: str) -> KeyRing:
        keys = [_load(block.group().encode()) for block in _PEM_BLOCK.finditer(text)]
        if not keys or not isinstance(keys[0], Ed25519PrivateKey):
            raise ValueError("the JWT signing key must be an Ed25519 private key in PEM")
        older = (k.public_key() if isinstance(k, Ed25519PrivateKey) else k for k in keys[1:])
        return cls(keys[0], older)

    def jwks(self) -> dict[str, Any]:
        """The public keys, RFC 7517."""
        return {
            "keys": [
                OKPAlgorithm.to_jwk(key, as_dict=True) | {"kid": kid, "alg": "EdDSA", "use": "sig"}
                for kid, key in self.published.items()
            ]
        }

    def successor(self, refresh_token: str) -> str:
        """The refresh token that follows; always the same, though only hashes are stored."""
        return _base64url(hmac.digest(self._refresh_secret, refresh_token.encode(), hashlib.sha256))


def _load(pem: bytes) -> Ed25519PrivateKey | Ed25519PublicKey:
    is_private = b"PRIVATE KEY" in pem.split(b"\n", 1)[0]
    key = (
        serialization.load_pem_private_key(pem, password=None)
        if is_private
        else serialization.load_pem_public_key(pem)
    )
    if not isinstance(key, Ed25519PrivateKey | Ed25519PublicKey):
        raise ValueError("only Ed25519 keys sign access tokens")
    return key


def new_refresh_token() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def refresh_hash(token: str) -> bytes:
    """What is stored of a refresh token; a fast hash will do for 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


def mint(settings: Settings, keys: KeyRing, identity: Identity, now: datetime | None = None) -> str:
    """An access token of ours."""
    issued = now or datetime.now(UTC)
    claims = {
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
        "sub": str(identity.user_id),
        "sid": str(identity.session_id),
        "role": identity.role,
        "iat": issued,
        "exp": issued + ACCESS_LIFETIME,
        "jti": str(new_id()),
    }
    headers = {"typ": "at+jwt", "kid": keys.signing_id}
    return jwt.encode(claims, keys.signing, algorithm="EdDSA", headers=headers)


class Issuer(Protocol):
    """Somebody whose tokens we accept, and under which conditions."""

    name: str  # the `iss` claim
    audience: str
    algorithms: tuple[str, ...]
    types: frozenset[str]  # the `typ` headers allowed, in lower case

    async def key(self, kid: str | None) -> Any:
        """The key named `kid`, or None if this issuer has no such key."""
        ...

    async def identify(self, claims: Mapping[str, Any]) -> Identity:
        """Our user for these verified claims."""
        ...


class OwnIssuer:
    """Ourselves."""

    algorithms: tuple[str, ...] = ("EdDSA",)
    types: frozenset[str] = frozenset({"at+jwt"})

    def __init__(self, settings: Settings, keys: KeyRing) -> None:
        self.name, self.audience, self._keys = settings.jwt_issuer, settings.jwt_audience, keys

    async def key(self, kid: str | None) -> Any:
        return self._keys.published.get(kid) if kid else None

    async def identify(self, claims: Mapping[str, Any]) -> Identity:
        session_id = UUID(claims["sid"]) if claims.get("sid") else None
        return Identity(UUID(claims["sub"]), session_id, str(claims.get("role", "user")))


class Verifier:
    """Checks access tokens against the registered issuers, and nothing but those."""

    def __init__(self, issuers: Iterable[Issuer]) -> None:
        self._issuers = {issuer.name: issuer for issuer in issuers}
        self._known: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()

    async def identify(self, token: str) -> Identity:
        """Whom `token` names. One that was found good is good until it expires.

        Raises:
            InvalidToken, TokenExpired: it names nobody.
        """
        # a digest, so that no token lies about in memory longer than its request
        digest = hashlib.blake2b(token.encode(errors="replace"), digest_size=32).digest()
        if known := self._known.get(digest):
            expires_at, identity = known
            if time.time() < expires_at:
                return identity
            del self._known[digest]
        expires_at, identity = await self._verify(token)
        self._known[digest] = expires_at, identity
        if len(self._known) > TOKENS_KNOWN:
            self._known.popitem(last=False)
        return identity

    async def _verify(self, token: str) -> tuple[float, Identity]:
        """When the token expires, and whom it names."""
        try:
            header = jwt.get_unverified_header(token)
            issuer = self._issuer_of(token)
            key = await issuer.key(header.get("kid"))
            # jku, x5u and jwk of the header are never followed: keys come from the issuer
            if key is None or str(header.get("typ", "")).lower() not in issuer.types:
                raise InvalidToken
            claims = _claims(token, issuer, key)
            return float(claims["exp"]), await issuer.identify(claims)
        except jwt.ExpiredSignatureError:
            raise TokenExpired from None
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError):
            raise InvalidToken from None

    def _issuer_of(self, token: str) -> Issuer:
        # unverified: it only chooses the keys and rules that the token must then satisfy
        name = jwt.decode(token, options={"verify_signature": False}).get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            raise InvalidToken
        return issuer


def _claims(token: str, issuer: Issuer, key: Any) -> dict[str, Any]:
    return jwt.decode(
        token,
        key,
        algorithms=list(issuer.algorithms),
        audience=issuer.audience,
        issuer=issuer.name,
        leeway=LEEWAY,
        options={
            "require": ["exp", "iat", "sub", "iss", "aud"],
            "enforce_minimum_key_length": True,
        },
    )
