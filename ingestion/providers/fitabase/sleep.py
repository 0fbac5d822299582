"""Minute sleep, Fitbit's classic staging: a minute a row, an episode a logId."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from dataclasses import replace
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
from ingestion.providers.night_clock import read_night
from metrics.batch import MICROSECOND, SleepRecord, Stage, Times, instant

LEVELS = {1: "asleep", 2: "restless", 3: "awake"}
MINUTE = 60 * MICROSECOND
NIGHTS = 1000  # handed over at once

# Stamps (local microseconds), the instants they are by the clock on the wall, and levels: a block each, in file order.
Minutes = list[tuple[Times, Times, NDArray[np.int8]]]


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
                zone = people.clock(key[0]).zone
                nights.delivery(key[0]).sleep.append(_episode(key[1], episodes.pop(key), zone, nights))
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
        stamps, time = local[usable][timely], time[timely]
        levels, codes = values[usable][timely].astype(np.int8), codes[usable][timely]
        for code in np.unique(codes):
            mine = codes == code
            rows = (stamps[mine], time[mine], levels[mine])
            episodes.setdefault((part.label, log_ids[int(code)]), []).append(rows)


def _episode(log_id: str, minutes: Minutes, zone: zoneinfo.ZoneInfo, chunk: Chunk) -> SleepRecord:
    """One episode: neighbouring minutes of one level are a stage."""
    stamps, time, levels = (np.concatenate(column) for column in zip(*minutes, strict=True))
    if len(np.unique(stamps - time)) > 1 and np.count_nonzero(np.diff(stamps) < 0) <= 1:
        return _over_a_change(log_id, stamps, levels, zone, chunk)
    order = np.argsort(time, kind="stable")
    last = np.append(np.diff(time[order]) > 0, True)
    order = order[last]
    chunk.skip("minute of sleep given twice", len(time) - len(order))
    starts, lengths = _runs(time[order], levels[order])
    stages = tuple(
        Stage(instant(time[order][start]), int(length) * 60, LEVELS[int(levels[order][start])])
        for start, length in zip(starts, lengths, strict=True)
    )
    return SleepRecord(SOURCE, log_id, stages[0].starts_at, instant(time[order][-1] + MINUTE), stages)


def _runs(time: Times, levels: NDArray[np.int8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where stretches of one level without a break begin, and how many minutes they have."""
    begins = np.concatenate([[True], (np.diff(levels) != 0) | (np.diff(time) != MINUTE)])
    starts = np.flatnonzero(begins)
    return starts, np.diff(np.append(starts, len(time)))


def _over_a_change(
    log_id: str, stamps: Times, levels: NDArray[np.int8], zone: zoneinfo.ZoneInfo, chunk: Chunk
) -> SleepRecord:
    """An episode in which the clocks change: its stamps in file order tell which clock they are on."""
    kept = np.concatenate([[True], np.diff(stamps) != 0])
    chunk.skip("minute of sleep given twice", int(np.count_nonzero(~kept)))
    stamps, levels = stamps[kept], levels[kept]
    starts, lengths = _runs(stamps, levels)
    walls = [(_naive(stamps[at]), int(length) * 60) for at, length in zip(starts, lengths, strict=True)]
    night = read_night(zone, _naive(stamps[0]), _naive(stamps[-1] + MINUTE), walls)
    stages: list[Stage] = []
    for at, (_, seconds), start in zip(night.stages, walls, starts, strict=True):
        begins, level = night.starts_at + dt.timedelta(seconds=at), LEVELS[int(levels[start])]
        before = stages[-1] if stages else None
        if before and before.stage == level and before.starts_at + dt.timedelta(seconds=before.seconds) == begins:
            stages[-1] = replace(before, seconds=before.seconds + seconds)  # only the clock changed
        else:
            stages.append(Stage(begins, seconds, level))
    return SleepRecord(SOURCE, log_id, night.starts_at, night.ends_at, tuple(stages))


def _naive(local: int) -> dt.datetime:
    return instant(local).replace(tzinfo=None)
