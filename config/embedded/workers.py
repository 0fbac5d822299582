"""Options that `make test` adds to pytest's: how many processes share the tests, and that the slowest are listed.

Several processes for the whole suite, one where few tests were chosen: a process costs some seconds and a database of
its own before its first test, which a handful of tests do not repay.

At its end a run lists the 15 slowest steps that took a second or more (`--durations=15 --durations-min=1`), unless the
caller gives `--durations` themselves (0: all of them).
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from config.embedded.setup import SetupError

# Options that choose tests, or that want the terminal for themselves.
CHOOSING = ("-k", "-m", "--lf", "--last-failed", "--ff", "--failed-first", "--sw", "--stepwise", "--deselect")
ALONE = ("-n", "--numprocesses", "-s", "--capture=no", "--pdb", "--trace", "--co", "--collect-only", "--help")
# More than this and the database server is what they wait for.
MOST = 8
SLOWEST = ["--durations=15", "--durations-min=1"]


def options(arguments: Sequence[str], environment: Mapping[str, str], root: Path) -> list[str]:
    """Options for pytest that go before `arguments`, its own ones. Raises SetupError."""
    return [*_processes(arguments, environment, root), *_slowest(arguments)]


def _slowest(arguments: Sequence[str]) -> list[str]:
    """Options that list the slowest tests; none where the caller says themselves how many."""
    return [] if any(argument.split("=")[0] == "--durations" for argument in arguments) else SLOWEST


def _processes(arguments: Sequence[str], environment: Mapping[str, str], root: Path) -> list[str]:
    """Options of pytest-xdist. WORKERS in the environment decides, where it is set (0: one process)."""
    workers = environment.get("WORKERS", "")
    if importlib.util.find_spec("xdist") is None:  # the environment of the synthetic devices
        count = 0
    elif workers.isdigit():
        count = int(workers)
    elif workers:
        raise SetupError(f"WORKERS must be a number of processes, not {workers!r}.")
    elif any(_chooses(argument, root) for argument in arguments):
        count = 0
    else:
        count = min(MOST, (os.cpu_count() or 1) + 1)  # one more: tests wait for a browser, a server, a clock
    # tests/conftest.py says what stays together; the order stays as it was collected.
    return ["-n", str(count), "--dist", "loadscope", "--no-loadscope-reorder"] if count else []


def _chooses(argument: str, root: Path) -> bool:
    if argument.startswith("--"):
        return argument.split("=", maxsplit=1)[0] in (*CHOOSING, *ALONE) or argument in ALONE
    if argument.startswith("-"):
        return argument[:2] in (*CHOOSING, *ALONE)
    return (root / argument.split("::", maxsplit=1)[0]).exists()
