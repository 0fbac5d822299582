"""Files of daily values: a local day a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ingestion.providers.base.files import Chunk, FileJob
from ingestion.providers.fitabase.reading import (
    SOURCE,
    LabelClocks,
    Part,
    add_present,
    day_stamps,
    good_instants,
    good_numbers,
    read_parts,
)
from ingestion.providers.fitabase.tables import Table
from ingestion.providers.local_time import day_lengths
from ingestion.providers.text_cells import Mask, middles
from metrics.batch import SampleBatch, Values

RANGE = "given as a range: its middle is taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Daily(Table):
    """Format with one local day a row. Each value belongs to the local day: its first instant, and as long as that day
    was.

    `columns` begin with the day's; `values`: metric -> the columns that are summed up to it, and the factor to our
    unit. `assumed`: what the file does not say, by subject. `ranges`: values may be given as 39-43.
    """

    values: Mapping[str, tuple[tuple[str, ...], float]]
    assumed: tuple[tuple[str, str], ...] = ()
    ranges: bool = False

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        job.assumptions.update(self.assumed)
        yield from read_parts(job, self, LabelClocks(job, self), lambda part: self._read(job, part))

    def _read(self, job: FileJob, part: Part) -> None:
        local, usable = day_stamps(part, self.columns[0])
        totals: dict[str, Values] = {}
        for metric, (columns, _) in self.values.items():
            if not set(columns) <= set(part.block.columns):
                continue
            total = np.zeros(len(local))
            for column in columns:
                value, usable = self._numbers(part, column, usable)
                total = total + value
            totals[metric] = total
        time, seconds = day_lengths(part.clock, local[usable])
        lines = part.lines[usable]
        timely = good_instants(part, time, lines, job)
        for metric, values in totals.items():
            columns, factor = self.values[metric]
            days = SampleBatch(metric, SOURCE, time[timely], values[usable][timely], seconds[timely])
            add_present(part, days, lines[timely], job, factor=factor, may_lack=columns[0] in self.optional)

    def _numbers(self, part: Part, column: str, usable: Mask) -> tuple[Values, Mask]:
        if not self.ranges:
            return good_numbers(part, column, usable)
        values, ok, ranged = middles(part.block.columns[column], decimal=part.block.decimal)
        part.chunk.reject(part.lines[usable & ~ok], f"{column} is not a number")
        if count := int(np.count_nonzero(usable & ranged)):
            part.chunk.noted[f"{column} {RANGE}"] += count
        return values, usable & ok


def day(
    code: str,
    stamp: str,
    values: dict[str, str],
    *,
    optional: dict[str, str] | None = None,
    factors: dict[str, float] | None = None,
    without: tuple[str, ...] = (),
    assumed: tuple[tuple[str, str], ...] = (),
    ranges: bool = False,
) -> Daily:
    """Format with a column a metric: `values` and `optional` map columns to metrics."""
    more = optional or {}
    metrics = {metric: ((column,), (factors or {}).get(column, 1.0)) for column, metric in {**values, **more}.items()}
    return Daily(
        code=code,
        columns=(stamp, *values),
        optional=tuple(more),
        without=without,
        values=metrics,
        assumed=assumed,
        ranges=ranges,
    )
