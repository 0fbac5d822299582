"""Processor time of this program, of its server's backends and of other processes, where they are on this machine.

Wall time on a machine that does other work says little; processor time says what the work costs. Of the server it is
that of backends alone: what writes the log and the pages behind them is the same for all that is compared.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of processor time: of the program, and of the server's backend (0 where that is not known)."""

    program: float
    server: float

    @property
    def all(self) -> float:
        return self.program + self.server


def of_process(pid: int) -> float:
    """Seconds that a process has used up to now, to the nanosecond; 0 where it is gone or not on this machine.

    Its clock's number follows from its own, see clock_getcpuclockid(3); /proc would tell hundredths of a second.
    """
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)
    return 0.0


def of_processes(pids: Iterable[int]) -> dict[int, float]:
    return {pid: of_process(pid) for pid in pids}


def spent(before: dict[int, float], after: dict[int, float]) -> float:
    """Seconds between two looks at some processes; those that are new began at 0, those that have ended are lost."""
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items() if seconds)


def is_postgres(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def own_backend() -> int | None:
    """The process that serves our connection; None where the server is not on this machine, or hides its processes."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = int(cursor.fetchone()[0])
    return pid if is_postgres(pid) else None


def measured(work: Callable[[], Any], backend: int | None) -> Cpu:
    """What a piece of work costs this program and the backend that serves it."""
    server, program = of_process(backend) if backend else 0.0, time.process_time()
    work()
    program = time.process_time() - program
    return Cpu(program, of_process(backend) - server if backend else 0.0)


def session_of(pid: int) -> list[int]:
    """The processes of the session that a process leads: itself and what it has started."""
    found = []
    for entry in os.scandir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            if os.getsid(int(entry.name)) == pid:
                found.append(int(entry.name))
    return found
