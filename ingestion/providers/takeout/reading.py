"""What both trees of an account export share: sources, the owner's zone, the JSON clock."""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ingestion.providers.base import Chunk, FileJob, ForeignFile, RowsRefused
from ingestion.providers.wallclock import WallClock
from metrics.batch import MICROSECOND, Refusal, SampleBatch, SourceKey, Times, instant
from metrics.days import DAY, LocalCalendar

PROVIDER, PLATFORM = "takeout", "fitbit account export"
TRACKER = SourceKey(PROVIDER, PLATFORM)
MINUTE, HOUR = 60 * MICROSECOND, 3600 * MICROSECOND
NO_DATA = b"no data"


def source_of(data_source: str) -> SourceKey:
    """The source of a row: the tracker where `data source` says so or says nothing, else one of that name."""
    name = data_source.strip()
    return TRACKER if not name or "tracker" in name.casefold() else SourceKey(PROVIDER, PLATFORM, name[:80])


def zone(job: FileJob) -> zoneinfo.ZoneInfo:
    """The owner's zone. An export is one person's: where her rows cannot be taken, the file cannot."""
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
        chunk.delivery(None).samples.append(kept)


def clock_of_minutes(job: FileJob, stamps: Times, chunk: Chunk, *, one_day: bool) -> Times:
    """Stamps of the JSON tree's second and minute files as microseconds UTC, in file order.

    They are UTC without saying so, and the files are cut at local midnight. A file that contradicts this is refused
    until somebody says which clock it has.
    """
    said = job.options.get("takeout_clock")
    if said == "local":
        job.assumptions["clock of dateTime"] = "local (--takeout-clock)"
        clock = WallClock(zone(job))
        times = clock.utc(stamps)
        chunk.noted.update(clock.noted)
        return times
    job.assumptions["clock of dateTime"] = "UTC (--takeout-clock)" if said else "UTC, files cut at local midnight"
    if not said and len(stamps) and _looks_local(np.sort(stamps), owner := zone(job), one_day=one_day):
        raise ForeignFile(
            f"its times look local, not UTC as usual (or {owner.key} is the wrong zone): "
            "say which with --takeout-clock local or utc"
        )
    return stamps


def _looks_local(stamps: Times, owner: zoneinfo.ZoneInfo, *, one_day: bool) -> bool:
    """Whether stamps, ascending, fit a clock of local time and not one of UTC.

    A day's file that lies within one date as it stands, but would reach half an hour or more into two local dates if it
    were UTC, is no UTC file cut at local midnight. A month's file is only clear where it runs from 00:00 to 23:59.
    """
    dates = LocalCalendar(owner).dates(stamps)
    if one_day:
        cut = int(np.searchsorted(dates, dates[0], side="right"))
        if stamps[0] // DAY != stamps[-1] // DAY or cut == len(stamps):
            return False
        return bool(stamps[cut - 1] - stamps[0] >= HOUR // 2 and stamps[-1] - stamps[cut] >= HOUR // 2)
    whole = stamps[0] % DAY < MINUTE and stamps[-1] % DAY >= DAY - MINUTE
    begins = instant(int(stamps[0])).astimezone(owner)  # as UTC it should begin near a local midnight
    into = (begins.hour * 60 + begins.minute) * MINUTE
    return bool(whole and min(into, DAY - into) >= 2 * HOUR)
