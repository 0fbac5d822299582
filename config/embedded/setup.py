"""Machine checks that the set-up (deploy/bootstrap.py) and the supervisor share: a lock, a port, a Redis.

Standard library only, and syntax that Python 3.7 still reads, as the whole of the set-up: it runs before anything is
installed.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
REDIS_SERVERS = ("redis-server", "valkey-server")
REDIS_ADVICE = (
    "Redis is missing. Install it and start again: `apt install redis-server` (Debian, Ubuntu), "
    "`dnf install valkey` (Fedora), `brew install redis` (macOS); or set REDIS_URL to a server that runs."
)


class SetupError(Exception):
    """Set-up error that the user must mend; the text says how."""


def port_wanted() -> int:
    """The web port: PORT, else 8000."""
    raw = os.environ.get("PORT") or "8000"
    if not raw.isdigit() or not 0 < int(raw) < 65536:
        raise SetupError("PORT must be a number from 1 to 65535, not %r." % raw)
    return int(raw)


def hold(path: Path) -> int | None:
    """Take the lock file at `path` until this process ends; None when another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(str(path), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def check_port(port: int, patience_seconds: float = 4.0) -> None:
    """Refuse a taken port. Waits a moment first, for one that has just been stopped."""
    deadline = time.monotonic() + patience_seconds
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return
            except PermissionError:
                raise SetupError("Port %d needs root. Choose another: PORT=8001 make demo" % port) from None
            except OSError:
                if time.monotonic() > deadline:
                    advice = "Port %d is taken by another program. Choose another: PORT=%d make demo"
                    raise SetupError(advice % (port, port + 1 if port < 65535 else 8001)) from None
        time.sleep(0.2)
