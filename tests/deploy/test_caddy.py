"""The reverse proxy: a real Caddy with deploy/caddy/Caddyfile, in front of a server that says what it was asked."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from config.embedded.redis_server import free_port
from tests.paths import ROOT

FOLDER = ROOT / "deploy" / "caddy"
pytestmark = pytest.mark.skipif(not shutil.which("caddy"), reason="Caddy is not installed: apt install caddy")


class Echo(BaseHTTPRequestHandler):
    """Answers with the path and the headers that reached it."""

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test's own output matters."""


@dataclass
class Proxy:
    """A Caddy at work: its two ports, and the folder with its authority."""

    plain: int
    secure: int
    home: Path

    def ask(self, path: str, **headers: str) -> tuple[http.client.HTTPResponse, str]:
        """Over HTTPS, believing Caddy's own authority and no other."""
        trusted = ssl.create_default_context(cafile=str(self.home / "caddy/pki/authorities/local/root.crt"))
        connection = http.client.HTTPSConnection("localhost", self.secure, timeout=20, context=trusted)
        try:
            connection.request("GET", path, headers={"Host": "localhost", **headers})
            answer = connection.getresponse()
            return answer, answer.read().decode()
        finally:
            connection.close()


@contextmanager
def caddy(home: Path, upstream: int) -> Iterator[Proxy]:
    proxy = Proxy(free_port(), free_port(), home)
    given = {
        "SITE_ADDRESS": "localhost",
        "CADDY_HTTP_PORT": str(proxy.plain),
        "CADDY_HTTPS_PORT": str(proxy.secure),
        "CADDY_HEALTH_PORT": str(free_port()),
        "WEB_HOST": "127.0.0.1",
        "WEB_PORT": str(upstream),
        "WEB_WAIT": "1s",
        "PAGES": str(FOLDER / "pages"),
        "XDG_DATA_HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "HOME": str(home),
        "PATH": os.environ["PATH"],
    }
    command = ["caddy", "run", "--config", str(FOLDER / "Caddyfile"), "--adapter", "caddyfile"]
    with (home / "log").open("wb") as log:
        running = subprocess.Popen(command, env=given, stdout=log, stderr=log)
    try:
        for _ in range(200):
            assert running.poll() is None, (home / "log").read_text()[-2000:]
            try:
                proxy.ask("/")
                break
            except OSError:
                time.sleep(0.1)
        yield proxy
    finally:
        running.terminate()
        running.wait(20)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with caddy(tmp_path_factory.mktemp("caddy"), server.server_address[1]) as made:
        yield made
    server.shutdown()
    server.server_close()


def test_pages_come_over_tls_and_the_product_learns_how_and_for_whom(proxy: Proxy) -> None:
    answer, body = proxy.ask("/trials/?page=2", **{"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"})
    seen = json.loads(body)
    assert answer.status == 200
    assert seen["path"] == "/trials/?page=2"
    assert seen["host"] == "localhost"
    assert seen["x-forwarded-proto"] == "https"
    assert "203.0.113.9" not in seen["x-forwarded-for"]  # what a client says of itself goes no further
    assert answer.getheader("Server") != "Caddy"


@pytest.mark.parametrize("path", ["/metrics", "/metrics/state", "/metrics/", "/%6Detrics"])
def test_metrics_stay_inside(proxy: Proxy, path: str) -> None:
    answer, _ = proxy.ask(path, Authorization="Bearer x")
    assert answer.status == 404


def test_plain_http_is_sent_on(proxy: Proxy) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.plain, timeout=10)
    connection.request("GET", "/login/", headers={"Host": "localhost"})
    answer = connection.getresponse()
    assert answer.status == 308
    assert answer.getheader("Location") == "https://localhost/login/"
    connection.close()


def test_a_page_says_so_while_no_web_process_answers(tmp_path: Path) -> None:
    with caddy(tmp_path, free_port()) as away:
        answer, body = away.ask("/")
    assert answer.status in (502, 503)
    assert answer.getheader("Retry-After") == "30"
    assert "Not available at the moment" in body
