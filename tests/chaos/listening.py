"""A client's followers: they are cut off, leave by themselves, and resume where they were."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from contextlib import suppress
from typing import Any
from uuid import UUID

import httpx2

from tests.chaos.asking import TIMEOUT_S, Asking, Unanswered
from tests.chaos.testimony import Story, Testimony, Wide
from tests.sse import Frame, frames

ENDS = ("job.succeeded", "job.failed", "job.cancelled", "job.expired")
#: A silent stream is left and resumed after this; the server's own ping comes every 15 s.
SILENT_S = 10.0
STREAM_TIMEOUT = httpx2.Timeout(TIMEOUT_S, read=SILENT_S)


class Listening:
    """All that one user follows."""

    def __init__(self, asking: Asking, rng: random.Random, told: Testimony) -> None:
        self._asking = asking
        self._rng = rng
        self._told = told
        self.wide = Wide(asking.user_id)
        told.wides.append(self.wide)
        self._cursor = ""
        #: Set once the stream of all jobs has a place, however it goes on.
        self.placed = asyncio.Event()
        self._news = asyncio.Event()

    async def follow(self, job_id: UUID) -> None:
        """Every event of one job, to the terminal one."""
        story = Story(self._asking.user_id, job_id)
        self._told.stories.append(story)
        while not self._asking.over:
            headers = {"Last-Event-ID": str(story.numbers[-1])} if story.numbers else {}
            status = await self._connect(
                f"/jobs/{job_id}/events", headers, lambda frame: self._in_story(story, frame)
            )
            story.connections += status == 200
            if status == 204:
                return
            if story.last_type in ENDS and self._rng.random() < 0.8:
                return  # the others come back once more, to be told that it is over
            await asyncio.sleep(self._rng.uniform(0.02, 0.3))

    async def follow_all(self) -> None:
        """Every event of all jobs of the user, until cancelled."""
        while not self._asking.over:
            headers = {"Last-Event-ID": self._cursor} if self._cursor else {}
            status = await self._connect("/events", headers, self._in_wide)
            self.wide.connections += status == 200
            await asyncio.sleep(self._rng.uniform(0.02, 0.3))

    async def heard_all(self, within_s: float) -> None:
        """Wait until the stream of all jobs has told every end, or the time is over."""
        # after the end of all patience the oracle has its answer already
        left = 0.0 if self._asking.over else within_s
        with suppress(TimeoutError):
            async with asyncio.timeout(left):
                while self.wide.promised - self.wide.ended:
                    self._news.clear()
                    await self._news.wait()

    async def _connect(self, path: str, headers: dict[str, str], take: Any) -> int:
        """One connection from its beginning to whatever ends it; its status, 0 for none."""
        status = 0
        # most stay, some leave in the middle of it
        stay_s = self._rng.uniform(0.1, 6) if self._rng.random() < 0.4 else 60.0
        try:
            async with (
                asyncio.timeout(stay_s),
                self._asking.http.stream(
                    "GET",
                    f"{self._asking.url()}/api/v1{path}",
                    headers=headers,
                    timeout=STREAM_TIMEOUT,
                ) as answer,
            ):
                status = answer.status_code
                self._told.answers[str(status)] += 1
                if status in (404, 422, 500):
                    text = (await answer.aread()).decode(errors="replace")
                    self._told.wrong.append(f"GET {path} {headers}: {status} {text[:200]}")
                if status == 200:
                    async for frame in frames(answer):
                        take(frame)
        except (httpx2.HTTPError, TimeoutError):
            pass
        except AssertionError as error:
            self._told.wrong.append(f"GET {path}: {error}")
        return status

    def _in_story(self, story: Story, frame: Frame) -> None:
        if not frame.lines:
            return
        about = frame.data
        if str(story.job_id) not in (about.get("job_id"), about.get("id")):
            self._told.foreign.append(f"the stream of {story.job_id} told of {about}"[:300])
        if frame.id is not None:
            story.numbers.append(frame.seq)
            story.last_type = frame.event
        if frame.event in ENDS and self._rng.random() < 0.3:
            task = asyncio.create_task(self._download(about["job"]))
            _KEPT.add(task)
            task.add_done_callback(_KEPT.discard)

    def _in_wide(self, frame: Frame) -> None:
        if not self._cursor and (frame.comment or "").startswith("follow"):
            self.wide.placed_at = time.monotonic()
            self.placed.set()
        if frame.id is None:
            return
        self._cursor = frame.id
        about = frame.data
        job_id = UUID(about["job_id"])
        self.wide.seen.append((job_id, about["seq"]))
        if frame.event in ENDS:
            self.wide.ended.add(job_id)
            self._news.set()
            if about["job"]["id"] != about["job_id"]:
                self._told.foreign.append(f"the end of {job_id} shows {about['job']['id']}")

    async def _download(self, job: dict[str, Any]) -> None:
        """The files of a job are what its log said of them."""
        for file in job["artifacts"]:
            with suppress(Unanswered):
                path = file["url"].removeprefix("/api/v1")
                answer = await self._asking.insist("GET", path, (200,))
                self._told.files += 1
                if hashlib.sha256(answer.content).hexdigest() != file["sha256"]:
                    self._told.wrong.append(f"{file['url']} is not what {job['id']} wrote")


_KEPT = set[asyncio.Task[None]]()
