"""Parts shared by both trees of an account export: sources, the owner's zone."""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ingestion.providers.base.files import Chunk, FileJob, ForeignFile, RowsRefused
from metrics.batch import Refusal, SampleBatch, SourceKey

PROVIDER, PLATFORM = "takeout", "fitbit account export"
TRACKER = SourceKey(PROVIDER, PLATFORM)
NO_DATA = b"no data"


def source_of(data_source: str) -> SourceKey:
    """Source of a row: the tracker where `data source` says so or says nothing, else one of that name."""
    name = data_source.strip()
    return TRACKER if not name or "tracker" in name.casefold() else SourceKey(PROVIDER, PLATFORM, name[:80])


def zone(job: FileJob) -> zoneinfo.ZoneInfo:
    """Time zone of the owner. An export is one participant's: where their rows cannot be taken, the file cannot."""
    try:
        return job.zone_of(None)
    except RowsRefused as refusal:
        raise ForeignFile(str(refusal)) from refusal


def add_samples(job: FileJob, chunk: Chunk, batch: SampleBatch, lines: NDArray[np.int64] | Sequence[int]) -> None:
    """Hand over what the writer will take; name the lines of what it would refuse."""
    refusals, where = batch.refusals(job.now), np.asarray(lines)
    for refusal in set(refusals.tolist()) - {Refusal.NONE}:
        chunk.reject(where[refusals == refusal], Refusal(refusal).text)
    keep = refusals == Refusal.NONE
    if keep.any():
        seconds = None if batch.seconds is None else batch.seconds[keep]
        kept = SampleBatch(batch.metric, batch.source, batch.time[keep], batch.value[keep], seconds)
        chunk.payload(None).samples.append(kept)
