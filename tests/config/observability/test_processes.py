"""Several processes of a program add up: gunicorn's workers, and the children of Celery's."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.multiprocess import MultiProcessCollector

from config.embedded.redis_server import free_port
from config.observability import exposition, multiprocess
from tests.config.observability.conftest import TOKEN
from tests.paths import ROOT

pytestmark = pytest.mark.xdist_group("gunicorn")

NAME = "django_http_requests_before_middlewares_total"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Port and folder of gunicorn with two processes, its own settings, and neither database nor Redis."""
    port, folder = free_port(), tmp_path / "metrics"
    folder.mkdir()
    (folder / "counter_1.db").write_bytes(b"from an earlier run")
    environment = {
        "PATH": os.defpath,
        "PORT": str(port),
        "WEB_CONCURRENCY": "2",
        "SECRET_KEY": "x" * 50,
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "METRICS_TOKEN": TOKEN,
        "PROMETHEUS_MULTIPROC_DIR": str(folder),
    }
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "config.wsgi"]
    with (tmp_path / "log").open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    yield port, folder
    process.terminate()
    process.wait(20)


def ask(port: int, path: str, **headers: str) -> tuple[int, str]:
    """Status and text; 0 where nobody listens yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except ConnectionRefusedError:
        return 0, ""
    finally:
        connection.close()


def counted(file: Path) -> float:
    """What one process counted of NAME."""
    if not file.stat().st_size:
        return 0.0  # it is being made
    found = MultiProcessCollector.merge([str(file)])  # type: ignore[no-untyped-call]
    return float(sum(sample.value for metric in found for sample in metric.samples if sample.name == NAME))


def test_two_web_processes_add_up(web: tuple[int, Path]) -> None:
    port, folder = web
    until, asked = time.monotonic() + 60, 0
    while time.monotonic() < until:
        status, _ = ask(port, "/health/live")
        asked += status != 0
        files = list(folder.glob("counter_*.db"))
        if len(files) == 2 and asked > 10 and all(counted(file) for file in files):
            break
        time.sleep(0 if asked else 0.1)
    (folder / "gauge_all_1.db").touch()  # as that of a process that is about to count
    status, text = ask(port, "/metrics", Authorization=f"Bearer {TOKEN}")
    said = next(line for line in text.splitlines() if line.startswith(f"{NAME} "))
    assert (status, float(said.split()[1]), len(files)) == (200, asked + 1, 2)


def test_a_worker_hands_out_what_its_processes_counted() -> None:
    server = exposition.serve("127.0.0.1", 0)
    assert server is not None
    try:
        status, text = ask(server.server_port, "/metrics")
        assert (status, "# TYPE wearable_tasks_total counter" in text) == (200, True)
        assert ask(server.server_port, "/")[0] == 404
    finally:
        server.shutdown()
        server.server_close()


def test_a_port_that_is_taken_stops_no_work(caplog: pytest.LogCaptureFixture) -> None:
    server = exposition.serve("127.0.0.1", 0)
    assert server is not None
    try:
        assert exposition.serve("127.0.0.1", server.server_port) is None
        assert "metrics are not handed out" in caplog.text
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("arguments", "worker"),
    [
        (["/venv/lib/celery/__main__.py", "-A", "config", "worker", "--concurrency", "2"], True),
        (["/venv/bin/celery", "--app=config", "worker"], True),
        (["/venv/bin/celery", "-A", "config", "beat"], False),
        (["manage.py", "worker"], False),
    ],
)
def test_workers_are_known_by_their_command(arguments: list[str], worker: bool) -> None:
    assert multiprocess.is_worker(arguments) is worker


def test_a_throw_away_folder_goes_when_its_program_was_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    monkeypatch.setattr(multiprocess, "_memory", lambda: str(tmp_path))
    monkeypatch.setenv(multiprocess.NAME, "")
    left, kept = (tmp_path / f"{multiprocess.PREFIX}{pid}-abc" for pid in (ended.pid, os.getpid()))
    left.mkdir()
    kept.mkdir()
    monkeypatch.setattr("atexit.register", lambda *_: None)
    made = multiprocess.begin()
    assert (left.exists(), kept.exists(), made.is_dir()) == (False, True, True)
