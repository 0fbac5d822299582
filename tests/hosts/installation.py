"""An installation on several hosts, as far as one machine can play them: processes that share a PostgreSQL, a Redis and
a bucket, each host with a disk of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import httpx
from django.db import connection

from config.embedded.redis_server import free_port
from tests.paths import ROOT

PATIENCE_SECONDS = 120.0
QUICK = {
    "SYNC_RETRY_SECONDS": "1",
    "SYNC_CLAIM_MINUTES": "0.05",
    "SYNC_EVERY_MINUTES": "5",
    "SYNC_JITTER_MINUTES": "0",
    "HEARTBEAT_SECONDS": "10",  # a busy machine must not let the lease run out
    "LOG_LEVEL": "INFO",
    "WEB_CONCURRENCY": "1",
    "SECOND_FACTOR": "optional",
    "DEBUG": "True",  # static files by their own names: nothing is collected
    "PYTHONUNBUFFERED": "1",
    "EMAIL_HOST": "",
}


def wait(said: Callable[[], Any], what: str) -> Any:
    """What it says as soon as that is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := said()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return found


@dataclass
class Installation:
    folder: Path
    environment: dict[str, str]
    simulator: str = ""
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @classmethod
    def at(cls, folder: Path, redis: str, bucket: dict[str, str]) -> Installation:
        """Settings that all hosts share. The database is the test's."""
        url = urlsplit(os.environ["DATABASE_URL"])._replace(path="/" + quote(str(connection.settings_dict["NAME"])))
        simulator = f"http://127.0.0.1:{free_port()}"
        shared = {
            "DATABASE_URL": urlunsplit(url),
            "REDIS_URL": redis,
            "SECRET_KEY": "the-same-on-all-hosts-" + "x" * 40,
            "TOKEN_KEYS": "the-same-on-all-hosts-" + "y" * 40,
            "GOOGLE_SIMULATOR_URL": simulator,
            "CLIENT_ID": "",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        return cls(folder, {**os.environ, **QUICK, **shared, **bucket}, simulator)

    def host(self, name: str) -> dict[str, str]:
        """A disk of its own."""
        return {"EXPORT_FOLDER": str(self.folder / name / "exports"), "ERASURE_JOURNAL": str(self.folder / name / "e")}

    def start(self, name: str, *command: str, **more: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=self.environment | self.host(name) | more,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def web(self, name: str) -> str:
        """Its address; it may still be starting."""
        port = str(free_port())
        self.start(name, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "config.wsgi", PORT=port)
        return f"http://127.0.0.1:{port}"

    def worker(self, name: str, queues: str) -> None:
        command = ("-m", "celery", "-A", "config", "worker", "--pool", "solo", "--loglevel", "INFO", "-n", f"{name}@t")
        self.start(name, *command, "--without-gossip", "--without-mingle", "--queues", queues)

    def beat(self, name: str) -> None:
        self.start(name, "-m", "celery", "-A", "tests.hosts.hurried", "beat", "--loglevel", "INFO")

    def run(self, *command: str) -> str:
        """A program that ends by itself, and well."""
        told = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environment | self.host("desk"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 0, told.stdout + told.stderr
        return told.stdout

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def kill(self, name: str) -> None:
        self.running[name].kill()
        self.running[name].wait()

    def end(self) -> None:
        """Nobody waits for what is left to do: only web servers are asked, so that they end their own children."""
        for name, child in self.running.items():
            if name.startswith("web"):
                child.terminate()
            else:
                child.kill()
        for child in self.running.values():
            child.wait(20)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.HTTPError:
        return False
