"""Traces from request to worker to database, where a collector is set; else nothing at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event

from core.log import log
from core.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

#: Attributes of FastAPI's spans that may hold tickets, ids and places that people asked about;
#: the template of the path (`http.route`) says enough.
WITHHELD = ("url.path", "url.query", "client.address")

#: Both None while tracing is off: nothing of the SDK has been imported then.
_tracer: Tracer | None = None
_stop: Callable[[], Any] | None = None


def start_tracing(settings: Settings, service: str) -> None:
    """Send spans of this process to the collector, if there is one; call it after a fork.

    Args:
        service: `service.name` of the spans, e.g. ``wheels-api``.
    """
    global _tracer, _stop
    endpoint = settings.otel_exporter_otlp_endpoint
    if not endpoint or _tracer is not None:
        return
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.error("tracing_not_installed", install="pip install -r requirements/otel.txt")
        return

    class Withhold(SpanProcessor):
        """Takes out what may be somebody's before any exporter sees it."""

        def on_start(self, span: Span, parent_context: Any = None) -> None:  # noqa: ARG002
            for name in WITHHELD:
                if span.attributes and name in span.attributes:
                    span.set_attribute(name, "withheld")

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(Withhold())
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    trace.set_tracer_provider(provider)
    _tracer, _stop = provider.get_tracer("wheels"), provider.shutdown
    _trace_statements(_tracer)
    log.info("tracing_started", service=service)


def stop_tracing() -> None:
    """Send what is still held; spans that come later are lost."""
    global _stop
    stop, _stop = _stop, None
    if stop is not None:
        stop()


def current_traceparent() -> str | None:
    """The running span as W3C `traceparent`; None while tracing is off."""
    if _tracer is None:
        return None
    from opentelemetry import propagate

    carrier = dict[str, str]()
    propagate.inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def attempt_span(trace: str | None, kind: str, attempt: int) -> Iterator[None]:
    """A span around an attempt, child of the request that made the job.

    Args:
        trace: W3C `traceparent` of the job's row.
    """
    if _tracer is None:
        yield
        return
    from opentelemetry import propagate
    from opentelemetry.trace import SpanKind

    parent = propagate.extract({"traceparent": trace} if trace else {})
    attributes: dict[str, Any] = {
        "messaging.system": "celery",
        "wheels.kind": kind,
        "wheels.attempt": attempt,
    }
    with _tracer.start_as_current_span(
        f"attempt {kind}",
        context=parent,
        kind=SpanKind.CONSUMER,
        attributes=attributes,
        # an exception's text may hold what people wrote
        record_exception=False,
        set_status_on_exception=False,
    ):
        yield


def _trace_statements(tracer: Tracer) -> None:
    """A span per statement within a span: its first word, neither its text nor its values."""
    from opentelemetry.trace import SpanKind, StatusCode, get_current_span

    def before(
        _connection: Any, _cursor: Any, statement: str, _values: Any, context: Any, _many: bool
    ) -> None:
        # sweeps and beats have no request behind them and would be traces of one span each
        if context is None or not get_current_span().get_span_context().is_valid:
            return
        word = statement.split(None, 1)[0].upper().rstrip(";") if statement.strip() else "?"
        attributes = {"db.system.name": "postgresql", "db.operation.name": word}
        context.wheels_span = tracer.start_span(
            f"postgresql {word}", kind=SpanKind.CLIENT, attributes=attributes
        )

    def after(
        _connection: Any, _cursor: Any, _statement: str, _values: Any, context: Any, _many: bool
    ) -> None:
        span = getattr(context, "wheels_span", None)
        if span is not None:
            span.end()

    def failed(exception_context: Any) -> None:
        span = getattr(exception_context.execution_context, "wheels_span", None)
        if span is not None:
            span.set_attribute("error.type", type(exception_context.original_exception).__name__)
            span.set_status(StatusCode.ERROR)
            span.end()

    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "after_cursor_execute", after)
    event.listen(Engine, "handle_error", failed)
