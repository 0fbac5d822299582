"""Sleep of Google Health as nights. Pure functions."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from msgspec import Raw, Struct

from ingestion.providers.base.live import Pulled
from ingestion.providers.google_health.assembly import left_out, offset_changes
from ingestion.providers.google_health.decode import Origin
from ingestion.providers.google_health.listing import NOTHING, ListDecoder, named, parts
from ingestion.providers.google_health.sessions import Instant, Interval, SessionPage, session_id, session_page
from ingestion.providers.takeout.sleep import StageInterval, overlay
from metrics.batch import Payload, SleepRecord, Stage, microseconds

STAGES = {
    "AWAKE": "awake",
    "LIGHT": "light",
    "DEEP": "deep",
    "REM": "rem",
    "ASLEEP": "asleep",
    "RESTLESS": "restless",
}
UNKNOWN_STAGE = "sleep stage of an unknown kind"
UNREADABLE_STAGE = "sleep stage that cannot be read"


class _Stage(Struct):
    startTime: Instant  # noqa: N815  Google's spelling, here and below
    endTime: Instant  # noqa: N815
    type: str = ""


class _Metadata(Struct):
    # proto3 leaves false out, so what is absent from metadata is false.
    processed: bool = False
    mainSleep: bool = False  # noqa: N815
    externalId: str = ""  # noqa: N815


class _Sleep(Struct):
    interval: Interval
    metadata: _Metadata | None = None
    stages: list[Raw] = []
    shortAwakenings: list[Raw] = []  # noqa: N815


class _Point(Struct):
    sleep: _Sleep
    name: str = ""
    dataSource: Raw = NOTHING  # noqa: N815


_POINTS = ListDecoder("dataPoints", _Point)
_STAGE = msgspec.json.Decoder(_Stage)


def sleep_page(body: bytes, origin: Origin) -> SessionPage[SleepRecord]:
    """Page of a response to `list` for sleep. Raises BrokenResponse."""

    def night(point: _Point, start: dt.datetime, end: dt.datetime, skipped: Counter[str]) -> SleepRecord:
        return _night(point, start, end, origin, skipped)

    return session_page(_POINTS.read(body), lambda point: point.sleep.interval, night)


def assemble_sleep(pages: Sequence[SessionPage[SleepRecord]]) -> Pulled:
    """Nights of the pages of one pull, each once: of one that comes twice the last one counts."""
    nights = {(night.source, night.external_id): night for page in pages for night, _ in page.sessions}
    clock_readings = [pair for page in pages for _, clocks in page.sessions for pair in clocks]
    time = np.array([at for at, _ in clock_readings], dtype=np.int64)
    offset = np.array([seconds for _, seconds in clock_readings], dtype=np.int32)
    return Pulled(
        Payload(sleep=list(nights.values())),
        offset_changes(time, offset),
        skipped=sum((page.skipped for page in pages), Counter[str]()),
        points=len(nights),
        unreadable=left_out(pages),
        unfinished=sorted({at for page in pages for at in page.unfinished}),
    )


def _night(
    point: _Point, starts_at: dt.datetime, ends_at: dt.datetime, origin: Origin, skipped: Counter[str]
) -> SleepRecord:
    sleep, metadata = point.sleep, point.sleep.metadata
    intervals = _stage_intervals(sleep.stages, starts_at, skipped)
    # The night's own minutes count short awakenings, which lie on top of the stages.
    for short in _stage_intervals(sleep.shortAwakenings, starts_at, skipped):
        intervals = overlay(intervals, short)
    return SleepRecord(
        origin.source(bytes(point.dataSource)),
        # Without an id in its name the night is known by its start.
        session_id((named(point.name), metadata.externalId if metadata else "", str(microseconds(starts_at)))),
        starts_at,
        ends_at,
        tuple(Stage(starts_at + dt.timedelta(seconds=at), length, stage) for at, length, stage in intervals),
        is_main=metadata.mainSleep if metadata else None,
        processed=metadata.processed if metadata else True,
    )


def _stage_intervals(raws: Iterable[Raw], starts_at: dt.datetime, skipped: Counter[str]) -> list[StageInterval]:
    """Stages as (seconds from the night's start, seconds long, stage), in order of time. One of no length is none."""
    intervals = []
    stages, lost = parts(_STAGE, raws)
    for stage in stages:
        at, end = (round((edge - starts_at).total_seconds()) for edge in (stage.startTime, stage.endTime))
        if end < at:
            lost += 1
        elif kind := STAGES.get(stage.type):
            intervals += [(at, end - at, kind)] if end > at else []
        else:
            skipped[UNKNOWN_STAGE] += 1
    if lost:
        skipped[UNREADABLE_STAGE] += lost
    return sorted(intervals)
