"""A client's way of asking: again until somebody answers as they must, and remembering it."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import httpx2

from tests.chaos.testimony import Testimony

#: No answer within this is none. Seconds.
TIMEOUT_S = 6.0
PASSWORD = "correct horse battery"
#: Never right for what the crowd asks: all of it is well formed, and its own.
NEVER = (400, 403, 404, 405, 410, 413, 415, 422, 500)


class Unanswered(Exception):
    """The campaign ended before anybody answered as they must."""


class Asking:
    """One account, known to all the addresses of the API."""

    def __init__(self, urls: list[str], rng: random.Random, told: Testimony) -> None:
        self.http = httpx2.AsyncClient(timeout=TIMEOUT_S)
        #: Monotonic time after which an unanswered request is a broken promise.
        self.give_up_at = time.monotonic() + 120
        self.user_id = UUID(int=0)
        self._urls = urls
        self._rng = rng
        self._told = told
        self._account = {"email": f"{uuid4()}@example.com", "password": PASSWORD}

    def url(self) -> str:
        """Any of the addresses."""
        return self._rng.choice(self._urls)

    @property
    def over(self) -> bool:
        return time.monotonic() > self.give_up_at

    async def sign_up(self) -> None:
        """
        Raises:
            Unanswered
        """
        # a sign-up whose answer was lost has made the account all the same
        answer = await self.insist("POST", "/auth/signup", (201, 409), json=self._account)
        if answer.status_code == 409:
            answer = await self.insist("POST", "/auth/login", (200,), json=self._account)
        self._take(answer)
        self.user_id = UUID(answer.json()["data"]["user"]["id"])

    async def insist(
        self, method: str, path: str, good: tuple[int, ...], **more: Any
    ) -> httpx2.Response:
        """Ask until one of the good statuses answers.

        Raises:
            Unanswered
        """
        last = "nothing"
        while not self.over:
            try:
                answer = await self.http.request(method, f"{self.url()}/api/v1{path}", **more)
            except httpx2.HTTPError as error:
                last = type(error).__name__
            else:
                last = str(answer.status_code)
                self._judge(method, path, answer)
            self._told.answers[last] += 1
            if last.isdecimal() and int(last) in good:
                return answer
            if last == "401":
                await self._sign_in_again()
            await asyncio.sleep(self._rng.uniform(0.05, 0.4))
        self._told.wrong.append(f"{method} {path}: no answer to the end, at last {last}")
        raise Unanswered

    def _judge(self, method: str, path: str, answer: httpx2.Response) -> None:
        status = answer.status_code
        if status in NEVER:
            self._told.wrong.append(f"{method} {path}: {status} {answer.text[:300]}")
        elif status == 503 and "retry-after" not in answer.headers:
            self._told.wrong.append(f"{method} {path}: 503 without Retry-After")

    async def _sign_in_again(self) -> None:
        """Access tokens last 15 minutes, a campaign may last longer."""
        with suppress(httpx2.HTTPError):
            answer = await self.http.post(f"{self.url()}/api/v1/auth/login", json=self._account)
            if answer.status_code == 200:
                self._take(answer)

    def _take(self, answer: httpx2.Response) -> None:
        token = answer.json()["data"]["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
