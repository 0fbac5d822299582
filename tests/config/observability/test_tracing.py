"""Traces reach a collector, and nothing of people and no key goes with them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pytest_django import Settings

from config.observability import tracing
from tests.paths import ROOT

WORK = """
import django, os, sys
django.setup()
import httpx
from config.celery import app
from config.observability import tracing
from config.wsgi import application
from django.test import Client
from django.db import connection
from opentelemetry import trace

app.conf.task_always_eager = True
Client().get("/connect/a-code-that-opens/", {"q": "Wilhelmina"})
with connection.cursor() as cursor:
    cursor.execute("SELECT %s::text, 'Oosterhuis'", ["Wilhelmina"])
httpx.get(os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/token?key=a-code-that-opens")
try:
    with trace.get_tracer("test").start_as_current_span("fails"):
        raise ValueError("Wilhelmina")
except ValueError:
    pass
tracing.end()
"""


class Collector(BaseHTTPRequestHandler):
    """Keeps what is posted to it."""

    taken: list[bytes]

    def do_POST(self) -> None:
        type(self).taken.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.do_GET()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """It says nothing."""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    Collector.taken = []
    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", Collector.taken
    server.shutdown()
    server.server_close()


@pytest.mark.django_db
def test_spans_reach_the_collector_without_people_codes_and_parameters(collector: tuple[str, list[bytes]]) -> None:
    address, taken = collector
    database = connection.settings_dict
    environment = {
        "PATH": os.defpath,
        "SECRET_KEY": "x" * 50,
        "DB_NAME": str(database["NAME"]),
        "DB_USER": str(database["USER"]),
        "DB_PASS": str(database["PASSWORD"]),
        "DB_HOST": str(database["HOST"]),
        "DB_PORT": str(database["PORT"]),
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "ALLOWED_HOSTS": "testserver",
        "DEBUG": "True",
        "OTEL_EXPORTER_OTLP_ENDPOINT": address,
        "OTEL_SAMPLE_RATIO": "1",
        "LOG_FORMAT": "json",
    }
    ran = subprocess.run(
        [sys.executable, "-c", WORK], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert '"trace_id":"' in ran.stderr  # the refused link's line
    spans = [
        span
        for body in taken
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    names = {span.name for span in spans}
    assert any(name.startswith("GET connect/<str:code>") for name in names)
    assert {"SELECT", "GET", "fails"} <= names
    sent = b"".join(taken)
    assert not [secret for secret in (b"Wilhelmina", b"Oosterhuis", b"a-code-that-opens") if secret in sent]


def test_without_the_extra_the_start_says_what_to_do(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = "http://127.0.0.1:4318"
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ImproperlyConfigured, match="install the extra `server`"):
        tracing.begin()


def test_without_a_collector_nothing_is_loaded(settings: Settings) -> None:
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = ""
    tracing.begin()
    assert not tracing._begun
