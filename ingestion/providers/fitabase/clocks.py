"""Clocks of the participants, from their syncs: the only place where Fitabase writes local and UTC time."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO

import numpy as np

from ingestion.providers.base.files import FileJob, ForeignFile
from ingestion.providers.csv_columns import Block
from ingestion.providers.fitabase.names import base, beside
from ingestion.providers.fitabase.tables import Table, by_label, table_blocks
from ingestion.providers.text_cells import Mask, us_datetimes
from metrics.batch import MICROSECOND, Times

SYNCS = Table(code="fitabase.syncEvents", columns=("DateTime", "SyncDateUTC"))
QUARTER = 15 * 60 * MICROSECOND
FURTHEST = 14 * 3600 * MICROSECOND


def tell_clocks(job: FileJob, file_type: str) -> None:
    """Tell the import the participants' clocks from the syncs that belong to a file, if they are there."""
    name = beside(job.name, file_type, SYNCS.file_type)
    own = file_type == SYNCS.file_type
    opener = job.open if own else job.companion(name) if name != base(job.name) else None
    if opener is None:
        return
    try:
        clocks = _clocks(opener, name)
    except (ForeignFile, OSError):
        return  # it is refused where it is read itself
    for label, syncs in clocks.items():
        job.note_clock(label, syncs)


def _clocks(opener: Callable[[], IO[bytes]], name: str) -> dict[str | None, list[tuple[int, int]]]:
    """Syncs by label: instants (microseconds UTC) and offsets (seconds east of UTC)."""
    clocks: dict[str | None, list[tuple[int, int]]] = {}
    for block, _ in table_blocks(opener, SYNCS):
        for label, rows in by_label(name, block):
            instants, offsets, ok, _ = offsets_of(rows)
            clocks.setdefault(label, []).extend(zip(instants[ok].tolist(), offsets[ok].tolist(), strict=True))
    return clocks


def offsets_of(rows: Block) -> tuple[Times, Times, Mask, Mask]:
    """Instants of syncs, offsets in seconds, the rows that have both, and the rows that are dates and times at all.

    Clocks stand whole quarters of an hour from UTC, at most 14 hours; the two stamps may be a minute apart.
    """
    local, dated = us_datetimes(rows.columns["DateTime"])
    utc, timed = us_datetimes(rows.columns["SyncDateUTC"])
    apart = local - utc
    offset = np.round(apart / QUARTER).astype(np.int64) * QUARTER
    ok = dated & timed & (np.abs(apart - offset) <= 60 * MICROSECOND) & (np.abs(offset) <= FURTHEST)
    return utc, offset // MICROSECOND, ok, dated & timed
