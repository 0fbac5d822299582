"""PostgreSQL server for one command: the tests, a benchmark."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from types import FrameType

from config.embedded import environment
from config.embedded.environment import LOGS, ROOT, VAR
from config.embedded.postgres import Postgres
from config.embedded.setup import SetupError, hold

# What a product that runs in this folder has published, and tests must not take for theirs.
OF_A_RUNNING_PRODUCT = {"GOOGLE_SIMULATOR_URL": "", "EMAIL_HOST": "", "DEMO_MAIL_FOLDER": ""}


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
