"""Days of heart rate to be stored: real ones of a Fitabase export, else synthetic ones of the same sizes."""

from __future__ import annotations

import datetime as dt
import gzip
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, cast

import numpy as np

from benchmarks import bench
from metrics.batch import SampleBatch
from metrics.local_time import EPOCH, LocalCalendar

ROOT = Path(__file__).resolve().parents[2]
FITABASE = ROOT.parent / "shared" / "data" / "fitabase"
ZONE = zoneinfo.ZoneInfo("America/New_York")
# Rows of a real day (124 days of four people, spring 2016): the least, each tenth, and the most.
ROWS_BY_TENTH = (69, 3812, 4836, 5443, 5708, 7814, 8842, 9172, 9543, 25_584, 37_357)
PEOPLE, DAYS = 4, 31


@dataclass(frozen=True, slots=True)
class Day:
    """All heart rates of one person on one local date."""

    date: dt.date
    samples: SampleBatch


def days(folder: Path) -> tuple[str, list[list[Day]]]:
    """Where the days come from, in words, and the days of each person in order."""
    files = sorted(folder.glob("heartrate_seconds*.gz"))
    if files:
        people = list(_real(files))
        return f"real days of {folder}", people
    tenths = ", ".join(f"{rows:,}" for rows in ROWS_BY_TENTH)
    return (
        f"NO REAL DATA at {folder}: synthetic days whose numbers of rows are spread as those of real days were"
        f" (tenths: {tenths})",
        _synthetic(),
    )


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path))


def _real(files: list[Path]) -> Iterator[list[Day]]:
    """As the import reads them; a heart rate that stands in two files is taken once."""
    from ingestion.providers.base.files import FileJob
    from ingestion.providers.fitabase import FORMATS

    reader = next(form for form in FORMATS if form.code == "fitabase.heartrate_seconds")
    parts: dict[str | None, list[SampleBatch]] = {}
    for path in files:
        job = FileJob(
            name=path.name,
            open=partial(_opened, path),
            zone_of=lambda label: ZONE,
            now=dt.datetime.now(dt.UTC),
        )
        for chunk in reader.chunks(job):
            for label, payload in chunk.payloads.items():
                parts.setdefault(label, []).extend(payload.samples)
    calendar = LocalCalendar(ZONE)
    for batches in parts.values():
        time, first = np.unique(np.concatenate([batch.time for batch in batches]), return_index=True)
        value = np.concatenate([batch.value for batch in batches])[first]
        dates = calendar.dates(time)
        cuts = np.flatnonzero(np.diff(dates)) + 1
        yield [
            Day(EPOCH + dt.timedelta(days=int(date[0])), SampleBatch("heart_rate", bench.SOURCE, at, rate))
            for date, at, rate in zip(*(np.split(column, cuts) for column in (dates, time, value)), strict=True)
        ]


def _synthetic() -> list[list[Day]]:
    """Days whose sizes are drawn from the real ones' spread, always the same ones."""
    rng = np.random.default_rng(1)
    tenths = np.linspace(0, 1, len(ROWS_BY_TENTH))
    people = []
    for person in range(PEOPLE):
        rows = np.interp(rng.random(DAYS), tenths, ROWS_BY_TENTH).astype(int)
        people.append(
            [
                Day(
                    (bench.FIRST_DAY + dt.timedelta(days=day)).date(),
                    bench.heart_rate_day(person, day, int(n)),
                )
                for day, n in enumerate(rows)
            ]
        )
    return people
