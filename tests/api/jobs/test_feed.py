"""The stream of all jobs of a user: what it begins with, its order, and how it is resumed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from api.tickets import OpenTickets
from services.jobs.feed import Cursor
from tests import sse
from tests.api.conftest import Running
from tests.conftest import User
from tests.errands import Errands
from tests.sse import Frame

FEED = "/api/v1/events"


async def events(frames: AsyncIterator[Frame], count: int) -> list[Frame]:
    """The next numbered events."""
    found: list[Frame] = []
    async with asyncio.timeout(10):
        async for frame in frames:
            if frame.id is not None:
                found.append(frame)
            if len(found) == count:
                return found
    raise AssertionError(f"the stream ended after {found}")


def story(found: list[Frame]) -> list[tuple[str, int]]:
    return [(frame.data["job_id"], frame.data["seq"]) for frame in found]


class TestTheBeginning:
    async def test_is_a_snapshot_of_what_has_not_ended(self, user: User, errands: Errands) -> None:
        errands.done()
        open_ones = [errands.submit() for _ in range(3)]
        async with sse.following(user.http, FEED) as frames:
            first = await anext(frames)
            seen = [await anext(frames) for _ in open_ones]
        assert 500 <= (first.retry or 0) <= 3000
        assert [one.event for one in seen] == ["job.snapshot"] * 3
        assert [one.data["id"] for one in seen] == [str(job_id) for job_id in open_ones]
        assert [one.data["queue_position"] is not None for one in seen] == [True] * 3

    async def test_misses_nothing_that_happens_from_then_on(
        self, user: User, errands: Errands
    ) -> None:
        async with sse.following(user.http, FEED) as frames:
            await anext(frames)
            jobs = [errands.done(reports=2) for _ in range(2)]
            found = await events(frames, 10)
        assert story(found) == [(str(job), seq) for job in jobs for seq in range(1, 6)]
        assert found[-1].event == "job.succeeded"
        assert found[-1].data["job"]["status"] == "succeeded"


class TestResuming:
    async def test_from_any_event_goes_on_after_it(self, user: User, errands: Errands) -> None:
        async with sse.following(user.http, FEED) as frames:
            await anext(frames)
            jobs = [errands.done(reports=1) for _ in range(2)]
            found = await events(frames, 8)
        for number, frame in enumerate(found[:-1], 1):
            headers = {"Last-Event-ID": str(frame.id)}
            async with sse.following(user.http, FEED, headers=headers) as frames:
                rest = await events(frames, 8 - number)
            assert story(rest) == story(found)[number:]
            assert [one.id for one in rest] == [one.id for one in found[number:]]
        query = f"{FEED}?starting_after={found[5].id}"
        async with sse.following(user.http, query) as frames:
            assert story(await events(frames, 2)) == story(found)[6:]
        assert len(jobs) == 2

    @pytest.mark.parametrize("cursor", ["7", "nonsense", "_" * 38, "é"])
    async def test_from_nonsense_is_refused(self, user: User, cursor: str) -> None:
        answer = await user.http.get(FEED, params={"starting_after": cursor})
        assert (answer.status_code, list(answer.json()["field_errors"])) == (
            422,
            ["starting_after"],
        )

    async def test_with_anothers_place_shows_the_own_jobs_only(
        self, user: User, errands: Errands, sign_up: Any
    ) -> None:
        stranger = await sign_up()
        beginning = str(Cursor(0, UUID(int=0), 0))
        own = errands.done(reports=0)
        theirs = Errands(errands.lab, stranger.id).done(reports=0)
        for who, job in ((user, own), (stranger, theirs)):
            headers = {"Last-Event-ID": beginning}
            async with sse.following(who.http, FEED, headers=headers) as frames:
                assert story(await events(frames, 3)) == [(str(job), n) for n in (1, 2, 3)]


class TestTags:
    async def test_choose_jobs(self, user: User, errands: Errands) -> None:
        async with sse.following(user.http, f"{FEED}?tag=trip:1") as frames:
            await anext(frames)
            errands.done(reports=0, tags=["trip:2"])
            wanted = errands.done(reports=0, tags=["trip:1", "x"])
            found = await events(frames, 3)
        assert story(found) == [(str(wanted), n) for n in (1, 2, 3)]


class TestALateCommit:
    async def test_is_neither_skipped_nor_shown_out_of_order(
        self, user: User, errands: Errands
    ) -> None:
        """What an older transaction still writes holds back all that came after its id."""
        slow, quick = errands.submit(), errands.submit()
        insert = (
            "INSERT INTO job_events (job_id, owner_id, seq, type, data) SELECT id, owner_id, 2,"
            """ 'job.progress', '{"progress": {}}' FROM jobs WHERE id = %s"""
        )
        async with sse.following(user.http, FEED) as frames:
            for _ in range(3):
                await anext(frames)
            with errands.lab.stores.sql() as older, errands.lab.stores.sql() as newer:
                older.execute("BEGIN")
                older.execute("SELECT pg_current_xact_id()")
                newer.execute(insert, (quick,))
                await asyncio.sleep(1.5)  # longer than a sweep; it must not have come
                pending = asyncio.ensure_future(events(frames, 2))
                await asyncio.sleep(0.2)
                assert not pending.done()
                older.execute(insert, (slow,))
                older.execute("COMMIT")
                found = await pending
        assert story(found) == [(str(slow), 2), (str(quick), 2)]

    async def test_keeps_the_order_of_a_job_whose_writers_overtook_each_other(
        self, user: User, errands: Errands
    ) -> None:
        job_id = errands.submit()
        write = (
            "INSERT INTO job_events (job_id, owner_id, seq, type, data) SELECT id, owner_id, %s,"
            """ 'job.progress', '{"progress": {}}' FROM jobs WHERE id = %s"""
        )
        async with sse.following(user.http, FEED) as frames:
            with errands.lab.stores.sql() as older, errands.lab.stores.sql() as newer:
                older.execute("BEGIN")
                older.execute("SELECT pg_current_xact_id()")
                newer.execute(write, (2, job_id))
                older.execute(write, (3, job_id))
                older.execute("COMMIT")
            found = await events(frames, 2)
        assert story(found) == [(str(job_id), 2), (str(job_id), 3)]


class TestTickets:
    async def ticket(self, user: User, **body: Any) -> str:
        answer = await user.http.post("/api/v1/stream-tickets", json=body)
        assert answer.status_code == 201, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return str(answer.json()["data"]["ticket"])

    async def test_open_the_one_stream_they_were_made_for_again_and_again(
        self, user: User, errands: Errands, http: Any
    ) -> None:
        job_id, other = errands.done(), errands.done()
        ticket = await self.ticket(user, job_id=str(job_id))
        path = f"/api/v1/jobs/{job_id}/events?ticket={ticket}"
        for _ in range(2):
            found = await sse.whole(http, path)
            assert found[-1].event == "job.succeeded"
        end = {"Last-Event-ID": str(found[-1].id)}
        assert (await http.get(path, headers=end)).status_code == 204
        for wrong in (f"/api/v1/jobs/{other}/events", FEED, f"/api/v1/jobs/{job_id}"):
            assert (await http.get(f"{wrong}?ticket={ticket}")).status_code == 401

    async def test_of_all_jobs_open_the_feed(self, user: User, errands: Errands, http: Any) -> None:
        ticket = await self.ticket(user)
        async with sse.following(http, f"{FEED}?ticket={ticket}") as frames:
            await anext(frames)
            job_id = errands.done(reports=0)
            assert story(await events(frames, 3))[0] == (str(job_id), 1)

    async def test_of_somebody_elses_job_are_not_given(
        self, errands: Errands, sign_up: Any
    ) -> None:
        stranger = await sign_up()
        answer = await stranger.http.post(
            "/api/v1/stream-tickets", json={"job_id": str(errands.submit())}
        )
        assert answer.status_code == 404

    async def test_end_a_minute_after_they_were_made_and_ten_after_their_use(
        self, user: User, errands: Errands, http: Any
    ) -> None:
        ticket = await self.ticket(user)
        path = f"{FEED}?ticket={ticket}"
        left = (
            "SELECT extract(epoch FROM expires_at - now())::float8 FROM stream_tickets"
            " WHERE owner_id = %s"
        )
        owner = UUID(user.id)
        assert 50 < errands.lab.stores.one(left, owner) <= 60
        async with sse.following(http, path) as frames:
            await anext(frames)
            assert 590 < errands.lab.stores.one(left, owner) <= 600
        with errands.lab.stores.sql() as connection:
            connection.execute("UPDATE stream_tickets SET expires_at = now()")
        assert (await http.get(path)).status_code == 401

    async def test_last_as_long_as_their_streams(
        self, user: User, errands: Errands, errand_app: FastAPI, running: Running
    ) -> None:
        ticket = await self.ticket(user)
        async with running(errand_app):
            await self._kept(errands, user, errand_app.state.engine_room.tickets, ticket)

    async def _kept(self, errands: Errands, user: User, tickets: OpenTickets, ticket: str) -> None:
        holder = await tickets.holder(ticket, None)
        used = "SELECT expires_at FROM stream_tickets WHERE owner_id = %s"
        before = errands.lab.stores.one(used, UUID(user.id))
        with tickets.holding(holder):
            await tickets._keep()
        kept = errands.lab.stores.one(used, UUID(user.id))
        await tickets._keep()
        assert before < kept == errands.lab.stores.one(used, UUID(user.id))
