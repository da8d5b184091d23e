"""The demo against a small server that breaks its stream off once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from local import demo
from tests.tasks.plan_route.asking import ask
from tests.tasks.plan_route.bodies import body, optional, stop

TRIP = body(stop("a", name="Lake"), stop("b", name="Rock"), optional("c", 1))
TRIP["stops"][2]["name"] = "Pub"
TRIP["end"] = "start"
LINKS = {"self": "/api/v1/jobs/7", "events": "/api/v1/jobs/7/events"}


class Stack(BaseHTTPRequestHandler):
    """Just enough of the contract for one trip."""

    status: ClassVar[str] = "succeeded"
    resumed_from: ClassVar[list[str | None]] = []

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/v1/auth/signup":
            self.answer(201, {"data": {"access_token": "t0ken"}})
        elif sent["start"]["name"] != "home":
            self.answer(422, {"detail": "1 field(s) are not valid", "field_errors": {"start": []}})
        else:
            self.answer(202, {"data": {"id": "7", "links": LINKS}})

    def do_GET(self) -> None:
        assert self.headers["Authorization"] == "Bearer t0ken"
        if self.path == LINKS["events"]:
            return self.stream()
        plan = ask(TRIP).model_dump(mode="json")
        error = {"detail": "No order is in time"} if self.status == "failed" else None
        job = {"status": self.status, "result": plan, "error": error, "links": LINKS}
        return self.answer(200, {"data": job})

    def stream(self) -> None:
        last = self.headers["Last-Event-ID"]
        self.resumed_from.append(last)
        progress = {"fraction": 0.5, "message": "best so far 4 km"}
        events = {
            "1": ("job.queued", {}),
            "2": ("job.started", {}),
            "3": ("job.progress", {"progress": progress}),
            "4": (f"job.{self.status}", {}),
        }
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b": ping\n\nevent: job.snapshot\ndata: {}\n\n")
        for number, (event, data) in events.items():
            if number > (last or "0"):
                frame = f"id: {number}\nevent: {event}\ndata: {json.dumps(data)}\n\n"
                self.wfile.write(frame.encode())
            if number == "2" and last is None:
                return  # breaks off here

    def answer(self, status: int, content: dict[str, Any]) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the output belongs to the demo."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[demo.Service]:
    monkeypatch.setattr(Stack, "resumed_from", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Stack) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield demo.Service("127.0.0.1", server.server_port)
        server.shutdown()
        thread.join()


def test_a_trip_is_followed_over_a_broken_stream(
    service: demo.Service, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.run(service, TRIP) == 0
    assert Stack.resumed_from == [None, "2"]
    shown = capsys.readouterr().out
    assert "best so far 4 km" in shown
    assert "Lake" in shown
    assert "Pub: the detour would cost" in shown
    assert "proven optimal" in shown


def test_a_job_that_fails(
    service: demo.Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stack, "status", "failed")
    assert demo.run(service, TRIP) == 1
    assert "No order is in time" in capsys.readouterr().err


def test_a_refusal_is_one_line(service: demo.Service) -> None:
    with pytest.raises(demo.Refused, match="not valid"):
        demo.run(service, {**TRIP, "start": {"name": "nowhere"}})


def test_no_stack_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_PORT", "1")
    monkeypatch.setattr("sys.argv", ["demo"])
    assert demo.main() == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("path", sorted(demo.TRIPS.glob("*.json")), ids=lambda path: path.stem)
def test_shipped_trips_have_plans(path: Any) -> None:
    trip = json.loads(path.read_text())
    assert len({(stop["lat"], stop["lon"]) for stop in trip["stops"]}) >= 14
    plan = ask({**trip, "budget_s": 0.5})
    assert plan.totals.driving_s < plan.baseline.driving_s / 2
    assert list(demo.table(trip, plan.model_dump(mode="json")))
