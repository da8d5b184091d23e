"""The data folder of a stack: lock, secrets, logs, remembered ports."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from pathlib import Path

from local import ports
from local.place import UnusableFolder, write_for
from local.postgres import ROLES

LOG_LIMIT = 20_000_000


class AlreadyRunning(UnusableFolder):
    """Another supervisor holds the folder."""


class DataDir:
    """Opened once per supervisor; the lock is held until the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        try:
            if not self.path.exists():
                # a server that root runs as somebody else has to pass through, not to read
                self.path.mkdir(parents=True, mode=0o711 if os.geteuid() == 0 else 0o700)
            for name in ("logs", "run"):
                (self.path / name).mkdir(mode=0o700, exist_ok=True)
            self._lock = self._take_lock()
        except AlreadyRunning:
            raise
        except OSError as error:
            raise UnusableFolder(f"{self.path} cannot hold the data: {error}") from error
        try:
            self.secrets = self._load_secrets()
        except (OSError, ValueError) as error:
            self.close()
            raise UnusableFolder(f"{self.path}/secrets.json is unreadable: {error}") from error

    @property
    def run(self) -> Path:
        return self.path / "run"

    def log(self, name: str) -> Path:
        return self.path / "logs" / f"{name}.log"

    def close(self) -> None:
        """Lets others in."""
        os.close(self._lock)

    def _take_lock(self) -> int:
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(lock, 20).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            raise AlreadyRunning(f"{self.path} is in use: process {holder} runs there") from error
        os.truncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        return lock

    def _load_secrets(self) -> dict[str, str]:
        path = self.path / "secrets.json"
        known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        missing = {name for name in (*ROLES, "valkey", "flower", "metrics") if name not in known}
        if missing:
            known |= {name: secrets.token_urlsafe(24) for name in missing}
            write_for(path, json.dumps(known, indent=2), None)
        return known

    def signing_key(self) -> Path:
        """An Ed25519 key; a new one would sign everybody out, so it is made once."""
        path = self.path / "jwt.pem"
        if not path.exists():
            # loaded on the first run only
            from cryptography.hazmat.primitives import serialization
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

            pem = Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            write_for(path, pem.decode(), None)
        return path

    def port(self, name: str) -> int:
        """The port of the last time while it is free, so that a noted address stays right."""
        path = self.path / "ports.json"
        try:
            known: dict[str, int] = json.loads(path.read_text())
        except (OSError, ValueError):
            known = {}
        if not ports.is_free(known.get(name, -1)):
            known[name] = ports.free_port()
            write_for(path, json.dumps(known), None)
        return known[name]

    def turn_logs(self) -> None:
        """A log tells of one run; the one before is kept."""
        for log in (self.path / "logs").glob("*.log"):
            log.replace(log.with_suffix(".log.1"))

    def trim_logs(self) -> None:
        """Copies and truncates: the writers hold the file open, in append mode, for ever."""
        for log in (self.path / "logs").glob("*.log"):
            if log.stat().st_size > LOG_LIMIT:
                log.with_suffix(".log.1").write_bytes(log.read_bytes())
                os.truncate(log, 0)
