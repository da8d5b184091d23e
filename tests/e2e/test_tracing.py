"""One trace from the request to the worker and the database; and none where nobody collects."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import httpx2
import pytest

from tests import stack
from tests.fakes.collector import collecting
from tests.stack import ROOT, ApiChild, Stores, until
from tests.test_isolation import TRIP

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def own_stores() -> Iterator[Stores]:
    """Where no other worker takes the job."""
    with stack.stores() as made:
        yield made


def test_a_job_is_one_trace_and_says_nothing_personal(own_stores: Stores) -> None:
    with collecting() as collector:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            # the count of lines would outlive the process that sends its last spans
            **stack.UNMEASURED,
        }
        api, worker = ApiChild(own_stores, env), stack.worker(own_stores, env=env)
        try:
            api.ready()
            stack.entered(own_stores, worker)
            with httpx2.Client(base_url=api.url, timeout=30) as http:
                account = {"email": "traced@example.com", "password": "correct horse battery"}
                signed = http.post("/api/v1/auth/signup", json=account).json()["data"]
                headers = {
                    "authorization": f"Bearer {signed['access_token']}",
                    "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
                    "prefer": "wait=20",
                }
                body = TRIP | {"budget_s": 0.05}
                made = http.post("/api/v1/routes", json=body, headers=headers).json()["data"]
                assert made["status"] == "succeeded", made
                secret = "ticket=never-to-be-seen"
                http.get(f"/api/v1/events?{secret}")
            until(lambda: any(span.name == "attempt plan_route" for span in collector.spans), 20)
            until(lambda: any(b.name.startswith("GET") for b in collector.spans), 20)
        finally:
            worker.stop()
            api.stop()
        ours = [span for span in collector.spans if span.trace_id == TRACE]
        by_id = {span.span_id: span for span in ours}
        (attempt,) = [span for span in ours if span.name == "attempt plan_route"]
        assert attempt.service == "wheels-worker"
        # up to the request that made the job, whose parent is the caller's own span
        root = by_id[attempt.parent_id]
        while root.parent_id in by_id:
            root = by_id[root.parent_id]
        assert (root.service, root.parent_id) == ("wheels-api", "00f067aa0ba902b7")
        assert root.name == "POST /api/v1/routes"
        statements = {
            service: [
                span
                for span in ours
                if span.service == service and "db.system.name" in span.attributes
            ]
            for service in ("wheels-api", "wheels-worker")
        }
        assert all(statements.values())
        for private in (b"never-to-be-seen", b"traced@example.com", b"Orange", b"SELECT "):
            assert private not in collector.raw, private
        assert signed["user"]["id"].encode() not in collector.raw


SCRIPT = """
import sys
# as where requirements/otel.txt is not installed; redis-py would load it by itself
sys.modules["opentelemetry.sdk"] = None
import api.app, tasks.base, tasks.process
from core import tracing
from core.settings import Settings
tracing.start_tracing(Settings(), "x")
api.app.create_app()
with tracing.attempt_span(None, "x", 1):
    print(tracing._tracer, tracing.current_traceparent(), *sys.modules)
"""


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:1"])
def test_nothing_of_it_is_needed_where_nobody_collects(endpoint: str | None) -> None:
    """Nor does an address without the packages stop anybody."""
    env = {"DATABASE_URL": "postgresql://db/x", "PATH": ""}
    env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint} if endpoint else {}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.splitlines()[-1].split()
    assert loaded[:2] == ["None", "None"]
    assert "tasks.base" in loaded
    if endpoint is None:
        assert [name for name in loaded if name.startswith("opentelemetry.exporter")] == []
    assert ("tracing_not_installed" in done.stdout + done.stderr) is (endpoint is not None)
