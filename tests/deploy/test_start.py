"""Every program of docker-compose.yml by hand: its own command, its own environment, its own order, on real servers.

What differs from a container: hosts are loopback, ports are free ones, and folders lie in a temporary place. The
database's roles are made by the script that the database's image would run.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from redis import Redis as Client

from config.embedded.postgres import Postgres, PostgresFault, programs
from config.embedded.redis_server import Redis, RedisFault, free_port
from config.health.checks import MARK
from deploy import make_secrets, probe
from tests.deploy.compose import command, environment, services, start_order
from tests.paths import ROOT

PATIENCE_SECONDS = 90.0
LASTING = ("web", "worker", "exports", "beat")


@dataclass
class Installation:
    """The servers, the folders, and the programs that were started."""

    home: Path
    postgres: Postgres
    redis: Redis
    port: int = field(default_factory=free_port)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def variables(self, name: str) -> dict[str, str]:
        """The environment of one service: .env as it is copied, and over it what the compose file says."""
        folder = self.home / name
        copied = re.findall(r"^([A-Z0-9_]+)=(.*)$", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)
        here = {"/run/secrets": self.home / "secrets", "/run/metrics": folder, "/srv": folder}
        found: dict[str, str] = dict(copied) | environment(name, dict(copied))
        for there, lies in here.items():
            found = {key: value.replace(there, str(lies)) for key, value in found.items()}
        for inner in (folder, folder / "exports", folder / "journal"):
            inner.mkdir(exist_ok=True)
        loopback = {"DB_HOST": str(self.postgres.socket_folder), "REDIS_URL": self.redis.url, "HOST": "127.0.0.1"}
        ports = {"PORT": str(self.port), "WORKER_METRICS_HOST": "127.0.0.1", "WORKER_METRICS_PORT": str(free_port())}
        path = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}", "HOME": str(self.home)}
        return found | loopback | ports | path

    def start(self, name: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{name}.log").open("wb") as log:
            started = subprocess.Popen(
                command(name, {}), cwd=ROOT, env=self.variables(name), stdout=log, stderr=subprocess.STDOUT
            )
        self.running[name] = started
        return started

    def log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text()[-3000:]

    def parts(self) -> dict[str, Any]:
        """What /health/ready says of each part; none where there is no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/health/ready")
            found: dict[str, Any] = json.load(connection.getresponse())["parts"]
        except (OSError, http.client.HTTPException, ValueError):
            return {}
        finally:
            connection.close()
        return found

    def make_roles(self) -> None:
        """A database as the image makes it, and in it the roles."""
        with psycopg.connect(self.postgres.url(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE wearable")
        make_secrets.make(self.home / "secrets")
        script = ROOT / "deploy" / "database" / "roles.sh"
        given = {"POSTGRES_USER": "postgres", "POSTGRES_DB": "wearable", "SECRETS": str(self.home / "secrets")}
        path = {"PATH": f"{programs()}:{os.defpath}", "PGHOST": str(self.postgres.socket_folder)}
        subprocess.run(["sh", str(script)], env=given | path, check=True)


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """In a folder outside pytest's own: the database's user must get into it."""
    if "host=" not in os.environ.get("DATABASE_URL", ""):
        pytest.skip("It brings servers of its own: once, beside the embedded database, is enough.")
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        try:
            postgres = Postgres(home / "postgres", home / "postgres.log", throw_away=True)
            redis = Redis(home / "redis", home / "redis.log")
        except (PostgresFault, RedisFault) as fault:
            pytest.skip(str(fault))
        made = Installation(home, postgres, redis)
        try:
            postgres.start(time.sleep)
            redis.start(time.sleep)
            with Client.from_url(redis.url) as client:
                client.set(MARK, 0)  # no Redis that began empty a moment ago, of which /health/ready would tell
            made.make_roles()
            yield made
        finally:
            for each in made.running.values():
                each.kill()
                each.wait()
            redis.stop()
            postgres.stop()
            if not postgres.socket_folder.is_relative_to(home):
                shutil.rmtree(postgres.socket_folder)


def test_the_roles_have_no_more_than_they_need(installation: Installation) -> None:
    with psycopg.connect(installation.postgres.url("wearable")) as connection:
        rows = connection.execute(
            "SELECT rolname, rolsuper, rolreplication, rolcreaterole FROM pg_roles"
            " WHERE rolname IN ('wearable', 'watcher', 'backup') ORDER BY rolname"
        ).fetchall()
    assert rows == [("backup", False, True, False), ("watcher", False, False, False), ("wearable", False, False, False)]


def test_all_programs_start_in_the_files_order_and_end_when_told(installation: Installation) -> None:
    """Some 20 s: it is the whole start of an installation."""
    order = [name for name in start_order() if name in {"migrate", *LASTING}]
    assert order[0] == "migrate"
    assert installation.start("migrate").wait(120) == 0, installation.log("migrate")
    for name in order[1:]:
        installation.start(name)
    until = time.monotonic() + PATIENCE_SECONDS
    while not (parts := installation.parts()) or not all(part["ok"] for part in parts.values()):
        dead = [name for name in LASTING if installation.running[name].poll() is not None]
        assert not dead, installation.log(dead[0])
        assert time.monotonic() < until, {name: part for name, part in parts.items() if not part["ok"]}
        time.sleep(0.5)
    assert {"database", "redis", "scheduler", "workers", "exports"} <= set(parts)
    assert probe.status(installation.port, "/health/live") == 200

    for name in reversed(order[1:]):
        installation.running[name].send_signal(signal.SIGTERM)
    for name in order[1:]:
        grace = int(services()[name].get("stop_grace_period", "10s").removesuffix("s"))
        assert installation.running[name].wait(grace) == 0, installation.log(name)
