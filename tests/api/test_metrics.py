"""`/metrics`: who may read it, what it says, and that a dead database does not silence it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import text

from api.metrics import Requests
from core.kind import Lane
from local.ports import free_port
from services.jobs import counters, figures
from services.jobs.admission import admit, readmit
from services.jobs.repair import prune, rescue
from tests import stack
from tests.admins import promote
from tests.api.conftest import MakeApp, Running
from tests.conftest import User
from tests.errands import ERRAND, Errands
from tests.fakes.proxy import Proxy
from tests.lab import DAYS, Lab
from tests.stack import Stores

TOKEN = "a token that only Prometheus knows"


@pytest.fixture(scope="module")
def apart() -> Iterator[Stores]:
    """Stores of this file alone: figures are those of all users."""
    with stack.stores() as made:
        yield made


@pytest.fixture
def lab(apart: Stores) -> Iterator[Lab]:
    with apart.sql() as connection:
        connection.execute("DELETE FROM jobs; DELETE FROM workers; DELETE FROM counters")
    made = Lab(apart)
    yield made
    made.close()


def read(answer: httpx2.Response) -> dict[tuple[str, ...], float]:
    """The value by name and values of labels, through the library's own parser."""
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest_asyncio.fixture
async def scrape(stores: Stores, lab: Lab, make_app: MakeApp, running: Running) -> Any:
    """Scrape an application over the stores of this file."""
    addresses = {
        name.lower(): value for name, value in lab.settings.model_dump().items() if "url" in name
    }
    app = make_app(metrics_token=SecretStr(TOKEN), **addresses)
    async with running(app) as client:

        async def get() -> dict[tuple[str, ...], float]:
            app.state.metrics._read_at = float("-inf")
            headers = {"authorization": f"Bearer {TOKEN}"}
            return read(await client.get("/metrics", headers=headers))

        yield get


class TestWhoMayRead:
    async def test_an_admin_by_the_row_and_not_by_the_token(
        self, stores: Stores, user: User
    ) -> None:
        assert (await user.http.get("/metrics")).json()["error_code"] == "ADMIN_REQUIRED"
        promote(stores, user)
        answer = await user.http.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert read(answer)["wheels_database_up",] == 1

    async def test_prometheus_by_its_token_alone(
        self, make_app: MakeApp, running: Running, stores: Stores
    ) -> None:
        async with running(make_app(metrics_token=SecretStr(TOKEN))) as client:
            for token, status in ((TOKEN, 200), (TOKEN + "x", 401), ("ä", 401), ("", 401)):
                headers = {b"authorization": f"Bearer {token}".encode()}
                assert (await client.get("/metrics", headers=headers)).status_code == status

    async def test_nobody_by_a_token_that_is_not_set(
        self, make_app: MakeApp, running: Running, stores: Stores
    ) -> None:
        async with running(make_app()) as client:
            answer = await client.get("/metrics", headers={"authorization": "Bearer None"})
            assert answer.status_code == 401


class TestTheFigures:
    async def test_tell_states_apart(self, lab: Lab, scrape: Any) -> None:
        errands = Errands(lab, str(lab.make_user()))
        lab.enter(lane=Lane.IO, slots=1)
        running, *_ = [errands.submit() for _ in range(4)]
        errands.claim(running)
        delayed = errands.submit()
        lab.past(delayed, ready_at=-3600)
        lab.as_engine(admit(Lane.IO, 1))
        seen = await scrape()
        found = {key[3]: seen[key] for key in seen if key[0] == "wheels_jobs"}
        # four messages at least are kept where a lane has few slots
        assert found == {"running": 1, "delayed": 1, "admitted": 3}
        assert seen["wheels_slots", "io"] == 1

    async def test_age_what_waits(self, lab: Lab, scrape: Any) -> None:
        errands = Errands(lab, str(lab.make_user()))
        first = errands.submit()
        lab.past(first, ready_at=40)
        assert 39 < (await scrape())["wheels_outbox_age_seconds", "io"] < 60
        lab.as_engine(admit(Lane.IO))
        seen = await scrape()
        assert seen["wheels_outbox_age_seconds", "io"] == 0
        assert 39 < seen["wheels_oldest_wait_seconds", "io"] < 60
        lab.past(first, admitted_at=7)
        assert 6 < (await scrape())["wheels_admitted_age_seconds", "io"] < 30

    async def test_see_a_consumer_that_is_idle_with_a_backlog(self, lab: Lab, scrape: Any) -> None:
        errands = Errands(lab, str(lab.make_user()))
        lab.enter(lane=Lane.IO, slots=1)
        key = ("wheels_consumer_idle_with_backlog", "io")
        (job_id, busy) = (errands.submit(), errands.submit())
        lab.as_engine(admit(Lane.IO))
        assert (await scrape())[key] == 0
        lab.past(job_id, admitted_at=8)
        assert (await scrape())[key] == 1
        # sent again, its message is young, and yet the consumer is no better
        lab.as_engine(readmit())
        lab.as_engine(admit(Lane.IO))
        assert (await scrape())[key] == 1
        errands.claim(busy)
        assert (await scrape())[key] == 0

    async def test_time_recent_jobs_by_kind(self, lab: Lab, scrape: Any) -> None:
        errands = Errands(lab, str(lab.make_user()))
        for seconds in (1, 2, 3):
            job_id = errands.done()
            with lab.stores.sql() as connection:
                connection.execute(
                    "UPDATE jobs SET created_at = now() - make_interval(secs => %s + 10),"
                    " started_at = now() - make_interval(secs => %s) WHERE id = %s",
                    (seconds, seconds, job_id),
                )
        old = errands.done()
        with lab.stores.sql() as connection:
            connection.execute("ALTER TABLE jobs DISABLE TRIGGER jobs_move_legally")
            connection.execute(
                "UPDATE jobs SET finished_at = now() - interval '6 minutes' WHERE id = %s", (old,)
            )
            connection.execute("ALTER TABLE jobs ENABLE TRIGGER jobs_move_legally")
        seen = await scrape()
        assert seen["wheels_recent_jobs", "errand"] == 3
        assert seen["wheels_run_seconds", "errand", "0.5"] == pytest.approx(2, abs=0.5)
        assert seen["wheels_wait_seconds", "errand", "0.9"] == pytest.approx(10, abs=0.5)

    async def test_count_what_is_rare_for_ever(self, lab: Lab, scrape: Any) -> None:
        assert (await scrape())["wheels_leases_lost_total",] == 0
        errands = Errands(lab, str(lab.make_user()))
        for _ in range(2):
            claimed = errands.claim(errands.submit())
            lab.past(claimed.job_id, lease_until=1)
        lab.as_engine(rescue(keep_days=DAYS))
        lab.as_engine(rescue(keep_days=DAYS))
        lab.as_engine(counters.count(counters.WRITES_REFUSED))
        with lab.stores.sql() as connection:
            connection.execute(
                "INSERT INTO counters (name, value, at) SELECT 'leases_lost', 1, '2020-01-01'"
                " FROM generate_series(1, 1001)"
            )
        # what is put together when it is much stays the same sum
        while lab.as_engine(prune()):
            pass
        assert lab.stores.one("SELECT count(*) FROM counters") < 5
        with lab.stores.sql() as connection:
            connection.execute("DELETE FROM jobs")
        seen = await scrape()
        assert seen["wheels_leases_lost_total",] == 1003
        assert seen["wheels_stale_writes_refused_total",] == 1

    async def test_are_found_by_indexes(self, lab: Lab) -> None:
        """Ended jobs by the thousand are not looked at."""
        owner = lab.make_user()
        with lab.stores.sql() as connection:
            connection.execute(
                "INSERT INTO jobs (id, owner_id, kind, lane, status, finished_at, started_at)"
                " SELECT gen_random_uuid(), %s, 'errand', 'io',"
                "  CASE WHEN n %% 100 = 0 THEN 'failed' ELSE 'succeeded' END,"
                "  now() - n * interval '1 second', now() - n * interval '1 second'"
                " FROM generate_series(1, 20000) n",
                (owner,),
            )
            connection.execute("ANALYZE jobs")
        began = time.monotonic()
        found = lab.as_engine(figures.read_figures([ERRAND.name]))
        assert time.monotonic() - began < 1
        assert found.failed["errand"] in (2, 3)
        for statement in (figures._DEPTHS, figures._LANES, figures._KINDS, figures._FAILED):
            values = {
                "lanes": ["io", "compute"],
                "beat_s": 30,
                "stuck_s": 5,
                "kinds": ["errand"],
                "quantiles": [0.5],
                "window_s": 300,
                "newest": 500,
            }
            names = [name for name in values if f":{name}" in statement.text]
            with lab.engine.transaction() as session:
                plan = session.execute(
                    text(f"EXPLAIN {statement.text}"), {name: values[name] for name in names}
                )
                lines = "\n".join(row[0] for row in plan)
            assert "Seq Scan on jobs" not in lines, lines


class TestARequest:
    async def test_is_timed_by_the_template_of_its_path(self, scrape: Any) -> None:
        await scrape()
        seen = await scrape()
        key = ("wheels_http_request_seconds_count", "GET", "/metrics", "2xx")
        assert seen[key] >= 1

    async def test_of_nowhere_makes_no_label(
        self, make_app: MakeApp, running: Running, stores: Stores
    ) -> None:
        async with running(make_app(metrics_token=SecretStr(TOKEN))) as client:
            for path in ("/secret-of-a-user", "/another"):
                await client.get(path)
            await client.request("BREW", "/pot")
            headers = {"authorization": f"Bearer {TOKEN}"}
            answer = await client.get("/metrics", headers=headers)
        assert "secret-of" not in answer.text
        assert "BREW" not in answer.text
        assert read(answer)["wheels_http_request_seconds_count", "GET", "none", "4xx"] == 2

    def test_costs_microseconds(self) -> None:
        requests = Requests(CollectorRegistry())
        for _ in range(3):
            began = time.perf_counter()
            for _ in range(2000):
                requests.observe("GET", "/api/v1/jobs/{job_id}", 200, 0.004)
            cost_s = (time.perf_counter() - began) / 2000
            if cost_s < 20e-6:
                return
        raise AssertionError(f"{cost_s * 1e6:.0f} µs")


class TestADatabaseThatIsAway:
    async def test_leaves_the_figures_of_the_process(
        self, make_app: MakeApp, running: Running, stores: Stores, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Half-open: connected, and nothing answers."""
        proxy = Proxy(stores.env()["ENGINE_DATABASE_URL"])
        try:
            url = proxy.url.replace("postgresql://", "postgresql+psycopg://")
            app = make_app(metrics_token=SecretStr(TOKEN), engine_database_url=url)
            headers = {"authorization": f"Bearer {TOKEN}"}
            async with running(app) as client:
                assert read(await client.get("/metrics", headers=headers))["wheels_database_up",]
                proxy.silence()
                monkeypatch.setattr("api.metrics.PATIENCE_S", 0.3)
                app.state.metrics._read_at = float("-inf")
                began = time.monotonic()
                seen = read(await client.get("/metrics", headers=headers))
                assert time.monotonic() - began < 3
                assert seen["wheels_database_up",] == 0
                assert seen["wheels_publisher_able",] == 1
                assert ("wheels_slots", "io") not in seen
                proxy.heal()
        finally:
            proxy.close()

    async def test_that_refuses_is_no_error(
        self, make_app: MakeApp, running: Running, stores: Stores
    ) -> None:
        nowhere = f"postgresql+psycopg://nobody:x@127.0.0.1:{free_port()}/none"
        app = make_app(metrics_token=SecretStr(TOKEN), engine_database_url=nowhere)
        async with running(app) as client:
            headers = {"authorization": f"Bearer {TOKEN}"}
            assert read(await client.get("/metrics", headers=headers))["wheels_database_up",] == 0
