"""Google Health sleep sessions as nights. Pure functions."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta, Raw, Struct

from ingestion.providers.base import BrokenAnswer
from ingestion.providers.google_health.assembly import Assembled, offset_changes
from ingestion.providers.google_health.decode import NOTHING, Origin, duration, list_decoder, listing
from ingestion.providers.takeout.sleep import Stretch, overlay
from metrics.batch import Delivery, SleepRecord, Stage, microseconds

Instant = Annotated[dt.datetime, Meta(tz=True)]
STAGES = {
    "AWAKE": "awake",
    "LIGHT": "light",
    "DEEP": "deep",
    "REM": "rem",
    "ASLEEP": "asleep",
    "RESTLESS": "restless",
}
UNKNOWN_STAGE = "sleep stage of an unknown kind"


class _Stage(Struct):
    startTime: Instant  # noqa: N815  Google's spelling, here and below
    endTime: Instant  # noqa: N815
    type: str = ""


class _Metadata(Struct):
    # proto3 leaves false out, so what is absent from metadata is false.
    processed: bool = False
    mainSleep: bool = False  # noqa: N815
    externalId: str = ""  # noqa: N815


class SessionInterval(Struct):
    """When a session was, and where its device's clock stood."""

    startTime: Instant  # noqa: N815
    endTime: Instant  # noqa: N815
    startUtcOffset: str = ""  # noqa: N815
    endUtcOffset: str = ""  # noqa: N815


class _Sleep(Struct):
    interval: SessionInterval
    metadata: _Metadata | None = None
    stages: list[_Stage] = []
    shortAwakenings: list[_Stage] = []  # noqa: N815


class _Point(Struct):
    sleep: _Sleep
    name: str = ""
    dataSource: Raw = NOTHING  # noqa: N815


_DECODER = list_decoder("dataPoints", _Point)


@dataclass(slots=True)
class SleepPage:
    """One page of nights, the token of the next page or "", and the offsets told at their starts and ends."""

    token: str
    nights: list[SleepRecord]
    offsets: list[tuple[int, int]]
    skipped: Counter[str]

    @property
    def count(self) -> int:
        return len(self.nights)


def sleep_page(body: bytes, origin: Origin) -> SleepPage:
    """An answer to `list` for sleep. Raises BrokenAnswer."""
    points, token = listing(body, _DECODER, "dataPoints")
    page = SleepPage(token, [], [], Counter())
    for point in points:
        interval = point.sleep.interval
        page.nights.append(_night(point, origin, page.skipped))
        for at, text in ((interval.startTime, interval.startUtcOffset), (interval.endTime, interval.endUtcOffset)):
            if text:
                page.offsets.append((microseconds(at), duration(text)))
    return page


def assemble_sleep(pages: Sequence[SleepPage]) -> Assembled:
    """Pages of one pull as nights, each once: of one that comes twice the last one counts."""
    nights = {(night.source, night.external_id): night for page in pages for night in page.nights}
    told = [pair for page in pages for pair in page.offsets]
    time = np.array([at for at, _ in told], dtype=np.int64)
    offset = np.array([seconds for _, seconds in told], dtype=np.int32)
    skipped = sum((page.skipped for page in pages), Counter[str]())
    return Assembled(Delivery(sleep=list(nights.values())), offset_changes(time, offset), skipped)


def _night(point: _Point, origin: Origin, skipped: Counter[str]) -> SleepRecord:
    sleep, metadata = point.sleep, point.sleep.metadata
    starts_at, ends_at = sleep.interval.startTime, sleep.interval.endTime
    if ends_at <= starts_at:
        raise BrokenAnswer("interval_ends_before_it_starts")
    stretches = _stretches(sleep.stages, starts_at, skipped)
    # The night's own minutes count short awakenings, which lie on top of the stages.
    for short in _stretches(sleep.shortAwakenings, starts_at, skipped):
        stretches = overlay(stretches, short)
    return SleepRecord(
        origin.source(bytes(point.dataSource)),
        # The name ends in the point's id; without one the night is known by its start.
        point.name.rpartition("/")[2] or (metadata.externalId if metadata else "") or str(microseconds(starts_at)),
        starts_at,
        ends_at,
        tuple(Stage(starts_at + dt.timedelta(seconds=at), length, stage) for at, length, stage in stretches),
        is_main=metadata.mainSleep if metadata else None,
        processed=metadata.processed if metadata else True,
    )


def _stretches(stages: Sequence[_Stage], starts_at: dt.datetime, skipped: Counter[str]) -> list[Stretch]:
    """Stages as (seconds from the night's start, seconds long, stage), in order of time."""
    found = []
    for stage in stages:
        if kind := STAGES.get(stage.type):
            at, end = ((edge - starts_at).total_seconds() for edge in (stage.startTime, stage.endTime))
            found.append((round(at), round(end) - round(at), kind))
        else:
            skipped[UNKNOWN_STAGE] += 1
    return sorted(found)
