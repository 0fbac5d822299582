"""A small HTTP server that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class ReceivedRequest:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class CannedResponse:
    """`body` is JSON unless it is bytes. `cut`: announce the whole body, send so many bytes of it, hang up."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None

    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Reply = CannedResponse | Callable[[ReceivedRequest], CannedResponse]


class FakeGoogle:
    """Answers in turn by path; the last answer given for a path stands for all that follow. Others are 404."""

    def __init__(self) -> None:
        self.asked: list[ReceivedRequest] = []
        self._replies: dict[str, list[Reply]] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._serve(self)

            def do_POST(self) -> None:
                outer._serve(self)

            def do_PATCH(self) -> None:
                outer._serve(self)

            def do_DELETE(self) -> None:
                outer._serve(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Silence: what was asked is in `asked`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def on(self, path: str, *replies: Reply) -> None:
        self._replies[path] = list(replies)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        address = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        asked = ReceivedRequest(handler.command, address.path, query, dict(handler.headers), body)
        self.asked.append(asked)
        replies = self._replies.get(address.path, [CannedResponse({"error": {"code": 404}}, 404)])
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        answer = reply(asked) if callable(reply) else reply
        content = answer.encoded()
        handler.send_response(answer.status)
        for name, value in ({"Content-Type": "application/json"} | answer.headers).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        with contextlib.suppress(ConnectionError):  # who gave up waiting has hung up
            handler.end_headers()
            handler.wfile.write(content if answer.cut is None else content[: answer.cut])
