"""The figures of this process and of the job layer, in the text format of Prometheus."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from api.ending import end
from core.database import AsyncDatabase, perform_async
from core.kind import KINDS
from core.log import log
from services.jobs.figures import (
    Figures,
    KindFigures,
    LaneFigures,
    WebhookFigures,
    read_figures,
)

#: A scrape is answered from the figures of the last one for so long. Seconds.
KEPT_S = 1.0
#: A scrape waits for Postgres no longer; then it has this process's own figures. Seconds.
PATIENCE_S = 2.0
#: Upper bounds in seconds: answers take milliseconds, `Prefer: wait` up to 25 s.
BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@dataclass(frozen=True)
class Gauge:
    """A figure of this process.

    Attributes:
        label: its name, where the figure has several values.
        ask: the value by label; where there is no label, by the empty text.
    """

    name: str
    text: str
    label: str | None
    ask: Callable[[], dict[str, float]]


class Requests:
    """How long requests took. One observation costs about a microsecond."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "wheels_http_request_seconds",
            "Time from the first byte of a request to the last of its answer; not of streams.",
            ("method", "route", "status"),
            buckets=BUCKETS,
            registry=registry,
        )
        # the library looks a child up by formatting its labels, which costs more than all else
        self._children: dict[tuple[str, str, int], Histogram] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer.

        Args:
            route: the template of the path, or a constant: what callers choose is no label.
            status: of the answer, 0 where none was sent.
        """
        key = (method, route, status // 100)
        child = self._children.get(key)
        if child is None:
            labels = (method, route, f"{status // 100}xx" if status else "none")
            child = self._children[key] = self._seconds.labels(*labels)
        child.observe(seconds)


class Metrics(Collector):
    """What `/metrics` answers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self.requests = Requests(self.registry)
        self.registry.register(self)
        #: Set once the process is whole.
        self.own: list[Gauge] = []
        self._figures: Figures | None = None
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering asks for no figures."""
        return iter(())

    async def scrape(self, database: AsyncDatabase) -> bytes:
        """The text of a scrape, a second old at most; never waits long for a database.

        Args:
            database: connections of role `engine`.
        """
        if self._reading is None and time.monotonic() - self._read_at >= KEPT_S:
            self._reading = asyncio.create_task(self._read(database), name="figures")
        reading = self._reading
        if reading is not None:
            # not cancelled when time is over: to cancel a query asks the server that is silent
            await asyncio.wait({reading}, timeout=PATIENCE_S)
            if not reading.done():
                self._figures = None
        return generate_latest(self.registry)

    async def _read(self, database: AsyncDatabase) -> None:
        try:
            async with database.transaction() as session:
                self._figures = await perform_async(session, read_figures(sorted(KINDS)))
        except Exception as error:  # whatever it is, the process's own figures are due
            log.warning("figures_not_read", error=repr(error))
            self._figures = None
        finally:
            self._read_at = time.monotonic()
            self._reading = None

    async def close(self) -> None:
        """End what still waits for the database."""
        if self._reading is not None:
            await end([self._reading])

    def collect(self) -> Iterator[Metric]:
        for gauge in self.own:
            labels = [gauge.label] if gauge.label else []
            family = GaugeMetricFamily(gauge.name, gauge.text, labels=labels)
            for value, number in gauge.ask().items():
                family.add_metric([value] if labels else [], float(number))
            yield family
        figures = self._figures
        up = 0.0 if figures is None else 1.0
        yield GaugeMetricFamily(
            "wheels_database_up", "Whether the figures of the database could be read.", up
        )
        if figures is not None:
            yield from _depths(figures)
            yield from _lanes(figures.lanes)
            yield from _times(figures.kinds)
            yield from _counts(figures)
            yield from _webhooks(figures.webhooks)


def _depths(figures: Figures) -> Iterator[Metric]:
    jobs = GaugeMetricFamily(
        "wheels_jobs",
        "Unfinished jobs: ready to be handed to the broker, delayed, admitted (with the broker),"
        " running, waiting (for children or a person).",
        labels=("lane", "kind", "state"),
    )
    for depth in figures.depths:
        jobs.add_metric((depth.lane, depth.kind, depth.state), depth.jobs)
    yield jobs
    failed = GaugeMetricFamily(
        "wheels_recent_failed_jobs", "Jobs that failed in the last five minutes.", labels=["kind"]
    )
    for kind, number in sorted(figures.failed.items()):
        failed.add_metric([kind], number)
    yield failed
    paused = GaugeMetricFamily(
        "wheels_paused", "Kinds and lanes whose jobs are not begun.", labels=("scope", "name")
    )
    for scope, name in figures.paused:
        paused.add_metric((scope, name), 1)
    yield paused


#: Name, help, and the figure of a lane that it shows.
_OF_LANES: tuple[tuple[str, str, Callable[[LaneFigures], float]], ...] = (
    ("wheels_workers", "Living workers.", lambda lane: lane.workers),
    ("wheels_workers_draining", "Those of them that take no more work.", lambda x: x.draining),
    ("wheels_slots", "Jobs that the lane's workers run at once.", lambda lane: lane.slots),
    (
        "wheels_oldest_wait_seconds",
        "Age of the oldest job that is due and has not begun.",
        lambda lane: lane.oldest_wait_s,
    ),
    (
        "wheels_outbox_age_seconds",
        "Age of the oldest due job that was not handed to the broker; paused ones do not count.",
        lambda lane: lane.outbox_age_s,
    ),
    (
        "wheels_admitted_age_seconds",
        "Time since the oldest message that nobody has taken was sent.",
        lambda lane: lane.admitted_age_s,
    ),
    (
        "wheels_consumer_idle_with_backlog",
        "1 while messages wait although slots are idle: somebody lives and does not consume.",
        lambda lane: lane.idle_with_backlog,
    ),
)


def _lanes(lanes: list[LaneFigures]) -> Iterator[Metric]:
    for name, text, figure in _OF_LANES:
        family = GaugeMetricFamily(name, text, labels=["lane"])
        for lane in lanes:
            family.add_metric([lane.lane], float(figure(lane)))
        yield family


def _times(kinds: list[KindFigures]) -> Iterator[Metric]:
    labels = ("kind", "quantile")
    wait = GaugeMetricFamily(
        "wheels_wait_seconds", "From submit to first start, of recent successes.", labels=labels
    )
    run = GaugeMetricFamily(
        "wheels_run_seconds", "From first start to end, of recent successes.", labels=labels
    )
    recent = GaugeMetricFamily(
        "wheels_recent_jobs",
        "Jobs behind the two: successes of the last five minutes, 500 at most.",
        labels=["kind"],
    )
    for kind in kinds:
        recent.add_metric([kind.kind], kind.jobs)
        for family, seconds in ((wait, kind.wait_s), (run, kind.run_s)):
            for quantile, value in seconds.items():
                family.add_metric((kind.kind, f"{quantile:g}"), value)
    yield from (wait, run, recent)


_HELP = {
    "leases_lost": "Attempts whose worker was lost.",
    "stale_writes_refused": "Ends of attempts refused because the job had been taken away.",
    "workers_stalled": "Workers that restarted themselves because no message reached them.",
    "webhook_attempts_failed": "Attempts to deliver to a webhook that did not succeed.",
    "webhook_deliveries_failed": "Messages to webhooks that were given up.",
}


def _counts(figures: Figures) -> Iterator[Metric]:
    for name, number in sorted(figures.counts.items()):
        text = _HELP.get(name, "Counted over the lives of all processes.")
        yield CounterMetricFamily(f"wheels_{name}", text, number)


def _webhooks(figures: WebhookFigures) -> Iterator[Metric]:
    for name, text, value in (
        ("deliveries_due", "Messages to webhooks that are to be sent now.", figures.due),
        ("outbox_age_seconds", "Age of the oldest of them.", figures.outbox_age_s),
        ("endpoints_resting", "Endpoints left alone after failures.", figures.resting),
        ("endpoints_disabled", "Endpoints switched off by their failures.", figures.disabled),
    ):
        yield GaugeMetricFamily(f"wheels_webhook_{name}", text, float(value))
