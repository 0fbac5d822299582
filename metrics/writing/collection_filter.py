"""Filter of a payload by collection: nothing from outside the collection interval. The last guard, whoever asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from metrics.batch import Counts, Payload, SampleBatch
from metrics.selection.collection_window import EVER, NEVER, Collected
from metrics.time_buckets import Span

OUTSIDE = "time lies outside what the trial may have of this participant"
CLOSED = "is closed: nothing is stored any more"  # of a trial
EVERYTHING = [Span(EVER, NEVER)]


def inside(payload: Payload, collected: Collected) -> tuple[Payload, Counts]:
    """The payload without what is not collected, and the number of that as rejected.

    Samples count by their instant, nights by that at which they end, exercise by that at which it begins.
    """
    counts = Counts()
    if list(collected.spans) == EVERYTHING:
        return payload, counts
    samples = [chosen(batch, collected.holds(batch.time)) for batch in payload.samples]
    kept = replace(
        payload,
        samples=samples,
        sleep=[night for night in payload.sleep if collected.covers(night.ends_at)],
        exercise=[record for record in payload.exercise if collected.covers(record.starts_at)],
    )
    if outside := size(payload) - size(kept):
        counts.rejected[OUTSIDE] = outside
    return kept, counts


def size(payload: Payload) -> int:
    """Number of samples, nights and exercises that a payload holds."""
    return sum(map(len, payload.samples)) + len(payload.sleep) + len(payload.exercise)


def chosen(batch: SampleBatch, mask: NDArray[np.bool_]) -> SampleBatch:
    """A batch's rows of which the mask is true; shape of the mask as the batch's."""
    if mask.all():
        return batch
    seconds = None if batch.seconds is None else batch.seconds[mask]
    return SampleBatch(batch.metric, batch.source, batch.time[mask], batch.value[mask], seconds)
