"""A Mapbox on loopback: its paths, limits and errors, with roads that a test can compute."""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "pk.test"
LIMITS = {"mapbox/driving": (25, 60), "mapbox/driving-traffic": (10, 30)}
KNOWN_OPTIONS = {"access_token", "annotations", "sources", "destinations", "approaches"}
PATH = re.compile(r"^/directions-matrix/v1/(mapbox/[a-z-]+)/([-\d.,;]+)$")

Point = tuple[float, float]  # lon, lat, as Mapbox has it
Answer = tuple[int, dict[str, str], bytes]
Fault = Callable[[], Answer | None]


def metres(a: Point, b: Point) -> float:
    """A quarter more than the straight line, and a little longer eastward than westward."""
    (lon, lat), (to_lon, to_lat) = a, b
    x = math.radians(to_lon - lon) * math.cos(math.radians((lat + to_lat) / 2))
    straight = 6_371_008.8 * math.hypot(x, math.radians(to_lat - lat))
    return round(straight * (1.25 if to_lon <= lon else 1.27), 1)


def seconds(a: Point, b: Point) -> float:
    """At 90 km/h."""
    return round(metres(a, b) / 25, 1)


@dataclass
class FakeMapbox:
    """What a test sets and reads.

    Attributes:
        faults: each is asked once, before the next answers; None lets the answer pass.
        unreachable: places that no road leads to.
        calls: distinct places of each call that was answered.
        elements: what would have been billed.
        per_minute: calls that a minute allows; None: as documented.
        window_s: how long that minute takes.
    """

    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    unreachable: set[Point] = field(default_factory=set)
    calls: list[int] = field(default_factory=list)
    elements: int = 0
    per_minute: int | None = None
    window_s: float = 60.0
    seen: int = 0
    _window: list[float] = field(default_factory=list)

    def answer(self, target: str) -> Answer:
        self.seen += 1
        if self.faults:
            fault = self.faults.pop(0)()
            if fault is not None:
                return fault
        url = urlsplit(target)
        options = {name: values[0] for name, values in parse_qs(url.query).items()}
        if options.get("access_token") != TOKEN:
            return problem(401, message="Not Authorized - Invalid Token")
        path = PATH.match(url.path)
        if path is None or path[1] not in LIMITS:
            return problem(404, code="ProfileNotFound", message="Profile not found")
        most, per_minute = LIMITS[path[1]]
        if limited := self._limited(self.per_minute or per_minute):
            return limited
        points = [(float(p.split(",")[0]), float(p.split(",")[1])) for p in path[2].split(";")]
        return self._matrix(points, options, most)

    def _limited(self, per_minute: int) -> Answer | None:
        now = time.time()
        self._window = [at for at in self._window if at > now - self.window_s]
        if len(self._window) < per_minute:
            self._window.append(now)
            return None
        headers = {
            "X-Rate-Limit-Interval": "60",
            "X-Rate-Limit-Limit": str(per_minute),
            "X-Rate-Limit-Reset": str(math.ceil(self._window[0] + self.window_s)),
        }
        return problem(429, headers, message="Too Many Requests")

    def _matrix(self, points: list[Point], options: dict[str, str], most: int) -> Answer:
        if unknown := options.keys() - KNOWN_OPTIONS:
            return invalid(f"Unknown option {sorted(unknown)[0]}")
        if len(points) > most:
            return invalid(f"Too many coordinates; maximum number of coordinates is {most}.")
        if len(points) < 2:
            return invalid("Not enough input coordinates given; minimum is 2.")
        try:
            rows = _indices(options.get("sources", "all"), len(points))
            columns = _indices(options.get("destinations", "all"), len(points))
        except ValueError:
            return invalid("Index out of range")
        self.calls.append(len(set(points)))
        self.elements += len(rows) * len(columns)
        body: dict[str, Any] = {"code": "Ok"}
        asked = options.get("annotations", "duration").split(",")
        for name, measure in (("duration", seconds), ("distance", metres)):
            if name in asked:
                body[f"{name}s"] = [
                    [self._cell(points[r], points[c], measure) for c in columns] for r in rows
                ]
        for name, some in (("sources", rows), ("destinations", columns)):
            body[name] = [{"name": "", "location": list(points[i]), "distance": 0.1} for i in some]
        return 200, {}, json.dumps(body).encode()

    def _cell(self, a: Point, b: Point, measure: Callable[[Point, Point], float]) -> float | None:
        if a != b and {a, b} & self.unreachable:
            return None
        return measure(a, b)


def _indices(text: str, n: int) -> list[int]:
    if text == "all":
        return list(range(n))
    found = [int(part) for part in text.split(";")]
    if not all(0 <= index < n for index in found):
        raise ValueError(text)
    return found


def problem(status: int, headers: dict[str, str] | None = None, **body: str) -> Answer:
    """An error as Mapbox words it."""
    return status, headers or {}, json.dumps(body).encode()


def invalid(message: str) -> Answer:
    return problem(422, message=message, code="InvalidInput")


@contextmanager
def fake_mapbox() -> Iterator[FakeMapbox]:
    """Serve until the end of the block."""
    fake = FakeMapbox()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with lock:
                status, headers, body = fake.answer(self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
