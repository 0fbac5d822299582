"""Filter of a payload by the trial's retention: no sample from before what the trial keeps."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from metrics.batch import Counts, Payload, Sessions, microseconds
from metrics.writing.collection_filter import chosen

# Behind the cutoff begins a local day that lies across it, wherever the participant is or travels: its samples
# are not all there, so nothing is written into it. Samples are taken from so long after the cutoff on.
MARGIN = dt.timedelta(days=3)
REFUSED = "time lies before what the trial keeps of its samples"


def takes_from(cutoff: dt.datetime | None) -> dt.datetime | None:
    """From when on the writer takes samples; None: from ever."""
    return cutoff + MARGIN if cutoff else None


def taken(payload: Payload, cutoff: dt.datetime | None) -> tuple[Payload, Counts]:
    """The payload without samples that the trial does not keep, and these as rejected. Nights and exercise stay."""
    first, counts = takes_from(cutoff), Counts()
    if first is None:
        return payload, counts
    samples = [chosen(batch, batch.time >= microseconds(first)) for batch in payload.samples]
    refused = sum(map(len, payload.samples)) - sum(map(len, samples))
    if refused:
        counts.rejected[REFUSED] = refused
    replaced = [
        replaced_interval
        if isinstance(replaced_interval.what, Sessions)
        else replace(replaced_interval, starts_at=max(replaced_interval.starts_at, first))
        for replaced_interval in payload.replaces
        if isinstance(replaced_interval.what, Sessions) or replaced_interval.ends_at > first
    ]
    return replace(payload, samples=samples, replaces=replaced), counts
