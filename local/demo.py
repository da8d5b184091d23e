"""`make demo`: plans a shipped road trip on the running stack and shows it happen."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import secrets
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

TRIPS = Path(__file__).parent / "trips"
TERMINAL = ("job.succeeded", "job.failed", "job.cancelled", "job.expired")
RECONNECTS = 10
SILENCE_S = 40.0  # the stream pings every 15 s
TIMEOUT_S = 10.0

Json = dict[str, Any]


class Refused(Exception):
    """The service answered with an error; the message is its detail."""


class NotRunning(Exception):
    """Nothing answers at the address."""


class Frame(NamedTuple):
    """One event of a stream."""

    id: str | None
    event: str
    data: Json


class Service:
    """The HTTP interface of a running stack, as one user sees it."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._headers = {"Content-Type": "application/json"}

    def sign_up(self) -> str:
        """Make a user who is thrown away, and act as that user from now on."""
        email = f"demo-{secrets.token_hex(6)}@example.com"
        account = {"email": email, "password": secrets.token_urlsafe(18)}
        token = self.post("/api/v1/auth/signup", account)["data"]["access_token"]
        self._headers["Authorization"] = f"Bearer {token}"
        return email

    def post(self, path: str, body: Json) -> Json:
        """Send JSON and return the answer.

        Raises:
            NotRunning: nobody listens.
            Refused: the answer is an error.
        """
        return self._ask("POST", path, json.dumps(body))

    def get(self, path: str) -> Json:
        """As `post`, without a body."""
        return self._ask("GET", path, None)

    def _ask(self, method: str, path: str, body: str | None) -> Json:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body, self._headers)
            response = connection.getresponse()
            answer = json.loads(response.read() or b"{}")
        except (OSError, http.client.HTTPException) as error:
            raise NotRunning from error
        except ValueError as error:  # somebody else's server
            raise Refused(f"{path} did not answer in JSON") from error
        finally:
            connection.close()
        if response.status >= 400:
            raise Refused(f"{answer.get('detail')} {answer.get('field_errors', '')}".strip())
        return dict(answer)

    def events(self, path: str) -> Iterator[Frame]:
        """Frames of a stream up to the last, connecting again where it breaks off."""
        last: str | None = None
        for attempt in range(RECONNECTS):
            time.sleep(min(2.0, 0.2 * attempt))
            with contextlib.suppress(OSError, http.client.HTTPException):
                for frame in self._stream(path, last):
                    yield frame
                    last = frame.id or last
                    if frame.event in TERMINAL:
                        return

    def _stream(self, path: str, last: str | None) -> Iterator[Frame]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=SILENCE_S)
        resume = {} if last is None else {"Last-Event-ID": last}
        try:
            headers = {**self._headers, "Accept": "text/event-stream", **resume}
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            if response.status == 200:
                yield from frames(response)
        finally:
            connection.close()


def frames(lines: Iterator[bytes] | http.client.HTTPResponse) -> Iterator[Frame]:
    """Parse Server-Sent Events (WHATWG HTML, section 9.2.6): fields until a blank line."""
    fields: dict[str, str] = {}
    for raw in lines:
        line = raw.decode().rstrip("\r\n")
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        else:
            if "data" in fields:
                data = json.loads(fields["data"])
                yield Frame(fields.get("id"), fields.get("event", "message"), data)
            fields = {}


class Bar:
    """A line that shows progress: redrawn on a terminal, one line per change in a pipe."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._last = ""

    def show(self, fraction: float, text: str) -> None:
        """Draw the bar at a fraction of 0..1."""
        width = 24
        full = round(width * fraction)
        line = f"[{'#' * full}{'.' * (width - full)}] {fraction:4.0%}  {text}"
        columns = shutil.get_terminal_size().columns
        if self._live:
            print(f"\r{line[: columns - 1]:<{columns - 1}}", end="", flush=True)
        elif line != self._last:
            print(line, flush=True)
        self._last = line

    def close(self) -> None:
        """Leave the line as it is and go on below it."""
        if self._live and self._last:
            print()


def follow(service: Service, job: Json) -> Json:
    """Show the job's progress; return the job in its terminal state."""
    bar = Bar()
    for frame in service.events(f"{job['links']['events']}"):
        progress = frame.data.get("progress")
        if frame.event == "job.queued":
            bar.show(0, "queued")
        elif frame.event == "job.started":
            bar.show(0, "a worker has it")
        elif frame.event == "job.progress" and progress:
            bar.show(progress["fraction"], progress["message"])
        elif frame.event in TERMINAL:
            bar.show(1, frame.event.removeprefix("job."))
    bar.close()
    return dict(service.get(job["links"]["self"])["data"])  # whole, however long


def table(trip: Json, plan: Json) -> Iterator[str]:
    """The plan, a line per place."""
    names = {stop["id"]: stop["name"] for stop in trip["stops"]}
    home = trip["start"]["name"]
    names |= {"start": home, "end": home if trip["end"] == "start" else str(trip["end"])}
    wide = max(len(name) for name in names.values())
    yield (
        f"{'':>3}  {'place':<{wide}}  {'arrives':<16}  {'day':>4}  {'nights':>6}"
        f"  {'leg km':>7}  {'leg h':>6}  {'km':>7}"
    )
    yield f"{'':>3}  {home:<{wide}}"
    visits = {visit["stop_id"]: visit for visit in plan["visits"]}
    spent = Counter(day["night"]["stop_id"] for day in plan["days"] if day["night"])
    metres = 0
    for number, leg in enumerate(plan["legs"], start=1):
        metres += leg["distance_m"]
        visit = visits.get(leg["to"])
        day = visit["day"] if visit else plan["totals"]["days"]
        yield (
            f"{number:>3}  {names[leg['to']]:<{wide}}  {_local(visit):<16}"
            f"  {day:>4}  {spent[leg['to']] or '':>6}"
            f"  {leg['distance_m'] / 1000:>7,.0f}  {leg['duration_s'] / 3600:>6.1f}"
            f"  {metres / 1000:>7,.0f}"
        )
    for skipped in plan["skipped"]:
        yield f"  -  {names[skipped['stop_id']]}: {skipped['reason'].lower()}"


def _local(visit: Json | None) -> str:
    if visit is None:
        return ""
    moment = datetime.fromisoformat(visit["arrive_at"]).astimezone(ZoneInfo(visit["zone"]))
    return f"{moment:%a %d %b %H:%M}"


def summary(plan: Json) -> Iterator[str]:
    """What the plan adds up to, and what it saves."""
    totals, baseline, quality = plan["totals"], plan["baseline"], plan["quality"]
    hours, before = totals["driving_s"] / 3600, baseline["driving_s"] / 3600
    yield (
        f"{totals['distance_m'] / 1000:,.0f} km, {hours:,.0f} h of driving, {totals['days']} days"
        f"; in the order given, all stops: {baseline['distance_m'] / 1000:,.0f} km, {before:,.0f} h"
    )
    nights = [day["night"]["stop_id"] for day in plan["days"] if day["night"]]
    if nights:
        yield f"{len(nights)} nights, {nights.count(None)} of them by the road"
    yield from (f"  !  {violation['detail']}" for violation in plan["violations"])
    if totals["fuel_cost"]:
        cost = totals["fuel_cost"]
        yield f"fuel: {totals['fuel_l']} l, {cost['amount']} {cost['currency']}"
    proof = "proven optimal" if quality["proven_optimal"] else "best found in the time given"
    yield f"engine: {quality['engine']}, {proof}; roads: {plan['matrix']['source']} (estimate)"


def run(service: Service, trip: Json) -> int:
    """Sign up, submit, follow, print. Returns the exit code."""
    print(f"signed up as {service.sign_up()}")
    job = service.post("/api/v1/routes", trip)["data"]
    print(f"{len(trip['stops'])} stops from {trip['start']['name']} submitted: job {job['id']}")
    job = follow(service, job)
    if job["status"] != "succeeded":
        detail = (job.get("error") or {}).get("detail", "no plan")
        print(f"demo: the job ended as {job['status']}: {detail}", file=sys.stderr)
        return 1
    print()
    print(*table(trip, job["result"]), sep="\n")
    print()
    print(*summary(job["result"]), sep="\n")
    return 0


def main() -> int:
    """Run the demo against the stack at API_PORT. 0: planned; 1: refused; 2: nothing runs."""
    names = sorted(path.stem for path in TRIPS.glob("*.json"))
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("trip", nargs="?", choices=names, default=names[0])
    trip = json.loads((TRIPS / f"{parser.parse_args().trip}.json").read_text())
    service = Service("127.0.0.1", int(os.environ.get("API_PORT", "8000")))
    try:
        return run(service, trip)
    except NotRunning:
        address = f"http://{service.host}:{service.port}"
        print(
            f"demo: nothing answers at {address}; start the stack with: make run", file=sys.stderr
        )
        return 2
    except Refused as refusal:
        print(f"demo: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of the pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
