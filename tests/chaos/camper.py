"""One user of the campaign: submits, follows, cancels, finishes, tries again, and pries."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import httpx2

from tests.chaos import errands
from tests.chaos.asking import Asking, Unanswered
from tests.chaos.errands import Errand
from tests.chaos.listening import Listening
from tests.chaos.testimony import Testimony


class Camper:
    """Lives until it is told to stop, then sees through whatever it has begun."""

    def __init__(self, urls: list[str], rng: random.Random, told: Testimony) -> None:
        self._rng = rng
        self._told = told
        self._asking = Asking(urls, rng, told)
        self._listening: Listening | None = None
        self._tasks = set[asyncio.Task[None]]()

    async def arrive(self) -> None:
        """Sign up, before anything is broken.

        Raises:
            Unanswered
        """
        await self._asking.sign_up()
        self._listening = Listening(self._asking, self._rng, self._told)

    async def live(
        self,
        going: Callable[[], bool],
        give_up_at: float,
        every_s: float,
        draw: errands.Draw = errands.draw,
    ) -> None:
        """Run errands while the campaign goes on, and see all of them through.

        Args:
            give_up_at: monotonic time after which an unanswered request is a broken promise.
            every_s: mean time between two errands.
        """
        assert self._listening is not None
        self._asking.give_up_at = give_up_at
        following = asyncio.create_task(self._listening.follow_all())
        await self._listening.placed.wait()
        while going():
            self._begin(self._run(draw(self._rng)))
            if self._rng.random() < 0.05:
                self._begin(self._pry())
            await asyncio.sleep(min(self._rng.expovariate(1 / every_s), 4 * every_s))
        while self._tasks:
            await asyncio.gather(*self._tasks)
        # all have ended or the campaign has: what is not told now was lost
        await self._listening.heard_all(within_s=15)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    async def close(self) -> None:
        await self._asking.http.aclose()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, errand: Errand) -> None:
        """One errand, from the submit to the end of its job."""
        with suppress(Unanswered):
            job_id = await self._submit(errand)
            await asyncio.sleep(errand.after_s)
            if errand.then in ("cancel", "finish"):
                # 409: it has ended, or its kind improves nothing
                path = f"/jobs/{job_id}/{errand.then}"
                await self._asking.insist("POST", path, (200, 202, 409))
            await self._ended(job_id)
            if errand.then == "retry":
                again = Errand(f"/jobs/{job_id}/retry", {}, followed=errand.followed)
                await self._ended(await self._submit(again))

    async def _submit(self, errand: Errand) -> UUID:
        """The job that the errand became, whichever of its copies was answered first."""
        assert self._listening is not None
        key, began = str(uuid4()), time.monotonic()
        headers = {**errand.headers, "Idempotency-Key": key}
        copies = [
            self._asking.insist(
                "POST", errand.path, (202,), json=errand.body or None, headers=headers
            )
            for _ in range(errand.copies)
        ]
        answers = await asyncio.gather(*copies)
        made = {UUID(answer.json()["data"]["id"]) for answer in answers}
        self._told.keys.setdefault(key, set()).update(made)
        for job_id in made:
            self._told.accepted[job_id] = self._asking.user_id
            self._listening.wide.asked[job_id] = began
        job_id = min(made)
        if errand.followed:
            self._begin(self._listening.follow(job_id))
        return job_id

    async def _ended(self, job_id: UUID) -> None:
        """Poll until the job has ended, as a client without a stream does."""
        etag, pause_s = "", 0.5
        while not self._asking.over:  # one that never ends is for the oracle to see
            answer = await self._asking.insist(
                "GET", f"/jobs/{job_id}", (200, 304), headers={"If-None-Match": etag}
            )
            etag = answer.headers["etag"]
            if answer.status_code == 200:
                job = answer.json()["data"]
                if job["id"] != str(job_id):
                    self._told.foreign.append(f"asked for {job_id}, was shown {job['id']}")
                if job["finished_at"] is not None:
                    return
            # the longer a job takes, the more rarely it is asked for
            await asyncio.sleep(self._rng.uniform(0.5, 1) * pause_s)
            pause_s = min(6.0, pause_s * 1.5)

    async def _pry(self) -> None:
        """Ask for somebody else's job, and for its stream: neither may be there."""
        others = [j for j, owner in self._told.accepted.items() if owner != self._asking.user_id]
        if not others:
            return
        job_id = self._rng.choice(others)
        for path in (f"/jobs/{job_id}", f"/jobs/{job_id}/events"):
            with suppress(httpx2.HTTPError):
                answer = await self._asking.http.get(f"{self._asking.url()}/api/v1{path}")
                self._told.answers[f"pried: {answer.status_code}"] += 1
                if answer.status_code < 400:
                    self._told.foreign.append(f"{self._asking.user_id} was shown {path}")
