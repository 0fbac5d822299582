"""PgBouncer in transaction pooling mode, in front of the server that the tests use."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from config.embedded.redis_server import free_port

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


def required() -> str:
    """The program. Debian's package `pgbouncer`; the gate installs it."""
    if PROGRAM is None:
        assert not os.environ.get("CI"), "PgBouncer is missing, and in CI its tests may not be skipped."
        pytest.skip("PgBouncer is not installed (Debian: apt install pgbouncer): what it would break is not tested.")
    return PROGRAM


def _settings(server: dict[str, Any], port: int, size: int) -> str:
    asked = {"host": server["HOST"], "port": server["PORT"], "user": server["USER"], "password": server["PASSWORD"]}
    where = " ".join(f"{name}={value}" for name, value in asked.items() if value)
    lines = ["[databases]", f"* = {where}", "[pgbouncer]", "listen_addr = 127.0.0.1", f"listen_port = {port}"]
    lines += ["unix_socket_dir =", "auth_type = any", "pool_mode = transaction", f"default_pool_size = {size}"]
    return "\n".join([*lines, ""])


def _user(server: dict[str, Any]) -> list[str]:
    """PgBouncer does not run as root: then it runs as whom the server's socket belongs to."""
    if os.geteuid() != 0:
        return []
    socket_folder = Path(server["HOST"] or "/")
    owner = pwd.getpwuid(socket_folder.stat().st_uid).pw_name if socket_folder.is_dir() else "nobody"
    return ["-u", owner if owner != "root" else "nobody"]


@contextmanager
def pooler(*, size: int) -> Iterator[int]:
    """Its port. At most `size` connections to the server, however many clients there are."""
    program, port = required(), free_port()
    server: dict[str, Any] = connection.settings_dict
    with tempfile.TemporaryDirectory() as name:  # pytest's folders are for their owner alone
        file, log = Path(name) / "pgbouncer.ini", Path(name) / "log"
        Path(name).chmod(0o755)
        file.write_text(_settings(server, port, size))
        with log.open("wb") as output:
            child = subprocess.Popen([program, *_user(server), str(file)], stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + 30
            while not _listens(port):
                assert child.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield port
        finally:
            child.terminate()
            child.wait(10)


def _listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def through(port: int) -> Iterator[None]:
    """This thread's database is reached by way of it."""
    direct = connections["default"]
    pooled = direct.copy()
    pooled.settings_dict.update(HOST="127.0.0.1", PORT=str(port))
    connections["default"] = pooled
    try:
        yield
    finally:
        pooled.close()
        connections["default"] = direct
