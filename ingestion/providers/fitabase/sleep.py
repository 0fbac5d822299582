"""Formats of sleep logs row by row: a minute, or half of one, a row; an episode a log id.

Of one log there may be three files: minutes in the classic staging, half minutes in stages, and what is told of the
log as a whole (sleep_logs.py). They are one episode: that with most detail is kept.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ingestion.providers.base.files import Chunk, FileJob
from ingestion.providers.fitabase.reading import SOURCE, LabelClocks, Part, good_instants, read_parts, stamps
from ingestion.providers.fitabase.sleep_logs import Log, logs_beside
from ingestion.providers.fitabase.tables import Table
from ingestion.providers.night_clock import read_night
from ingestion.providers.text_cells import Mask, labels
from metrics.batch import MICROSECOND, SleepRecord, Stage, Times, instant

NIGHTS = 1000  # handed over at once
TWICE = "row of a sleep log given twice"

# Rows of an episode, a block each, in file order: runs of one level without a break. Of each the first stamp (local
# microseconds), the instant that it is by the clock on the wall, level and number of rows: int64, shape (4, runs). A
# whole file's rows are held, of which a run has some twenty.
Rows = list[NDArray[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Episodes(Table):
    """Format of episodes, which may cross any border of blocks and days: they are put together over the whole file.

    `columns`: of the stamp, the level and the log's id. `levels`: levels of the file -> stages. `seconds`: of a row.
    `log_type`: the file that tells of the same logs as a whole.
    """

    levels: dict[str, str]
    seconds: int
    log_type: str

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        clocks = LabelClocks(job, self)
        episodes: dict[tuple[str | None, str], Rows] = {}
        yield from read_parts(job, self, clocks, lambda part: self._collect(job, part, episodes))
        logs = logs_beside(job, self.file_type, self.log_type)
        while episodes:
            nights = Chunk(position=job.size)
            for key in list(episodes)[:NIGHTS]:
                zone = clocks.clock(key[0]).zone
                record = self._episode(key[1], episodes.pop(key), zone, logs.get(key), nights)
                nights.payload(key[0]).sleep.append(record)
            yield nights

    def _collect(self, job: FileJob, part: Part, episodes: dict[tuple[str | None, str], Rows]) -> None:
        stamp, value, log_id = self.columns
        local, usable = stamps(part, stamp)
        levels, known = self._levels(part, value)
        part.chunk.reject(part.lines[usable & ~known], f"{value} is none of {', '.join(self.levels)}")
        codes, log_ids = labels(part.block.columns[log_id])
        named = np.array([0 < len(name) <= 64 for name in log_ids], dtype=bool)[codes]
        part.chunk.reject(part.lines[usable & known & ~named], f"{log_id} is missing or too long")
        usable &= known & named
        time = part.clock.utc(local[usable])
        timely = good_instants(part, time, part.lines[usable], job)
        written, time = local[usable][timely], time[timely]
        levels, codes = levels[usable][timely], codes[usable][timely]
        for code in np.unique(codes):
            chosen = codes == code
            rows = self._packed(written[chosen], time[chosen], levels[chosen])
            episodes.setdefault((part.label, log_ids[int(code)]), []).append(rows)

    def _packed(self, written: Times, time: Times, levels: NDArray[np.int8]) -> NDArray[np.int64]:
        step = self.seconds * MICROSECOND
        breaks = (np.diff(levels) != 0) | (np.diff(written) != step) | (np.diff(time) != step)
        starts = np.flatnonzero(np.append(True, breaks))
        return np.stack([written[starts], time[starts], levels[starts], np.diff(np.append(starts, len(time)))])

    def _unpacked(self, rows: Rows) -> tuple[Times, Times, NDArray[np.int8]]:
        """Stamps, instants and levels of an episode's rows."""
        written, time, levels, counts = np.concatenate(rows, axis=1)
        firsts = np.cumsum(counts) - counts
        since = (np.arange(counts.sum()) - np.repeat(firsts, counts)) * (self.seconds * MICROSECOND)
        repeated = np.repeat(levels, counts).astype(np.int8)
        return np.repeat(written, counts) + since, np.repeat(time, counts) + since, repeated

    def _levels(self, part: Part, column: str) -> tuple[NDArray[np.int8], Mask]:
        """Place of each row in `levels`, and the rows that have one."""
        codes, names = labels(part.block.columns[column])
        places = {name: place for place, name in enumerate(self.levels)}
        level = np.array([places.get(name.casefold().removesuffix(".0"), -1) for name in names], dtype=np.int8)
        return level[codes], level[codes] >= 0

    def _stage(self, place: int) -> str:
        return list(self.levels.values())[place]

    def _episode(self, log_id: str, rows: Rows, zone: zoneinfo.ZoneInfo, log: Log | None, chunk: Chunk) -> SleepRecord:
        """Episode of sleep: neighbouring rows of one level are a stage."""
        written, time, levels = self._unpacked(rows)
        is_main = log.is_main if log else None
        if len(np.unique(written - time)) > 1 and np.count_nonzero(np.diff(written) < 0) <= 1:
            episode = self._over_a_change(log_id, written, levels, zone, log, chunk)
            return replace(episode, is_main=is_main)
        order = np.argsort(time, kind="stable")
        order = order[np.append(np.diff(time[order]) > 0, True)]
        chunk.skip(TWICE, len(time) - len(order))
        time, levels = time[order], levels[order]
        starts, lengths = self._runs(time, levels)
        stages = tuple(
            Stage(instant(time[start]), int(length) * self.seconds, self._stage(levels[start]))
            for start, length in zip(starts, lengths, strict=True)
        )
        ends_at = instant(time[-1] + self.seconds * MICROSECOND)
        return SleepRecord(SOURCE, log_id, stages[0].starts_at, ends_at, stages, is_main=is_main, finest_stays=True)

    def _runs(self, time: Times, levels: NDArray[np.int8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Starts of runs of one level without a break, and how many rows they have."""
        begins = np.concatenate([[True], (np.diff(levels) != 0) | (np.diff(time) != self.seconds * MICROSECOND)])
        starts = np.flatnonzero(begins)
        return starts, np.diff(np.append(starts, len(time)))

    def _over_a_change(
        self,
        log_id: str,
        written: Times,
        levels: NDArray[np.int8],
        zone: zoneinfo.ZoneInfo,
        log: Log | None,
        chunk: Chunk,
    ) -> SleepRecord:
        """Episode in which the clocks change: its stamps in file order tell which clock they are on."""
        kept = np.concatenate([[True], np.diff(written) != 0])
        chunk.skip(TWICE, int(np.count_nonzero(~kept)))
        written, levels = written[kept], levels[kept]
        starts, lengths = self._runs(written, levels)
        walls = [(_naive(written[at]), int(length) * self.seconds) for at, length in zip(starts, lengths, strict=True)]
        end = _naive(written[-1] + self.seconds * MICROSECOND)
        night = read_night(zone, _naive(written[0]), end, walls, log.length if log else None)
        stages: list[Stage] = []
        for at, (_, seconds), start in zip(night.stages, walls, starts, strict=True):
            begins, level = night.starts_at + dt.timedelta(seconds=at), self._stage(levels[start])
            before = stages[-1] if stages else None
            if before and before.stage == level and before.starts_at + dt.timedelta(seconds=before.seconds) == begins:
                stages[-1] = replace(before, seconds=before.seconds + seconds)  # only the clock changed
            else:
                stages.append(Stage(begins, seconds, level))
        return SleepRecord(SOURCE, log_id, night.starts_at, night.ends_at, tuple(stages), finest_stays=True)


def _naive(local: int) -> dt.datetime:
    return instant(local).replace(tzinfo=None)
