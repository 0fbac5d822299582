"""Exposition of metrics: what this host's processes counted, in Prometheus' format.

Celery's workers and beat have no pages: they serve it for inside the network alone. There is no token: bind it to an
address that only Prometheus reaches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from socketserver import TCPServer
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import REGISTRY, CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from config.observability import multiprocess

log = logging.getLogger(__name__)


class Begun(MultiProcessCollector):
    """Files of all processes that hold something: one that is being made is empty for a moment."""

    def collect(self) -> Iterable[Metric]:
        files = [str(file) for file in Path(self._path).glob("*.db") if _begun(file)]
        metrics: Iterable[Metric] = self.merge(files, accumulate=True)  # type: ignore[no-untyped-call]
        return metrics


def _begun(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # its process has ended meanwhile
        return False


def counted(accept: str) -> tuple[bytes, str]:
    """The text and its content type, in the form that `accept` asks for: of all processes of this program."""
    registry = REGISTRY
    if multiprocess.folder() is not None:
        registry = CollectorRegistry()
        Begun(registry)  # type: ignore[no-untyped-call]
    return encoded(registry, accept)


def encoded(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    encoder, content_type = choose_encoder(accept)
    return encoder(registry), content_type


class _Silent(WSGIRequestHandler):
    """No line for each question: there are thousands a day."""

    timeout = 10  # seconds that somebody who says nothing may hold it

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)


class _Server(WSGIServer):
    """WSGI server for one request after another: Prometheus is the only client."""

    def server_bind(self) -> None:
        """Bind without asking DNS for this host's name, which the standard library's does and which may hang."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.warning("metrics could not be handed out", exc_info=True)


def metrics_app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """The WSGI application: /metrics and nothing else."""
    if environ["PATH_INFO"] != "/metrics" or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [b"There is /metrics.\n"]
    text, content_type = counted(environ.get("HTTP_ACCEPT", ""))
    start("200 OK", [("Content-Type", content_type), ("Content-Length", str(len(text)))])
    return [text] if environ["REQUEST_METHOD"] == "GET" else []


def serve(host: str, port: int) -> WSGIServer | None:
    """Answer from a thread of its own. None where the port is taken: the work goes on, and the log says so."""
    try:
        server = make_server(host, port, metrics_app, server_class=_Server, handler_class=_Silent)
    except OSError as fault:
        log.error("metrics are not handed out at %s:%s: %s", host, port, fault.strerror)
        return None
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
