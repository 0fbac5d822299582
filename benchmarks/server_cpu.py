"""CPU time of the database server beside a benchmark's own: on shared machines it says more than the clock.

Read from /proc, so it is known where the server runs on this machine and Linux; elsewhere it is not a number.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

from django.db import connection

TICKS = os.sysconf("SC_CLK_TCK")


def server_pid() -> int:
    """Process id of the server that Django's connection speaks with; 0 where it is not to be seen."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    fields = _fields(backend)
    return int(fields[1]) if fields and _name(backend).startswith("postgres") else 0


def server_cpu(pid: int) -> float:
    """CPU seconds of a server until now, with all its processes, those that have ended too; NaN where pid is 0."""
    if not pid:
        return math.nan
    own = _fields(pid)
    ticks = sum(map(int, own[11:15]))  # its own, and of children that have ended
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        ticks += sum(map(int, _fields(int(child))[11:13]))
    return ticks / TICKS


def _fields(pid: int) -> list[str]:
    """What /proc says of a process after its name: state, parent, ...; nothing where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text()
