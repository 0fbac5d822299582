"""Metrics server of Celery's workers and of beat, which have no pages: for inside the network alone.

It has no token: bind it to an address that only Prometheus reaches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from socketserver import TCPServer
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from config.observability import exposition

log = logging.getLogger(__name__)


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
    text, content_type = exposition.counted(environ.get("HTTP_ACCEPT", ""))
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
