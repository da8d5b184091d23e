"""Passwords: hashed with argon2id, by a few threads, and never compared faster for strangers."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from core.errors import AppError

P = ParamSpec("P")
R = TypeVar("R")

# OWASP's first choice: 19 MiB, two passes, one lane; about 30 ms
_HASHER = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))

#: Hashing is CPU work outside of the GIL: more threads would only starve the event loop.
THREADS = 2
#: About three seconds of work; whoever comes later is told so at once.
MAX_WAITING = 200


class SignInBusy(AppError):
    """Too many people sign in at this moment; try again in a few seconds."""

    status, code, retryable = 503, "SIGN_IN_BUSY", True


class Passwords:
    """Hashing in threads of its own, so that neither loop nor other threads wait for it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._waiting = 0
        # compared with when there is no such account; its password is not known to anybody
        self._decoy = _HASHER.hash(secrets.token_urlsafe(32))

    async def hash(self, password: str) -> str:
        """The form in which `password` may be stored."""
        return await self._run(_HASHER.hash, _normal(password))

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether `password` is the stored one, and a better hash if there is one by now.

        With nothing stored the same work is done, so that time does not tell who has an account.
        """
        fits, renewed = await self._run(
            _HASHER.verify_and_update, _normal(password), stored or self._decoy
        )
        return (fits, renewed) if stored else (False, None)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        if self._waiting >= MAX_WAITING:
            raise SignInBusy(retry_after_s=3)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, partial(work, *args, **kwargs))
        finally:
            self._waiting -= 1


def _normal(password: str) -> str:
    # one keyboard sends "é" as one character, another as two (NIST SP 800-63B)
    return unicodedata.normalize("NFKC", password)
