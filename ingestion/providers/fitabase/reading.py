"""Reading of all Fitabase files: whose rows they are, in what time zone, and which rows are no good."""

from __future__ import annotations

import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingestion.providers.base.files import Chunk, FileJob, RowsRefused
from ingestion.providers.csv_columns import Block
from ingestion.providers.fitabase.clocks import tell_clocks
from ingestion.providers.fitabase.tables import Table, by_label, table_blocks
from ingestion.providers.local_time import WallClock
from ingestion.providers.missing_values import present
from ingestion.providers.text_cells import Mask, us_dates, us_datetimes
from metrics.batch import Refusal, SampleBatch, SourceKey, Times, Values
from metrics.local_time import DAY

SOURCE = SourceKey("fitabase", "fitbit")

DATE_TIME = "date and time like 4/12/2016 7:21:00 AM"
DATE = "date like 4/12/2016"


@dataclass(slots=True)
class Part:
    """Rows of one participant within a block, in file order; columns by the names that their Table gives them."""

    label: str | None
    clock: WallClock
    block: Block
    chunk: Chunk

    @property
    def lines(self) -> NDArray[np.int64]:
        return self.block.lines


class LabelClocks:
    """Clocks by participant label, made at first use and kept through the file."""

    def __init__(self, job: FileJob, table: Table, *, whole_hours: bool = False) -> None:
        self._job, self._whole_hours = job, whole_hours
        self._clocks: dict[str | None, WallClock] = {}
        self._refused: dict[str | None, str] = {}
        tell_clocks(job, table.file_type)

    def clock(self, label: str | None) -> WallClock:
        """Clock of a label. Raises RowsRefused where this participant's rows cannot be taken."""
        if label in self._refused:
            raise RowsRefused(self._refused[label])
        if label not in self._clocks:
            try:
                zone: zoneinfo.ZoneInfo = self._job.zone_of(label)
            except RowsRefused as refusal:
                self._refused[label] = str(refusal)
                raise
            self._clocks[label] = WallClock(zone, whole_hours=self._whole_hours)
        return self._clocks[label]

    def take_notes(self, chunk: Chunk) -> None:
        """Move what the clocks noted since the last call into a chunk."""
        for clock in self._clocks.values():
            chunk.noted.update(clock.noted)
            clock.noted = Counter()


def read_parts(job: FileJob, table: Table, clocks: LabelClocks, read: Callable[[Part], None]) -> Iterator[Chunk]:
    """The file block by block: each participant's rows are given to `read`; those of refused ones are rejected here."""
    for block, chunk in table_blocks(job.open, table):
        for label, rows in by_label(job.name, block):
            try:
                clock = clocks.clock(label)
            except RowsRefused as refusal:
                chunk.reject(rows.lines, str(refusal))
                continue
            read(Part(label, clock, rows, chunk))
        clocks.take_notes(chunk)
        yield chunk


def good_numbers(part: Part, column: str, usable: Mask) -> tuple[Values, Mask]:
    """Numbers of a column and the rows that are usable with them; rows that were usable until now are rejected."""
    values, ok = part.block.numbers(column)
    part.chunk.reject(part.lines[usable & ~ok], f"{column} is not a number")
    return values, usable & ok


def stamps(part: Part, column: str) -> tuple[Times, Mask]:
    """Column of dates and times as local microseconds, and the rows that have one; the others are rejected."""
    local, ok = us_datetimes(part.block.columns[column])
    part.chunk.reject(part.lines[~ok], f"{column} is not a {DATE_TIME}")
    return local, ok


def day_stamps(part: Part, column: str) -> tuple[Times, Mask]:
    """Column of local days (00:00), which some files write with a midnight, as local microseconds; see stamps."""
    local, ok = us_dates(part.block.columns[column])
    if not ok.all():
        timed, well = us_datetimes(part.block.columns[column])
        local, ok = np.where(ok, local, timed // DAY * DAY), ok | well
    part.chunk.reject(part.lines[~ok], f"{column} is not a {DATE}")
    return local, ok


def good_instants(part: Part, time: Times, lines: NDArray[np.int64], job: FileJob) -> Mask:
    """Mask of rows whose instants the writer will take; for rows that bring many samples, so that each is rejected
    once."""
    refusals = SampleBatch("steps", SOURCE, time, np.zeros(len(time))).refusals(job.now)
    _reject(part, refusals, lines)
    good: Mask = refusals == Refusal.NONE
    return good


def add_samples(part: Part, batch: SampleBatch, lines: NDArray[np.int64], job: FileJob) -> None:
    """Hand over what the writer will take; name the lines of what it would refuse."""
    refusals = batch.refusals(job.now)
    if refusals.any():
        _reject(part, refusals, lines)
        batch = _rows(batch, refusals == Refusal.NONE)
    if len(batch):
        part.chunk.payload(part.label).samples.append(batch)


def add_present(
    part: Part, batch: SampleBatch, lines: NDArray[np.int64], job: FileJob, *, factor: float = 1, may_lack: bool = False
) -> None:
    """Hand over a batch without markers of no value; values are multiplied by `factor` after these are found.

    `may_lack`: empty cells are usual and nothing to be counted.
    """
    if may_lack:
        filled = ~np.isnan(batch.value)
        batch, lines = _rows(batch, filled), lines[filled]
    there = present(batch.metric, batch.value, part.chunk.skipped)
    batch = _rows(batch, there)
    batch.value = batch.value * factor
    add_samples(part, batch, lines[there], job)


def _rows(batch: SampleBatch, kept: Mask) -> SampleBatch:
    if kept.all():
        return batch
    seconds = None if batch.seconds is None else batch.seconds[kept]
    return SampleBatch(batch.metric, batch.source, batch.time[kept], batch.value[kept], seconds)


def _reject(part: Part, refusals: NDArray[np.int8], lines: NDArray[np.int64]) -> None:
    for refusal in set(refusals.tolist()) - {Refusal.NONE}:
        part.chunk.reject(lines[refusals == refusal], Refusal(refusal).text)
