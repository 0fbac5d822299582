"""A whole installation for a measurement: a simulator of the vendor, Redis, workers and a database of its own.

Everything but the database's server is started here, on free loopback ports, and ended with the measurement.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from benchmarks import bench
from config.embedded.environment import ROOT
from config.embedded.processes import Child, wait_until
from config.embedded.redis_server import Redis, free_port

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children that have ended; 0 where it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(part) for part in parts[11:15]) / TICKS
    return 0.0


def peak_megabytes(pid: int) -> float:
    """The most memory a process has held at once; 0 where it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def parent_of(pid: int) -> int:
    """0 where the process is not on this machine."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


@dataclass
class Stack:
    """Processes that were started. `address`: the simulator's. `environment`: what every child is told."""

    folder: Path
    address: str
    environment: dict[str, str]
    simulator: Child
    tier: str = ""
    children: list[Child] = field(default_factory=list)

    def sim(self, name: str, **values: Any) -> Any:
        """The simulator's control API: with arguments something is done, without it is asked."""
        url = f"{self.address}/_sim/{name}"
        answer = httpx.post(url, json=values, timeout=60) if values else httpx.get(url, timeout=60)
        return answer.raise_for_status().json()

    def start(self, name: str, *command: str, nice: int = 0) -> Child:
        child = Child(name, [sys.executable, *command], self.environment, self.folder / f"{name}.log", directory=ROOT)
        child.nice = nice
        child.start()
        self.children.append(child)
        return child

    def worker(self, number: int, *more: str) -> Child:
        """A Celery worker of one process, the one that counts: no parent hides its memory."""
        command = ("-m", "celery", "-A", "config", "worker", "--pool", "solo", "--loglevel", "WARNING", *more)
        return self.start(
            f"worker-{number}", *command, "--without-gossip", "--without-mingle", "-n", f"w{number}@bench"
        )

    def wait_for_workers(self, workers: Sequence[Child]) -> None:
        """Returns when each of these workers answers: it has loaded the product then, and takes its messages."""
        from config.celery import app

        for child in workers:
            name = f"w{child.name.rpartition('-')[2]}@bench"

            def answers(name: str = name) -> bool:
                return bool(app.control.ping(destination=[name], timeout=1.0, limit=1))

            if not wait_until(answers, child, child.name, time.sleep):
                raise SystemExit((self.folder / f"{child.name}.log").read_text())

    def wait_until_idle(self, workers: Sequence[Child]) -> None:
        """Returns when no message waits and each of these workers, of one process each, answers between two tasks."""
        from config.celery import app

        with app.connection_for_read() as link:
            while link.default_channel.client.llen(app.conf.task_default_queue):
                time.sleep(0.2)
        self.wait_for_workers(workers)

    def web(self) -> Child:
        """The web server, for the vendor's notices; returns when it answers."""
        child = self.start("web", "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "config.wsgi")
        if not wait_until(lambda: responds(f"{self.environment['PUBLIC_URL']}/login/"), child, "the pages", time.sleep):
            raise SystemExit((self.folder / "web.log").read_text())
        return child

    def stop(self, children: Sequence[Child] | None = None) -> None:
        for child in list(self.children if children is None else children):
            child.stop()
            self.children.remove(child)


@contextlib.contextmanager
def stack(*simulator: str, **settings: str) -> Iterator[Stack]:
    """Redis, the simulator with these arguments, and a database; Django is ready with `settings` in its environment."""
    with tempfile.TemporaryDirectory(prefix="wearable-bench-") as name, contextlib.ExitStack() as ending:
        folder = Path(name)
        redis = Redis(folder / "redis", folder / "redis.log")
        redis.start(time.sleep)
        ending.callback(redis.stop)
        port, web_port = free_port(), free_port()
        os.environ |= {
            "PORT": str(web_port),
            "PUBLIC_URL": f"http://127.0.0.1:{web_port}",
            "WEBHOOK_SECRET": "Bearer benchmarks-only-" + "z" * 20,
            "DEBUG": "True",  # static files by their own names: nothing is collected for a measurement
            "SECRET_KEY": "benchmarks-only-" + "x" * 50,
            "TOKEN_KEYS": "benchmarks-only-" + "y" * 50,
            "REDIS_URL": redis.url,
            "GOOGLE_SIMULATOR_URL": f"http://127.0.0.1:{port}",
            "CLIENT_ID": "",
            "CLIENT_SECRET": "",
            **settings,
        }
        command = [sys.executable, "manage.py", "simulate_google", "--port", str(port), *simulator]
        child = Child("simulator", command, dict(os.environ), folder / "simulator.log", directory=ROOT)
        child.stop_signals = ((signal.SIGTERM, 5.0),)
        child.start()
        ending.callback(child.stop)
        made = Stack(folder, f"http://127.0.0.1:{port}", {}, child)
        if not wait_until(lambda: responds(f"{made.address}/_sim/clock"), child, "the simulator", time.sleep):
            raise SystemExit((folder / "simulator.log").read_text())
        made.tier = ending.enter_context(bench.database())
        from django.db import connection

        url = urlsplit(os.environ["DATABASE_URL"])
        url = url._replace(path="/" + str(connection.settings_dict["NAME"]))
        made.environment = {**os.environ, "DATABASE_URL": urlunsplit(url), "PYTHONUNBUFFERED": "1"}
        try:
            yield made
        finally:
            made.stop()


def responds(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.HTTPError:
        return False


def connect_all(made: Stack, people: int, starts_on: dt.date, *, code: str = "BENCH") -> list[int]:
    """A demo trial whose participants are all connected; returns the connections. Takes grants without the screens."""
    from django.utils import timezone

    from ingestion import live_providers
    from ingestion.connections import services as connections_services
    from ingestion.providers.base.live import Grant
    from participants.services import participant_enrol, trial_create

    trial = trial_create(code=code, title="Benchmark", is_demo=True, status="running", time_zone="Europe/Amsterdam")
    free = [account for account in made.sim("accounts")["accounts"] if account["linked"] and not account["connected"]]
    connections = []
    for account in free[:people]:
        participant = participant_enrol(
            trial=trial,
            study_id=f"B-{account['number']:04d}",
            status="active",
            monitoring_starts_on=starts_on,
            time_zone=account["time_zone"],
        )
        connections.append(connections_services.connect(
            participant=participant, provider=live_providers.provider("google_health"),
            grant=grant(made, account["number"], Grant),
            now=timezone.now(), invitation=None,
        ).connection.pk)  # fmt: skip
    return connections


def grant(made: Stack, account: int | str, kind: Any) -> Any:
    """A consent of an account as the provider would tell it."""
    tokens = made.sim("tokens", user=str(account))
    return kind(
        access_token=tokens["access_token"],
        refresh_token=tokens["refresh_token"],
        expires_at=dt.datetime.now(dt.UTC) + dt.timedelta(seconds=tokens["expires_in"]),
        scopes=frozenset(tokens["scope"].split()),
    )
