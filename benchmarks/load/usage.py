"""Processor time by group of processes: each with all that descend from it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks import stack
from benchmarks.sync import postgres_seconds


def tree_seconds(pid: int) -> float:
    """Processor time of a process, of its living descendants and of those that have ended."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            children.setdefault(stack.parent_of(int(folder.name)), []).append(int(folder.name))
    total, waiting = 0.0, [pid]
    while waiting:
        current = waiting.pop()
        total += stack.cpu_seconds(current)
        waiting += children.get(current, [])
    return total


class Usage:
    """Counts from the moment it is made. `groups`: name -> process. PostgreSQL's are found by themselves."""

    def __init__(self, groups: Mapping[str, int]) -> None:
        self._groups = groups
        self._before = self._now()
        self._began = time.monotonic()

    def _now(self) -> dict[str, float]:
        return {name: tree_seconds(pid) for name, pid in self._groups.items()} | {"PostgreSQL": postgres_seconds()}

    def rows(self) -> list[list[str]]:
        took, now = time.monotonic() - self._began, self._now()
        spent = {name: seconds - self._before[name] for name, seconds in now.items()}
        lines = [[name, f"{s:,.1f}", f"{s / took:.2f}"] for name, s in spent.items()]
        return [*lines, ["together", f"{sum(spent.values()):,.1f}", f"{sum(spent.values()) / took:.2f}"]]
