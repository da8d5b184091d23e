"""Access tokens: what they hold, and every forgery that must not open the door."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.ids import new_id
from core.settings import Settings
from services.tokens import Identity, InvalidToken, KeyRing, OwnIssuer, Verifier, mint
from tests.conftest import User
from tests.stack import Stores

ME = "/api/v1/auth/me"
JWKS = "/.well-known/jwks.json"


def _b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@pytest.fixture
def keys(stores: Stores) -> KeyRing:
    return KeyRing.from_pem(stores.key_file.read_text())


@pytest.fixture
def claims(user: User) -> dict[str, Any]:
    """The claims of a good token."""
    return jwt.decode(user.tokens["access_token"], options={"verify_signature": False})


class TestGoodToken:
    async def test_holds_what_the_contract_says(
        self, http: httpx2.AsyncClient, user: User, claims: dict[str, Any]
    ) -> None:
        token = user.tokens["access_token"]
        header = jwt.get_unverified_header(token)
        (key,) = (await http.get(JWKS)).json()["keys"]
        assert header == {"alg": "EdDSA", "typ": "at+jwt", "kid": key["kid"]}
        assert set(claims) == {"iss", "aud", "sub", "sid", "role", "iat", "exp", "jti"}
        assert claims["sub"] == user.id
        assert claims["exp"] - claims["iat"] == 900

    async def test_can_be_checked_with_the_published_key(
        self, http: httpx2.AsyncClient, user: User
    ) -> None:
        answer = await http.get(JWKS)
        assert answer.headers["cache-control"] == "public, max-age=300"
        published = jwt.PyJWKSet.from_dict(answer.json())
        token = user.tokens["access_token"]
        key = published[jwt.get_unverified_header(token)["kid"]]
        audience = Settings().jwt_audience
        assert jwt.decode(token, key, algorithms=["EdDSA"], audience=audience)["sub"] == user.id

    async def test_the_key_id_is_the_thumbprint(self, http: httpx2.AsyncClient) -> None:
        answer = (await http.get(JWKS)).json()
        (key,) = answer["keys"]
        assert set(key) == {"kty", "crv", "x", "kid", "alg", "use"}
        canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{key["x"]}"}}'
        assert key["kid"] == _b64(hashlib.sha256(canonical.encode()).digest())


Forge = Callable[[dict[str, Any], KeyRing], str]


def _signed(claims: dict[str, Any], keys: KeyRing, **headers: Any) -> str:
    headers = {"typ": "at+jwt", "kid": keys.signing_id} | headers
    headers = {name: value for name, value in headers.items() if value is not None}
    return jwt.encode(claims, keys.signing, algorithm="EdDSA", headers=headers)


def _by_hand(claims: dict[str, Any], keys: KeyRing) -> str:
    """Signed well, with claims that the library would not write."""
    head = {"alg": "EdDSA", "typ": "at+jwt", "kid": keys.signing_id}
    signed = f"{_b64(json.dumps(head).encode())}.{_b64(json.dumps(claims).encode())}"
    return f"{signed}.{_b64(keys.signing.sign(signed.encode()))}"


def _hs256(claims: dict[str, Any], keys: KeyRing, secret: bytes) -> str:
    head = {"alg": "HS256", "typ": "at+jwt", "kid": keys.signing_id}
    signed = f"{_b64(json.dumps(head).encode())}.{_b64(json.dumps(claims).encode())}"
    return f"{signed}.{_b64(hmac.digest(secret, signed.encode(), 'sha256'))}"


def _public(keys: KeyRing, encoding: serialization.Encoding) -> bytes:
    form = (
        serialization.PublicFormat.Raw
        if encoding is serialization.Encoding.Raw
        else serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return keys.signing.public_key().public_bytes(encoding, form)


def _unsigned(claims: dict[str, Any], keys: KeyRing) -> str:
    head = {"alg": "none", "typ": "at+jwt", "kid": keys.signing_id}
    return f"{_b64(json.dumps(head).encode())}.{_b64(json.dumps(claims).encode())}."


def _tampered(claims: dict[str, Any], keys: KeyRing) -> str:
    head, _, signature = _signed(claims, keys).split(".")
    other = _b64(json.dumps(claims | {"sub": str(new_id())}).encode())
    return f"{head}.{other}.{signature}"


def _without(claims: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in claims.items() if key != name}


_stranger = KeyRing(Ed25519PrivateKey.generate())
_NOW = int(time.time())

FORGERIES: dict[str, Forge] = {
    "nothing": lambda c, k: "x",
    "no token": lambda c, k: "a.b.c",
    "unsigned": _unsigned,
    "tampered": _tampered,
    "HS256 with the public key as PEM": lambda c, k: _hs256(
        c, k, _public(k, serialization.Encoding.PEM)
    ),
    "HS256 with the raw public key": lambda c, k: _hs256(
        c, k, _public(k, serialization.Encoding.Raw)
    ),
    "somebody else's key, our kid": lambda c, k: _signed(c, _stranger, kid=k.signing_id),
    "somebody else's key, their kid": lambda c, k: _signed(c, _stranger),
    "their key in the header": lambda c, k: _signed(
        c, _stranger, kid=k.signing_id, jwk=_stranger.jwks()["keys"][0], jku="http://evil.example"
    ),
    "no kid": lambda c, k: _signed(c, k, kid=None),
    "unknown kid": lambda c, k: _signed(c, k, kid="unknown"),
    "type JWT": lambda c, k: _signed(c, k, typ="JWT"),
    "no type": lambda c, k: _signed(c, k, typ=None),
    "another audience": lambda c, k: _signed(c | {"aud": "another"}, k),
    "another issuer": lambda c, k: _signed(c | {"iss": "another"}, k),
    "issuer as a list": lambda c, k: _by_hand(c | {"iss": [c["iss"]]}, k),
    "expired": lambda c, k: _signed(c | {"exp": _NOW - 60}, k),
    "from the future": lambda c, k: _signed(c | {"iat": _NOW + 600, "exp": _NOW + 900}, k),
    "not yet valid": lambda c, k: _signed(c | {"nbf": _NOW + 600}, k),
    "subject of another kind": lambda c, k: _signed(c | {"sub": "admin"}, k),
    **{
        f"without {name}": lambda c, k, name=name: _signed(_without(c, name), k)  # type: ignore[misc]
        for name in ("exp", "iat", "sub", "iss", "aud")
    },
}


class TestForgedToken:
    @pytest.mark.parametrize("name", FORGERIES)
    async def test_is_refused(
        self, name: str, http: httpx2.AsyncClient, claims: dict[str, Any], keys: KeyRing
    ) -> None:
        token = FORGERIES[name](claims, keys)
        answer = await http.get(ME, headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        expected = "TOKEN_EXPIRED" if name == "expired" else "INVALID_TOKEN"
        assert answer.json()["error_code"] == expected

    async def test_the_same_claims_signed_well_are_accepted(
        self, http: httpx2.AsyncClient, claims: dict[str, Any], keys: KeyRing
    ) -> None:
        headers = {"authorization": f"Bearer {_signed(claims, keys)}"}
        assert (await http.get(ME, headers=headers)).status_code == 200

    @pytest.mark.parametrize("header", ["", "Bearer", "Basic YTpi", "Token x"])
    async def test_no_token_at_all_is_refused(self, header: str, http: httpx2.AsyncClient) -> None:
        answer = await http.get(ME, headers={"authorization": header})
        assert answer.status_code == 401
        assert answer.json()["error_code"] == "UNAUTHENTICATED"

    async def test_a_refresh_token_is_none(self, http: httpx2.AsyncClient, user: User) -> None:
        headers = {"authorization": f"Bearer {user.tokens['refresh_token']}"}
        assert (await http.get(ME, headers=headers)).status_code == 401


class TestKeys:
    def _pem(self, key: Ed25519PrivateKey) -> str:
        return key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    async def test_an_older_key_stays_published_during_a_rotation(self, stores: Stores) -> None:
        settings, old, new = Settings(), Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        public = old.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        before = KeyRing(old)
        for rest in (self._pem(old), public.decode()):
            ring = KeyRing.from_pem(self._pem(new) + rest)
            assert [key["kid"] for key in ring.jwks()["keys"]] == [
                ring.signing_id,
                before.signing_id,
            ]
            verifier = Verifier([OwnIssuer(settings, ring)])
            who = Identity(new_id(), new_id(), "user")
            assert await verifier.identify(mint(settings, before, who)) == who
            assert await verifier.identify(mint(settings, ring, who)) == who
        with pytest.raises(InvalidToken):
            await Verifier([OwnIssuer(settings, KeyRing(new))]).identify(
                mint(settings, before, who)
            )

    def test_the_setting_may_be_one_line(self, stores: Stores) -> None:
        pem = self._pem(Ed25519PrivateKey.generate())
        one_line = pem.replace("\n", "\\n")
        settings = Settings(jwt_private_key=one_line, jwt_private_key_file=None)
        assert KeyRing.from_settings(settings).signing_id == KeyRing.from_pem(pem).signing_id

    @pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN X-----\nAA\n-----END X-----"])
    def test_a_broken_key_is_an_error(self, text: str) -> None:
        with pytest.raises(ValueError):
            KeyRing.from_pem(text)

    def test_without_a_setting_a_key_is_made(self, stores: Stores) -> None:
        settings = Settings(jwt_private_key=None, jwt_private_key_file=None)
        first, second = KeyRing.from_settings(settings), KeyRing.from_settings(settings)
        assert first.signing_id != second.signing_id

    def test_the_successor_depends_on_token_and_key(self) -> None:
        one = KeyRing(Ed25519PrivateKey.generate())
        again, other = KeyRing(one.signing), KeyRing(Ed25519PrivateKey.generate())
        assert one.successor("a") == again.successor("a")
        assert len({one.successor("a"), one.successor("b"), other.successor("a")}) == 3
        assert len(base64.urlsafe_b64decode(one.successor("a") + "=")) == 32
