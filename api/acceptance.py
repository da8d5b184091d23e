"""How an endpoint accepts work, and what it answers: the job as it is now."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import Depends, Request, Response
from pydantic import BaseModel

from api.deps import CurrentUser, Services, services_in
from api.engine_room import EngineRoom, room_in
from api.intake import Wanted
from api.limits import SUBMITS
from api.terms import Terms, read_terms
from core.database import Steps, perform_async
from core.kind import Kind
from core.tracing import current_traceparent
from services.idempotency import IdempotencyKey
from services.jobs import views
from services.jobs.batch import submit_batch
from services.jobs.submit import Entry, Fill, Limits, NewJob, Submitted, submit

#: W3C Trace Context, section 3.2.
_TRACEPARENT = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")


@dataclass(frozen=True)
class Acceptance:
    """Accepts work for one request: commits, tells the workers, answers 202."""

    request: Request
    process: Services
    room: EngineRoom
    user: CurrentUser
    terms: Terms

    async def accept(
        self, kind: Kind[Any, Any], body: BaseModel, *, tags: list[str] | None = None
    ) -> Response:
        """Submit a job of `kind` whose body is its input, and answer with it.

        Raises:
            TooManyJobs, KeyReused, KeyInFlight.
        """
        return await self.accept_wanted(kind, Wanted(body.model_dump(mode="json"), tags or []))

    async def accept_wanted(self, kind: Kind[Any, Any], wanted: Wanted) -> Response:
        """Submit what a body asks for, and answer with the job.

        Raises:
            TooManyJobs, KeyReused, KeyInFlight, or what `fill` raises.
        """
        new = self.new_job(kind, wanted.content, wanted.tags, wanted.supersedes)
        entry = self.entry
        return await self.carry_out(
            submit(
                self.user.id,
                new,
                limits=entry.limits,
                key=self.key(wanted.content),
                pace=entry.pace,
                admit=entry.admit,
                keep_days=entry.keep_days,
                fill=wanted.fill,
            )
        )

    def new_job(
        self,
        kind: Kind[Any, Any],
        content: dict[str, Any],
        tags: list[str],
        supersedes: str | None = None,
    ) -> NewJob:
        """A job on the terms that the headers say."""
        return NewJob(
            kind,
            content,
            tags,
            deadline_s=self.terms.deadline_s,
            start_within_s=self.terms.start_within_s,
            priority=self.terms.priority,
            supersedes=supersedes,
            trace=self.trace,
        )

    @property
    def entry(self) -> Entry:
        """On which conditions this request's jobs are let in."""
        return Entry(
            limits=self.limits,
            pace=self.room.hub.pace,
            admit=self.room.publisher.able,
            keep_days=self.process.settings.keep_jobs_days,
        )

    @cached_property
    def trace(self) -> str:
        """Ties the request's log and span to the run's: that of the running span where requests
        are traced, else the caller's, else a new one."""
        given = current_traceparent() or self.request.headers.get("traceparent", "")
        trace = given if _TRACEPARENT.match(given) else None
        trace = trace or f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
        structlog.contextvars.bind_contextvars(trace_id=trace.split("-")[1])
        return trace

    @property
    def limits(self) -> Limits:
        return Limits.of(self.process.settings)

    def key(self, body: Any) -> IdempotencyKey | None:
        """The caller's key with the fingerprint of this request, if one was sent."""
        if self.terms.key is None:
            return None
        request = self.request
        return IdempotencyKey.of(self.terms.key, request.method, request.url.path, body)

    async def carry_out(self, steps: Steps[Submitted]) -> Response:
        """Commit, then publish, then wait if asked to; nothing is published before the commit."""
        owner_id, databases = self.user.id, self.process.databases
        async with databases.app.transaction(owner_id) as session:
            submitted = await perform_async(session, steps)
        headers = await self.follow(submitted)
        view = None if self.terms.wait_s else submitted.view
        if view is None:
            async with databases.app.transaction(owner_id) as session:
                view = await perform_async(session, views.read(owner_id, submitted.job_id))
        return job_answer(self.room, view, status=202, headers=headers)

    async def follow(self, submitted: Submitted) -> dict[str, str]:
        """What follows the commit of a job: publish it, and wait for its end if asked to.

        Returns:
            The headers that say what was done.
        """
        if not submitted.replayed:
            await self._publish([submitted])
        self.room.feed.mark([self.user.id])
        headers = {"Idempotent-Replayed": "true"} if submitted.replayed else {}
        if self.terms.wait_s:
            headers |= await self._wait([submitted.job_id], self.terms.wait_s)
        return headers

    async def accept_batch(
        self,
        wanted: Sequence[tuple[NewJob, Fill | None]],
        content: Any,
        check: Callable[[], None],
    ) -> Response:
        """Submit all of these jobs or none, and answer with them.

        Args:
            content: what the fingerprint of an `Idempotency-Key` is taken of.
            check: called before the commit; may refuse all of them.

        Raises:
            TooManyJobs, KeyReused, KeyInFlight, or what `fill` and `check` raise.
        """
        owner_id, databases = self.user.id, self.process.databases
        steps = submit_batch(owner_id, wanted, entry=self.entry, key=self.key(content))
        async with databases.app.transaction(owner_id) as session:
            batch = await perform_async(session, steps)
            check()
        await self._publish(batch.made)
        self.room.feed.mark([owner_id])
        headers = {"Idempotent-Replayed": "true"} if batch.replayed else {}
        if self.terms.wait_s:
            headers |= await self._wait(batch.job_ids, self.terms.wait_s)
        jobs = [one.view for one in batch.made if one.view is not None]
        if batch.replayed or self.terms.wait_s or any(one.superseded for one in batch.made):
            async with databases.app.transaction(owner_id) as session:
                found = await perform_async(session, views.read_many(batch.job_ids))
            jobs = [found[job_id] for job_id in batch.job_ids if job_id in found]
        return jobs_answer(self.room, jobs, headers=headers)

    async def _publish(self, made: Sequence[Submitted]) -> None:
        """Tell the workers and all who follow, after the commit."""
        publisher = self.room.publisher
        for submitted in made:
            if submitted.message is not None:
                publisher.admitted(submitted.message)
            else:
                publisher.job_waits(submitted.lane)
            if submitted.superseded:
                publisher.jobs_changed((old, self.user.id) for old in submitted.superseded)
                publisher.deliveries_wait()
        # the publisher's thread goes first: it sends while the answer is rendered
        await asyncio.sleep(0)
        # after this answer, which speaks of the same moment as `job.queued`
        since = self.room.hub.pace.since
        asyncio.get_running_loop().call_soon(since.update, [submitted.lane for submitted in made])

    async def _wait(self, job_ids: Sequence[UUID], wait_s: int) -> dict[str, str]:
        """Wait until all have ended, at most so many seconds; the header that says so."""
        await asyncio.gather(*(self.room.hub.ended(job_id, wait_s) for job_id in job_ids))
        return {"Preference-Applied": f"wait={wait_s}"}


async def acceptance(
    request: Request, user: CurrentUser, terms: Annotated[Terms, Depends(read_terms)]
) -> Acceptance:
    """Count a request that makes work for a worker, and gather what it needs."""
    process = services_in(request)
    process.limiter.check_writes(request, user.id, SUBMITS)
    return Acceptance(request, process, room_in(request), user, terms)


#: For an endpoint that makes work: `return await work.accept(KIND, body)`.
Accept = Annotated[Acceptance, Depends(acceptance)]

#: What `responses=` says of an endpoint that makes work.
ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "Accepted; poll or stream the job.",
        "headers": {
            "Location": {"schema": {"type": "string"}, "description": "The job."},
            "Retry-After": {"schema": {"type": "integer"}, "description": "Poll after, seconds."},
            "Idempotent-Replayed": {"schema": {"type": "string"}, "description": "`true`"},
            "Preference-Applied": {"schema": {"type": "string"}, "description": "`wait=N`"},
        },
    }
}


def etag_of(view: views.JobView) -> str:
    """Status and number of the newest event: neither estimate nor position."""
    return f'"{view.status.value}-{view.seq}"'


def job_answer(
    room: EngineRoom, view: views.JobView, *, status: int = 200, headers: dict[str, str]
) -> Response:
    """A job as an answer, with the headers that say how to go on."""
    headers = {"ETag": etag_of(view), **headers}
    if status == 202:
        headers["Location"] = f"/api/v1/jobs/{view.id}"
    if view.finished_at is None:
        headers["Retry-After"] = "1"
    body = json.dumps({"data": room.render(view)}, ensure_ascii=False, separators=(",", ":"))
    return Response(body.encode(), status, headers, media_type="application/json")


def jobs_answer(
    room: EngineRoom, jobs: Sequence[views.JobView], *, headers: dict[str, str]
) -> Response:
    """Jobs that were accepted together, as the one page of a collection."""
    if any(view.finished_at is None for view in jobs):
        headers = {"Retry-After": "1", **headers}
    data = [room.render(view) for view in jobs]
    page = {"data": data, "total": len(data), "page": 1, "page_size": len(data)}
    body = json.dumps(page, ensure_ascii=False, separators=(",", ":"))
    return Response(body.encode(), 202, headers, media_type="application/json")
