"""Sleep logs of the JSON tree: local stamps without an offset, stages or the older classic levels."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterable

from ingestion.providers.base.files import Chunk, FileJob
from ingestion.providers.night_clock import WallStage, read_night, stage_starts
from ingestion.providers.takeout.reading import TRACKER, zone
from ingestion.providers.takeout.records import Level, Sleep, records
from metrics.batch import SleepRecord, Stage

LEVELS = {
    "wake": "awake",
    "awake": "awake",
    "light": "light",
    "deep": "deep",
    "rem": "rem",
    "asleep": "asleep",
    "restless": "restless",
}
StageInterval = tuple[int, int, str]  # seconds from the start, seconds long, stage


def read_sleep(job: FileJob, chunk: Chunk) -> None:
    """Sleep logs of the file. The same log may recur in a neighbouring file: its id makes them one."""
    nights, lines = records(job, Sleep, chunk)
    if not nights:
        return
    owner = zone(job)
    for log, line in zip(nights, lines, strict=True):
        try:
            chunk.payload(None).sleep.append(_night(log, owner))
        except (ValueError, OverflowError) as error:
            chunk.reject([line], f"sleep log that cannot be read: {error}")


def _night(log: Sleep, owner: zoneinfo.ZoneInfo) -> SleepRecord:
    """Night of a log. Raises ValueError for stamps that are none, and a night that ends before it begins."""
    start, end = _wall(log.startTime), _wall(log.endTime)
    length = None if log.duration is None else dt.timedelta(milliseconds=log.duration)
    levels, short = _known(log.levels.data), _known(log.levels.shortData)
    night = read_night(owner, start, end, _stamped(levels), length)
    if night.ends_at <= night.starts_at:
        raise ValueError("it ends before it starts")
    intervals = [(at, level.seconds, LEVELS[level.level]) for at, level in zip(night.stages, levels, strict=True)]
    wakes = stage_starts(owner, start, night.starts_at, _stamped(short), on_the_wall=night.on_the_wall)
    for at, wake in zip(wakes, short, strict=True):
        intervals = overlay(intervals, (at, wake.seconds, LEVELS[wake.level]))
    stages = tuple(Stage(night.starts_at + dt.timedelta(seconds=at), lasts, stage) for at, lasts, stage in intervals)
    return SleepRecord(TRACKER, str(log.logId), night.starts_at, night.ends_at, stages, is_main=log.mainSleep)


def _wall(stamp: str) -> dt.datetime:
    return dt.datetime.fromisoformat(stamp).replace(tzinfo=None)


def _known(levels: Iterable[Level]) -> list[Level]:
    return [level for level in levels if level.level in LEVELS and level.seconds > 0]


def _stamped(levels: Iterable[Level]) -> list[WallStage]:
    return [(_wall(level.dateTime), level.seconds) for level in levels]


def overlay(intervals: list[StageInterval], short: StageInterval) -> list[StageInterval]:
    """Lay a short interval over longer ones: the time stays the same, what it covers gives way."""
    at, length, _ = short
    end = at + length
    kept: list[StageInterval] = []
    for begins, lasts, stage in intervals:
        ends = begins + lasts
        if ends <= at or begins >= end:
            kept.append((begins, lasts, stage))
            continue
        if begins < at:
            kept.append((begins, at - begins, stage))
        if ends > end:
            kept.append((end, ends - end, stage))
    return sorted([*kept, short])
