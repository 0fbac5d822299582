"""Traces of requests, statements, tasks and the vendor's responses for an OpenTelemetry collector, where one is named.

Begun in each process after it was forked: what sends the spans is a thread. Only what is listed here leaves the
process: no address with its codes and questions, no parameter of a statement, no argument of a task, no words of an
exception.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from config.observability import logs

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

# Attributes that may leave. Routes are patterns, statements have placeholders.
KEPT = frozenset(
    {
        "http.method",
        "http.request.method",
        "http.route",
        "http.status_code",
        "http.response.status_code",
        "db.system",
        "db.statement",
        "error.type",
        "celery.action",
        "celery.state",
        "celery.task_name",
        "messaging.destination",
        "messaging.message_id",
    }
)
LITERAL = re.compile(r"'(?:[^']|'')*'")
LONGEST = 2_000  # characters of a statement
NOT_TRACED = "health/.*,metrics.*,static/.*"

_begun: list[object] = []


def begin(**_: Any) -> None:
    """Start tracing in a process; nothing where no collector is named. Raises ImproperlyConfigured."""
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT or _begun:
        return
    try:
        _begun.append(_provider())
    except ModuleNotFoundError as missing:
        raise ImproperlyConfigured(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is set, but {missing.name} is not installed: install the extra `server` "
            "(requirements/server.lock), or leave the setting out."
        ) from missing
    _instrument()


def _provider() -> Any:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    ratio = TraceIdRatioBased(settings.OTEL_SAMPLE_RATIO)
    # Anybody may send a header: what it decides does not bind us. The id decides, so that all of ours agree.
    sampler = ParentBased(root=ratio, remote_parent_sampled=ratio, remote_parent_not_sampled=ratio)
    provider = TracerProvider(sampler=sampler, resource=Resource({"service.name": "wearable-trials"}))
    address = f"{settings.OTEL_EXPORTER_OTLP_ENDPOINT.rstrip('/')}/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(clean_exporter(OTLPSpanExporter(endpoint=address))))
    trace.set_tracer_provider(provider)
    return provider


def _instrument() -> None:
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

    DjangoInstrumentor().instrument(excluded_urls=NOT_TRACED)
    PsycopgInstrumentor().instrument()
    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]
    HTTPXClientInstrumentor().instrument()
    logs.trace_ids(_current)


def _current() -> str:
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    return format(context.trace_id, "032x") if context.is_valid else ""


def end(**_: Any) -> None:
    """Send what is left."""
    for provider in _begun:
        provider.shutdown()  # type: ignore[attr-defined]
    _begun.clear()


def kept(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a span that may leave."""
    kept = {name: value for name, value in attributes.items() if name in KEPT}
    if statement := kept.get("db.statement"):
        kept["db.statement"] = LITERAL.sub("'…'", str(statement))[:LONGEST]
    return kept


def clean_exporter(below: SpanExporter) -> SpanExporter:
    """An exporter that sends less: see KEPT. Of an exception it says the type."""
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Status

    def cleaned(span: ReadableSpan) -> ReadableSpan:
        names = [dict(event.attributes or {}).get("exception.type") for event in span.events]
        return ReadableSpan(
            name=span.name,
            context=span.get_span_context(),
            parent=span.parent,
            resource=span.resource,
            attributes=kept(span.attributes or {}),
            events=[Event("exception", {"exception.type": str(name)}) for name in names if name],
            links=span.links,
            kind=span.kind,
            status=Status(span.status.status_code),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    class Clean(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return below.export([cleaned(span) for span in spans])

        def shutdown(self) -> None:
            below.shutdown()

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return below.force_flush(timeout_millis)

    return Clean()
