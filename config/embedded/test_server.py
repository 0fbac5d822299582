"""PostgreSQL server for one command (the tests, a benchmark), and the options that `make test` adds to pytest's.

Several processes for the whole suite, one where few tests were chosen: a process costs some seconds and a database of
its own before its first test, which a handful of tests do not repay.

At its end a run lists the 15 slowest steps that took a second or more (`--durations=15 --durations-min=1`), unless the
caller gives `--durations` themselves (0: all of them).
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from config.embedded import environment
from config.embedded.environment import LOGS, ROOT, VAR
from config.embedded.postgres import Postgres
from config.embedded.setup import SetupError, hold

# What a product that runs in this folder has published, and tests must not take for theirs.
OF_A_RUNNING_PRODUCT = {"GOOGLE_SIMULATOR_URL": "", "EMAIL_HOST": "", "DEMO_MAIL_FOLDER": ""}
# Options that choose tests, or that want the terminal for themselves.
CHOOSING = ("-k", "-m", "--lf", "--last-failed", "--ff", "--failed-first", "--sw", "--stepwise", "--deselect")
ALONE = ("-n", "--numprocesses", "-s", "--capture=no", "--pdb", "--trace", "--co", "--collect-only", "--help")
# More than this and the database server is what they wait for.
MOST = 8
SLOWEST = ["--durations=15", "--durations-min=1"]


def run_with_postgres(folder: str, command: Sequence[str], *, safe: bool) -> int:
    """Runs `python COMMAND` with a DATABASE_URL; returns its exit status.

    The server lives in `var/<folder>` and stops with the command; its files stay, which saves time at the next
    run. A DATABASE_URL in the environment is used instead (one in `.env` is not: tests do not belong in a
    database of record). `safe` keeps fsync on, as a measurement needs. Raises SetupError, PostgresFault.
    """
    settings = {"SECRET_KEY": "for-tests-and-measurements-only", **OF_A_RUNNING_PRODUCT, **os.environ}
    if environment.given("DATABASE_URL"):
        return _in_foreground(command, settings)
    lock = hold(VAR / f"{folder}.lock")
    if lock is None:
        raise SetupError(f"Another run uses var/{folder}. Wait for it, or set DATABASE_URL to a server of your own.")
    server = Postgres(VAR / folder, LOGS / f"{folder}.log", throw_away=not safe)
    try:
        server.start(time.sleep)
        return _in_foreground(command, {**settings, "DATABASE_URL": server.url()})
    finally:
        server.stop()
        os.close(lock)


def _in_foreground(command: Sequence[str], settings: Mapping[str, str]) -> int:
    """Runs the command in our own process group: Ctrl-C reaches it by itself, and we wait until it has tidied up."""
    process = subprocess.Popen([sys.executable, *command], env=dict(settings), cwd=ROOT)

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        process.terminate()

    def leave_to_child(_number: int, _frame: FrameType | None) -> None:
        """The terminal has told it already."""

    before = signal.signal(signal.SIGTERM, pass_on), signal.signal(signal.SIGINT, leave_to_child)
    try:
        return process.wait()
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])


def pytest_options(arguments: Sequence[str], environment: Mapping[str, str], root: Path) -> list[str]:
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
