"""Secrets as they are stored: opened by our key only, and only for their endpoint."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr
from standardwebhooks import Webhook

from core.ids import new_id
from core.settings import Settings
from services.webhooks.vault import NoSealingKey, SecretUnreadable, Vault, new_secret, signed


def pem() -> str:
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def vault(text: str | None) -> Vault:
    values: dict[str, Any] = {"database_url": "postgresql://x/y", "jwt_private_key_file": None}
    key = None if text is None else SecretStr(text)
    return Vault.from_settings(Settings(**values, jwt_private_key=key))


class TestASecret:
    def test_is_long_random_and_of_the_known_form(self) -> None:
        ours, other = new_secret(), new_secret()
        assert ours != other
        assert len(base64.b64decode(ours.removeprefix("whsec_"))) == 32

    def test_is_sealed_for_its_endpoint(self) -> None:
        endpoint, secret, ours = new_id(), new_secret(), vault(pem())
        sealed = ours.seal(endpoint, secret)
        assert ours.open(endpoint, sealed) == secret
        assert secret.encode() not in sealed
        assert sealed != ours.seal(endpoint, secret)
        with pytest.raises(SecretUnreadable):
            ours.open(new_id(), sealed)
        with pytest.raises(SecretUnreadable):
            vault(pem()).open(endpoint, sealed)
        with pytest.raises(SecretUnreadable):
            ours.open(endpoint, sealed[:-1] + bytes([sealed[-1] ^ 1]))

    def test_survives_a_new_key_while_the_old_one_stays_behind_it(self) -> None:
        endpoint, secret, old, new = new_id(), new_secret(), pem(), pem()
        sealed = vault(old).seal(endpoint, secret)
        both = vault(new + old)
        assert both.open(endpoint, sealed) == secret
        assert vault(new).open(endpoint, both.seal(endpoint, secret)) == secret

    def test_needs_a_lasting_key(self) -> None:
        with pytest.raises(NoSealingKey):
            vault(None).seal(new_id(), new_secret())

    def test_may_come_in_one_line_or_in_a_file(self, tmp_path: Path) -> None:
        endpoint, text = new_id(), pem()
        sealed = vault(text).seal(endpoint, "whsec_x")
        assert vault(text.replace("\n", "\\n")).open(endpoint, sealed) == "whsec_x"


def test_a_signature_for_each_secret_verifies() -> None:
    new, old = new_secret(), new_secret()
    headers = signed([new, old], "msg_1", datetime.now(UTC), '{"a":"ä"}')
    for secret in (new, old):
        assert Webhook(secret).verify('{"a":"ä"}'.encode(), headers) == {"a": "ä"}
    assert len(headers["webhook-signature"].split(" ")) == 2
