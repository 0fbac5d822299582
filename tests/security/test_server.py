"""The real web server with its own settings: what it says of itself, and how it answers what is no request."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from config.embedded.redis_server import free_port
from tests.paths import ROOT

INSIDE = re.compile(r"gunicorn|python|django\.|wsgi|Traceback|\.py\b", re.IGNORECASE)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server without a database and without collected static files: nothing here needs them."""
    folder = tmp_path_factory.mktemp("gunicorn")
    (folder / "walked_settings.py").write_text(
        "from config.settings import *\n"
        "STORAGES['staticfiles'] = {'BACKEND': 'django.contrib.staticfiles.storage.StaticFilesStorage'}\n"
        "WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True\n"
    )
    chosen = free_port()
    environment = {
        "PATH": os.defpath,
        "HOST": "127.0.0.1",
        "PORT": str(chosen),
        "WEB_CONCURRENCY": "1",
        "SECRET_KEY": "x" * 50,
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "DJANGO_SETTINGS_MODULE": "walked_settings",
        "PYTHONPATH": str(folder),
    }
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "config.wsgi"]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    for _ in range(1200):
        if "Booting worker" in log.read_text():
            break
        time.sleep(0.05)
    yield chosen
    process.terminate()
    process.wait(20)


def asked(port: int, request: bytes) -> str:
    """What comes back on these very bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer.decode("utf-8", "replace")


def test_an_answer_does_not_say_whose_software_it_is(port: int) -> None:
    answer = asked(port, b"POST /webhooks/nobody/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}")
    head = answer.partition("\r\n\r\n")[0]
    assert head.startswith("HTTP/1.1 404")
    assert "\r\nServer: web\r\n" in head
    for header in ("Content-Security-Policy", "X-Content-Type-Options", "Permissions-Policy", "X-Frame-Options"):
        assert f"\r\n{header}: " in head
    assert not INSIDE.search(answer)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
        b"GET\r\n\r\n",
        b"GET /webhooks/x/ HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /webhooks/x/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /webhooks/x/ HTTP/1.1\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(1200)) + b"\r\n",
        b"POST /webhooks/x/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: abc\r\n\r\n{}",
        b"POST /webhooks/x/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /webhooks/x/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"POST /webhooks/x/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /webhooks/x/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50\r\n\r\n{}",
        b"GET /webhooks/x/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /webhooks/x/\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /%00%ff/../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /static/../config/settings.py HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /static/%2e%2e/config/settings.py HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
)
def test_what_is_no_request_of_ours_is_refused_without_a_hint_of_the_inside(port: int, request_bytes: bytes) -> None:
    answer = asked(port, request_bytes)
    status = re.match(r"HTTP/1\.[01] (\d{3})", answer)
    assert not answer or (status and 400 <= int(status[1]) < 500), answer[:300]
    assert not INSIDE.search(answer)
    assert "root:" not in answer
    assert "SECRET_KEY" not in answer
