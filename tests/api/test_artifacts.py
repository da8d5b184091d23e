"""Fetching a file over HTTP: whole, by range, only when changed; by its owner, while it lasts."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from core.ids import new_id
from core.settings import get_settings
from models.job import Status
from services.artifacts import links
from services.artifacts.store import Folder
from services.jobs import settle
from services.jobs.claim import Claimed
from services.tokens import KeyRing
from tasks.files import Files
from tests.api.conftest import MakeApp, Running
from tests.conftest import User
from tests.lab import DAYS, Lab
from tests.stack import Stores

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def lab(stores: Stores) -> Iterator[Lab]:
    made = Lab(stores)
    yield made
    made.close()


@dataclass
class Made:
    """An artifact of `user`, and the job behind it."""

    lab: Lab
    user: User
    claimed: Claimed
    url: str

    async def get(self, **headers: str) -> httpx2.Response:
        return await self.user.http.get(self.url, headers=headers)

    async def job(self) -> dict[str, Any]:
        answer = await self.user.http.get(f"/api/v1/jobs/{self.claimed.job_id}")
        found: dict[str, Any] = answer.json()["data"]
        return found

    @property
    def bytes_at(self) -> Path:
        location = self.lab.stores.one(
            "SELECT location FROM artifacts WHERE job_id = %s", self.claimed.job_id
        )
        return self.lab.settings.data_dir / "artifacts" / str(location)

    def past(self, table: str, seconds: float) -> None:
        with self.lab.stores.sql() as connection:
            key = "id" if table == "jobs" else "job_id"
            connection.execute(
                f"UPDATE {table} SET expires_at = now() - make_interval(secs => %s)"
                f" WHERE {key} = %s",
                (seconds, self.claimed.job_id),
            )


def make(lab: Lab, user: User, content: bytes, name: str, media_type: str) -> Made:
    claimed = lab.claim(lab.submit(UUID(user.id)).job_id, lease_s=600)
    assert claimed is not None
    files = Files(lab.engine, Folder(lab.settings.data_dir / "artifacts"), lambda _: None)
    artifact_id = files.add(claimed, name, media_type, content)
    return Made(lab, user, claimed, f"/api/v1/artifacts/{artifact_id}")


@pytest.fixture
def made(lab: Lab, user: User) -> Made:
    return make(lab, user, CONTENT, "Köln.bin", "application/x-test")


def problem(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["error_code"]


class TestTheWholeFile:
    async def test_comes_with_all_that_is_known_of_it(self, made: Made) -> None:
        answer = await made.get()
        assert answer.status_code == 200
        assert answer.content == CONTENT
        headers = answer.headers
        assert headers["content-type"] == "application/x-test"
        assert headers["content-length"] == str(len(CONTENT))
        assert headers["etag"] == f'"{SHA256}"'
        assert headers["accept-ranges"] == "bytes"
        assert headers["content-disposition"] == (
            "attachment; filename=\"Koln.bin\"; filename*=UTF-8''K%C3%B6ln.bin"
        )
        assert headers["cache-control"] == "private, max-age=86400, immutable"

    async def test_cannot_act_as_a_page(self, lab: Lab, user: User) -> None:
        page = make(lab, user, b"<script>alert(1)</script>", "a.html", "text/html")
        headers = (await page.get()).headers
        assert headers["content-type"] == "text/html"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["content-disposition"].startswith("attachment")

    async def test_is_announced_by_the_job(self, made: Made) -> None:
        (artifact,) = (await made.job())["artifacts"]
        assert artifact["url"] == made.url
        assert (artifact["sha256"], artifact["size_bytes"]) == (SHA256, len(CONTENT))
        assert artifact["expires_at"] is None

    async def test_may_be_asked_about_by_head(self, made: Made) -> None:
        got = await made.get()
        asked = await made.user.http.head(made.url, headers={"Range": "bytes=0-1"})
        assert asked.status_code == 200
        assert asked.content == b""
        varying = {"date", "x-request-id"}
        assert {n: v for n, v in asked.headers.items() if n not in varying} == {
            n: v for n, v in got.headers.items() if n not in varying
        }

    async def test_may_be_empty(self, lab: Lab, user: User) -> None:
        empty = make(lab, user, b"", "empty.txt", "text/plain")
        answer = await empty.get()
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-length"] == "0"
        assert problem(await empty.get(Range="bytes=0-")) == (416, "RANGE_NOT_SATISFIABLE")


class TestARange:
    @pytest.mark.parametrize(
        ("asked", "start", "end"),
        [
            ("bytes=0-0", 0, 1),
            ("bytes=10-19", 10, 20),
            ("bytes=10000-", 10000, 10240),
            ("bytes=10000-99999999", 10000, 10240),
            ("bytes=-5", 10235, 10240),
            ("bytes=-99999", 0, 10240),
            ("BYTES= 1-2", 1, 3),
        ],
    )
    async def test_is_answered_with_that_part(
        self, asked: str, start: int, end: int, made: Made
    ) -> None:
        answer = await made.get(Range=asked)
        assert answer.status_code == 206
        assert answer.content == CONTENT[start:end]
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/10240"
        assert answer.headers["content-length"] == str(end - start)
        assert answer.headers["etag"] == f'"{SHA256}"'

    @pytest.mark.parametrize("asked", ["bytes=10240-", "bytes=99999-100000", "bytes=-0"])
    async def test_past_the_end_is_refused(self, asked: str, made: Made) -> None:
        answer = await made.get(Range=asked)
        assert problem(answer) == (416, "RANGE_NOT_SATISFIABLE")
        assert answer.headers["content-range"] == "bytes */10240"

    @pytest.mark.parametrize(
        "asked", ["bytes=0-1,5-6", "bytes=5-1", "bytes=-", "bytes=x-y", "lines=0-1", "", "0-1"]
    )
    async def test_that_is_none_of_ours_is_passed_over(self, asked: str, made: Made) -> None:
        answer = await made.get(Range=asked)
        assert (answer.status_code, len(answer.content)) == (200, 10240)

    @pytest.mark.parametrize(
        ("tag", "status"),
        [
            (f'"{SHA256}"', 206),
            ('"another"', 200),
            (f'W/"{SHA256}"', 200),
            ("Wed, 21 Oct 2026 07:28:00 GMT", 200),
        ],
    )
    async def test_holds_only_for_the_same_file(self, tag: str, status: int, made: Made) -> None:
        answer = await made.get(**{"Range": "bytes=0-1", "If-Range": tag})
        assert answer.status_code == status


class TestAFileThatIsKnown:
    @pytest.mark.parametrize("tags", [f'"{SHA256}"', f'W/"{SHA256}"', f'"x", "{SHA256}"', "*"])
    async def test_is_not_sent_again(self, tags: str, made: Made) -> None:
        answer = await made.get(**{"If-None-Match": tags, "Range": "bytes=0-1"})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == f'"{SHA256}"'
        assert "immutable" in answer.headers["cache-control"]

    async def test_is_sent_when_it_is_another(self, made: Made) -> None:
        assert (await made.get(**{"If-None-Match": '"other"'})).status_code == 200


class TestAFileThatIsNotThere:
    async def test_looks_like_that_of_a_stranger(self, made: Made, sign_up: Any) -> None:
        stranger = await sign_up()
        foreign = await stranger.http.get(made.url)
        assert problem(foreign) == (404, "ARTIFACT_NOT_FOUND")
        unknown = await stranger.http.get(f"/api/v1/artifacts/{new_id()}")
        assert problem(unknown) == problem(foreign)
        assert foreign.json()["detail"] == unknown.json()["detail"]

    async def test_needs_a_token(self, made: Made, http: httpx2.AsyncClient) -> None:
        assert problem(await http.get(made.url)) == (401, "UNAUTHENTICATED")

    @pytest.mark.parametrize("table", ["jobs", "artifacts"])
    async def test_because_its_time_is_over_is_gone(self, table: str, made: Made) -> None:
        ended = settle.settle(
            made.claimed.job_id, made.claimed.fence, Status.SUCCEEDED, keep_days=DAYS
        )
        assert made.lab.as_engine(ended)
        assert (await made.get()).status_code == 200
        made.past(table, 1)
        assert problem(await made.get()) == (410, "ARTIFACT_EXPIRED")
        assert problem(await made.get(**{"If-None-Match": "*"})) == (410, "ARTIFACT_EXPIRED")
        assert (await made.user.http.head(made.url)).status_code == 410

    async def test_because_its_bytes_are_lost_is_gone(self, made: Made) -> None:
        made.bytes_at.write_bytes(b"cut")
        assert problem(await made.get()) == (410, "ARTIFACT_LOST")
        made.bytes_at.unlink()
        assert problem(await made.get(Range="bytes=0-1")) == (410, "ARTIFACT_LOST")

    async def test_because_the_store_is_away_may_come_back(
        self, made: Made, make_app: MakeApp, running: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        async with running(make_app(artifacts_url="s3://files")) as http:
            token = made.user.http.headers["authorization"]
            answer = await http.get(made.url, headers={"authorization": token})
        assert problem(answer) == (503, "STORE_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) > 0


class TestItsTime:
    async def test_is_that_of_the_job(self, made: Made) -> None:
        ended = settle.settle(made.claimed.job_id, made.claimed.fence, Status.FAILED, keep_days=1)
        assert made.lab.as_engine(ended)
        job = await made.job()
        assert job["artifacts"][0]["expires_at"] == job["expires_at"] is not None
        cache = (await made.get()).headers["cache-control"]
        max_age = int(cache.partition("max-age=")[2].partition(",")[0])
        assert 86300 < max_age <= 86400


class TestADownload:
    async def test_holds_no_connection_to_the_database(
        self, lab: Lab, user: User, server: str
    ) -> None:
        large = make(lab, user, bytes(30_000_000), "large.bin", "application/octet-stream")
        before = busy(lab)
        clients = []
        for _ in range(20):  # more than the pool has
            client = httpx2.AsyncClient(base_url=server, timeout=30, headers=user.http.headers)
            answer = await client.send(client.build_request("GET", large.url), stream=True)
            assert answer.status_code == 200
            clients.append((client, answer))
        assert busy(lab) <= before
        assert (await user.http.get("/api/v1/jobs")).status_code == 200
        for client, answer in clients:
            await answer.aclose()
            await client.aclose()

    async def test_of_many_bytes_comes_whole(self, lab: Lab, user: User) -> None:
        content = hashlib.sha256(b"seed").digest() * 400_000
        large = make(lab, user, content, "large.bin", "application/octet-stream")
        digest = hashlib.sha256()
        async with user.http.stream("GET", large.url) as answer:
            async for piece in answer.aiter_raw():
                digest.update(piece)
                await asyncio.sleep(0)
        assert answer.headers["etag"] == f'"{digest.hexdigest()}"'


class TestASignedLink:
    async def link(self, made: Made, **body: Any) -> dict[str, Any]:
        answer = await made.user.http.post(f"{made.url}/links", json=body)
        assert answer.status_code == 201, answer.text
        assert answer.headers["cache-control"] == "no-store"
        found: dict[str, Any] = answer.json()["data"]
        return found

    async def test_opens_the_file_for_whoever_has_it(
        self, made: Made, http: httpx2.AsyncClient
    ) -> None:
        found = await self.link(made)
        answer = await http.get(found["url"], headers={"Range": "bytes=0-3"})
        assert (answer.status_code, answer.content) == (206, CONTENT[:4])
        assert (await http.head(found["url"])).headers["etag"] == f'"{SHA256}"'
        left = datetime.fromisoformat(found["expires_at"]) - datetime.now(UTC)
        assert timedelta(minutes=14) < left <= timedelta(minutes=15)

    async def test_opens_no_other_file_and_nothing_else(
        self, lab: Lab, user: User, made: Made, http: httpx2.AsyncClient
    ) -> None:
        other = make(lab, user, b"other", "b.txt", "text/plain")
        signed = (await self.link(made))["url"].partition("?")[2]
        assert problem(await http.get(f"{other.url}?{signed}")) == (401, "INVALID_LINK")
        token = signed.partition("=")[2]
        as_token = {"Authorization": f"Bearer {token}"}
        assert problem(await http.get(made.url, headers=as_token)) == (401, "INVALID_TOKEN")
        access = user.http.headers["authorization"].partition(" ")[2]
        assert problem(await http.get(f"{made.url}?link={access}")) == (401, "INVALID_LINK")
        assert problem(await http.get(f"{made.url}?link=x.y.z")) == (401, "INVALID_LINK")
        signature = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
        assert problem(await http.get(f"{made.url}?link={signature}")) == (401, "INVALID_LINK")

    async def test_ends(self, made: Made, http: httpx2.AsyncClient, stores: Stores) -> None:
        settings = get_settings()
        keys = KeyRing.from_settings(settings)
        artifact_id, owner_id = UUID(made.url[-36:]), UUID(made.user.id)
        past = datetime.now(UTC) - timedelta(seconds=1)
        signed = links.sign(settings, keys, owner_id, artifact_id, past)
        assert problem(await http.get(f"{made.url}?link={signed}")) == (401, "LINK_EXPIRED")

    @pytest.mark.parametrize("lifetime_s", [0, 901, "soon"])
    async def test_lives_for_a_quarter_of_an_hour_at_most(
        self, made: Made, lifetime_s: object
    ) -> None:
        answer = await made.user.http.post(f"{made.url}/links", json={"lifetime_s": lifetime_s})
        assert (answer.status_code, list(answer.json()["field_errors"])) == (422, ["lifetime_s"])

    async def test_is_not_made_to_what_is_gone(self, made: Made, sign_up: Any) -> None:
        stranger = await sign_up()
        assert (await stranger.http.post(f"{made.url}/links", json={})).status_code == 404
        made.past("jobs", 1)
        answer = await made.user.http.post(f"{made.url}/links", json={})
        assert problem(answer) == (410, "ARTIFACT_EXPIRED")


def busy(lab: Lab) -> int:
    """Transactions of requests that are open right now."""
    return int(
        lab.stores.one(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'wheels_app' AND state <> 'idle'"
        )
    )
