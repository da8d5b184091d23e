"""Signing secrets: made, sealed for the table, opened to sign. A copy of the table opens none."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from standardwebhooks import Webhook

from core.errors import AppError
from core.settings import Settings

PREFIX = "whsec_"
#: The specification asks for 24 to 64.
SECRET_BYTES = 32
_NONCE_BYTES = 12
_PRIVATE_KEY = re.compile(r"-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----", re.DOTALL)


class NoSealingKey(AppError):
    """Webhooks need a lasting JWT key, which this installation does not have."""

    status, code = 503, "WEBHOOKS_NOT_CONFIGURED"


class SecretUnreadable(Exception):
    """No key of this installation opens the secret: the JWT key was changed."""


def new_secret() -> str:
    """A fresh signing secret, as its owner gets to see it once."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


class Vault:
    """Seals with AES-256-GCM under a key derived from the JWT key, bound to the endpoint's id.

    Each private key of the setting opens what it sealed; the first one seals.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        """
        Args:
            keys: of 32 bytes.
        """
        self._ciphers = [AESGCM(key) for key in keys]

    @classmethod
    def from_settings(cls, settings: Settings) -> Vault:
        pem = ""
        if settings.jwt_private_key:
            pem = settings.jwt_private_key.get_secret_value().replace("\\n", "\n")
        elif settings.jwt_private_key_file:
            pem = settings.jwt_private_key_file.read_text()
        return cls([_derived(block.group().encode()) for block in _PRIVATE_KEY.finditer(pem)])

    def seal(self, endpoint_id: UUID, secret: str) -> bytes:
        """
        Raises:
            NoSealingKey
        """
        if not self._ciphers:
            raise NoSealingKey
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, secret.encode(), endpoint_id.bytes)

    def open(self, endpoint_id: UUID, sealed: bytes) -> str:
        """
        Raises:
            SecretUnreadable
        """
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, text, endpoint_id.bytes).decode()
            except InvalidTag:
                continue
        raise SecretUnreadable


def _derived(pem: bytes) -> bytes:
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("the JWT signing key must be an Ed25519 private key in PEM")
    return HKDF(hashes.SHA256(), 32, None, b"webhook-secrets").derive(key.private_bytes_raw())


def signed(keys: Sequence[str], message_id: str, at: datetime, body: str) -> dict[str, str]:
    """The headers of the specification, with one signature for each secret, newest first."""
    at = at.astimezone(UTC)
    signatures = [Webhook(key).sign(message_id, at, body) for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
