"""Shared parts of the benchmarks: a database of their own, rows to store, and a table of medians.

Timings on shared machines drift; the benchmarks therefore run what they compare in turns and print ratios.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import statistics
from collections.abc import Iterator, Sequence

import django
import numpy as np

from metrics.batch import MICROSECOND, SampleBatch, SourceKey, microseconds

SOURCE = SourceKey("benchmark", "", "Charge 6", synthetic=True)
FIRST_DAY = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)


@contextlib.contextmanager
def database() -> Iterator[str]:
    """A migrated database made for this run on the server of DATABASE_URL, dropped at the end; yields its description.

    Whether the server waits for its disk decides what a single row's commit costs, so that is said too.
    """
    os.environ.setdefault("SECRET_KEY", "benchmarks-only")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # Their managers sign in without a form; those without a second factor would be sent to the page that makes one.
    os.environ.setdefault("SECOND_FACTOR", "optional")
    django.setup()
    from django.db import connection

    from metrics.storage.timescale import tier

    name = connection.settings_dict["NAME"]
    connection.settings_dict.setdefault("TEST", {})["NAME"] = f"bench_{os.getpid()}"
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
            fsync, commit = cursor.fetchone()
        yield f"{tier().value}, fsync {fsync}, synchronous_commit {commit}"
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def heart_rate_day(participant: int, day: int, rows: int = 14_800) -> SampleBatch:
    """A day of heart rate about every 5.8 s, seeded by its arguments; ascending, 1-second resolution."""
    rng = np.random.default_rng([participant, day])
    steps = rng.integers(1, 2 * 86_400 // rows, rows)
    seconds = np.cumsum(steps) * 86_399 // steps.sum()
    seconds = np.unique(seconds)
    start = microseconds(FIRST_DAY + dt.timedelta(days=day))
    circadian = 68 - 12 * np.cos(2 * np.pi * (seconds / 86_400 - 0.12))
    value = np.rint(circadian + rng.normal(0, 5, len(seconds))).clip(40, 190)
    return SampleBatch("heart_rate", SOURCE, start + seconds * MICROSECOND, value)


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, its first column left-aligned and the others right-aligned."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    print(f"\n{title}")
    for row in (head, ["-" * width for width in widths], *rows):
        cells = [
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells))


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
