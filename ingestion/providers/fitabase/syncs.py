"""Format of syncEvents: local and UTC time of each sync. They bring no values: they tell their participants' time
zones.

What they tell is taken before any file beside them is read (clocks.py). Journeys are not followed: all times of a
participant are read in one zone, so that a day stays the day that the participant lived.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ingestion.providers.base.files import Chunk, FileJob
from ingestion.providers.fitabase.clocks import SYNCS, offsets_of
from ingestion.providers.fitabase.reading import DATE_TIME, LabelClocks, Part, read_parts
from ingestion.providers.fitabase.tables import Table
from metrics.local_time import LocalCalendar

AWAY = "sync on another clock than that of the participant's time zone, in which all times are read"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncEvents(Table):
    code: str = SYNCS.code
    columns: tuple[str, ...] = SYNCS.columns

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        yield from read_parts(job, self, LabelClocks(job, self), _check)


def _check(part: Part) -> None:
    """Count the syncs that contradict the participant's zone."""
    instants, offsets, ok, dated = offsets_of(part.block)
    part.chunk.reject(part.lines[~dated], f"DateTime or SyncDateUTC is not a {DATE_TIME}")
    part.chunk.reject(part.lines[dated & ~ok], "DateTime and SyncDateUTC do not stand whole quarters of an hour apart")
    home = LocalCalendar(part.clock.zone).offsets(instants[ok])
    if away := int(np.count_nonzero(home != offsets[ok])):
        part.chunk.noted[AWAY] += away
