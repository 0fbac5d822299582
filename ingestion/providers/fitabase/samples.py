"""Formats of values at instants and over intervals: a value a row, or an hour a row and a minute a column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ingestion.providers.base.files import Chunk, FileJob
from ingestion.providers.fitabase.reading import (
    SOURCE,
    LabelClocks,
    Part,
    add_present,
    good_instants,
    good_numbers,
    read_parts,
    stamps,
)
from ingestion.providers.fitabase.tables import Table
from ingestion.providers.text_cells import Mask
from metrics.batch import MICROSECOND, SampleBatch, SourceKey, Times, Values

HOUR = 3600


def coarse(what: str) -> SourceKey:
    """Source of totals and means over longer intervals: one of its own.

    They tell what a finer file tells too. Of several sources a day's values are read from one, by the protocol's order
    and then from that with most data: so they stand in where nothing finer is there, whichever file comes first.
    """
    return SourceKey("fitabase", f"fitbit, {what}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples(Table):
    """Format with an instant or interval a row. `columns` begin with the stamp; `values`: column -> metric.

    The columns of `added` are summed up to one value. `seconds`: length of the interval, None for instants.
    """

    values: dict[str, str] = field(default_factory=dict)
    added: dict[str, tuple[str, ...]] = field(default_factory=dict)
    seconds: int | None = None
    source: SourceKey = SOURCE

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        clocks = LabelClocks(job, self, whole_hours=self.seconds == HOUR)
        yield from read_parts(job, self, clocks, lambda part: self._read(job, part))

    def _read(self, job: FileJob, part: Part) -> None:
        local, dated = stamps(part, self.columns[0])
        # First the clock: in a repeated hour it goes by the order of all rows.
        time = np.zeros(len(local), dtype=np.int64)
        time[dated] = part.clock.utc(local[dated])
        for column, metric in self.values.items():
            if column not in part.block.columns:
                continue
            value, usable = good_numbers(part, column, dated)
            self._add(job, part, metric, time[usable], value[usable], usable, may_lack=column in self.optional)
        for metric, columns in self.added.items():
            usable, total = dated, np.zeros(len(local))
            for column in columns:
                value, usable = good_numbers(part, column, usable)
                total = total + value
            self._add(job, part, metric, time[usable], total[usable], usable, may_lack=False)

    def _add(
        self, job: FileJob, part: Part, metric: str, time: Times, value: Values, rows: Mask, *, may_lack: bool
    ) -> None:
        seconds = None if self.seconds is None else np.full(len(time), self.seconds, dtype=np.int32)
        batch = SampleBatch(metric, self.source, time, value, seconds)
        add_present(part, batch, part.lines[rows], job, may_lack=may_lack)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wide(Table):
    """Format with an hour a row, a minute a column: the same samples as in the narrow file. `columns` begin with the
    stamp."""

    metric: str

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        clocks = LabelClocks(job, self, whole_hours=True)
        yield from read_parts(job, self, clocks, lambda part: self._read(job, part))

    def _read(self, job: FileJob, part: Part) -> None:
        local, usable = stamps(part, self.columns[0])
        minutes = []
        for column in self.columns[1:]:
            values, usable = good_numbers(part, column, usable)
            minutes.append(values)
        hours, lines = part.clock.utc(local[usable]), part.lines[usable]
        timely = good_instants(part, hours, lines, job)
        time = (hours[timely][:, None] + np.arange(60, dtype=np.int64) * 60 * MICROSECOND).ravel()
        value = np.column_stack(minutes)[usable][timely].ravel()
        batch = SampleBatch(self.metric, SOURCE, time, value, np.full(len(time), 60, dtype=np.int32))
        add_present(part, batch, np.repeat(lines[timely], 60), job)


def wide(code: str, prefix: str, metric: str) -> Wide:
    return Wide(code=code, columns=("ActivityHour", *(f"{prefix}{minute:02}" for minute in range(60))), metric=metric)
