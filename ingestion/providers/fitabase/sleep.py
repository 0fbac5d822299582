"""Minute sleep, Fitbit's classic staging: a minute a row, an episode a logId."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ingestion.providers.base import Chunk, FileJob
from ingestion.providers.cells import labels, us_datetimes
from ingestion.providers.fitabase.reading import (
    DATE_TIME,
    SOURCE,
    Part,
    People,
    Table,
    good_instants,
    good_numbers,
    good_times,
    parts,
)
from metrics.batch import MICROSECOND, SleepRecord, Stage, Times, instant

LEVELS = {1: "asleep", 2: "restless", 3: "awake"}
MINUTE = 60 * MICROSECOND
NIGHTS = 1000  # handed over at once

Minutes = list[tuple[Times, NDArray[np.int8]]]  # instants (microseconds UTC) and levels, a block each


class MinuteSleep(Table):
    """Episodes may cross any border of blocks and days, so they are put together over the whole file."""

    code: ClassVar[str] = "fitabase.minuteSleep"
    columns: ClassVar[tuple[str, ...]] = ("date", "value", "logId")

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        people = People(job)
        episodes: dict[tuple[str | None, str], Minutes] = {}
        for chunk, found in parts(job, self.columns, people):
            for part in found:
                self._collect(job, part, episodes)
            people.take_notes(chunk)
            yield chunk
        while episodes:
            nights = Chunk(position=job.size)
            for key in list(episodes)[:NIGHTS]:
                nights.delivery(key[0]).sleep.append(_episode(key[1], episodes.pop(key), nights))
            yield nights

    def _collect(self, job: FileJob, part: Part, episodes: dict[tuple[str | None, str], Minutes]) -> None:
        local, ok = us_datetimes(part.block.columns["date"])
        usable = good_times(part, "date", local, ok, DATE_TIME)
        values, usable = good_numbers(part, "value", usable)
        known = np.isin(values, list(LEVELS))
        part.chunk.reject(part.block.lines[usable & ~known], "value is not 1 (asleep), 2 (restless) or 3 (awake)")
        codes, log_ids = labels(part.block.columns["logId"])
        named = np.array([0 < len(log_id) <= 64 for log_id in log_ids], dtype=bool)[codes]
        part.chunk.reject(part.block.lines[usable & known & ~named], "logId is missing or too long")
        usable &= known & named
        time = part.clock.utc(local[usable])
        timely = good_instants(part, time, part.block.lines[usable], job)
        time, levels, codes = time[timely], values[usable][timely].astype(np.int8), codes[usable][timely]
        for code in np.unique(codes):
            mine = codes == code
            episodes.setdefault((part.label, log_ids[int(code)]), []).append((time[mine], levels[mine]))


def _episode(log_id: str, minutes: Minutes, chunk: Chunk) -> SleepRecord:
    """One episode: neighbouring minutes of one level are a stage."""
    time, levels = np.concatenate([part[0] for part in minutes]), np.concatenate([part[1] for part in minutes])
    order = np.argsort(time, kind="stable")
    last = np.append(np.diff(time[order]) > 0, True)
    order = order[last]
    chunk.skip("minute of sleep given twice", len(time) - len(order))
    time, levels = time[order], levels[order]
    begins = np.concatenate([[True], (np.diff(levels) != 0) | (np.diff(time) != MINUTE)])
    starts = np.flatnonzero(begins)
    lengths = np.diff(np.append(starts, len(time)))
    stages = tuple(
        Stage(instant(time[start]), int(length) * 60, LEVELS[int(levels[start])])
        for start, length in zip(starts, lengths, strict=True)
    )
    return SleepRecord(SOURCE, log_id, stages[0].starts_at, instant(time[-1] + MINUTE), stages)
