"""Another writer beside ours, as a command: a peer's way of storing the same rows on the same server.

What the command is given and what it must say (benchmarks/ingest/example_writer.py is one):

- its environment has DATABASE_URL, an empty database of its own on the server that is measured, and `python` is ours;
- it prints `ready` once its tables are there and its connections are open, and keeps these open to the end: a backend
  that has ended is not counted;
- a line `read FILE` on its input names a CSV file, `participant,time,value` (a number, ISO 8601 in UTC, 1/min). It
  brings the rows into the shape that its own way of storing takes, and prints `ready`. What that costs is not counted;
- a line `store` has it store them. It commits and prints the number of rows that it stored. What that costs is counted:
  the processor time of all its processes and of its database's backends;
- at the end of its input it ends.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import numpy as np

from benchmarks import processor_time
from benchmarks.processor_time import Cpu
from metrics.batch import SampleBatch


class OtherWriter:
    """A writer that was started; see this module for what is said to it."""

    def __init__(self, process: subprocess.Popen[str], database: str, folder: Path) -> None:
        self._process, self._database, self._folder = process, database, folder
        self._expect_ready()

    def read(self, participant: int, samples: SampleBatch) -> None:
        path = self._folder / "rows.csv"
        times = np.datetime_as_string(samples.time.astype("datetime64[us]"), unit="us")
        rows = zip(times.tolist(), samples.value.tolist(), strict=True)
        lines = (f"{participant},{time}Z,{value:g}\n" for time, value in rows)
        path.write_text("participant,time,value\n" + "".join(lines))
        self._say(f"read {path}")
        self._expect_ready()

    def store(self) -> Cpu:
        """What storing what was read costs. Raises SystemExit where the writer fails."""
        before = processor_time.of_processes(self._own()), processor_time.of_processes(self._backends())
        self._say("store")
        answer = self._answer()
        if not answer.isdigit():
            raise SystemExit(f"The other writer should have said how many rows it stored, and said {answer!r}.")
        after = processor_time.of_processes(self._own()), processor_time.of_processes(self._backends())
        return Cpu(*(processor_time.spent(*pair) for pair in zip(before, after, strict=True)))

    def _own(self) -> list[int]:
        return processor_time.session_of(self._process.pid)

    def _backends(self) -> list[int]:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", [self._database])
            return [row[0] for row in cursor.fetchall() if processor_time.is_postgres(row[0])]

    def _say(self, line: str) -> None:
        if self._process.stdin:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def _answer(self) -> str:
        return self._process.stdout.readline().strip() if self._process.stdout else ""

    def _expect_ready(self) -> None:
        if (answer := self._answer()) != "ready":
            raise SystemExit(f"The other writer should have said 'ready', and said {answer!r}.")


@contextlib.contextmanager
def started(command: str, folder: Path) -> Iterator[OtherWriter]:
    """The writer of a command line, with a database that is dropped at the end."""
    from django.db import connection

    name = f"{connection.settings_dict['NAME']}_other"
    parts = urlsplit(os.environ["DATABASE_URL"])
    url = urlunsplit(parts._replace(path="/" + quote(name)))
    _run(f'CREATE DATABASE "{name}"')
    try:
        process = subprocess.Popen(
            shlex.split(command),
            env={**os.environ, "DATABASE_URL": url, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield OtherWriter(process, name, folder)
        finally:
            _end(process)
    finally:
        _run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _end(process: subprocess.Popen[Any]) -> None:
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _run(statement: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
