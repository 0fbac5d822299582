"""Sleep logs of the JSON tree: local stamps without an offset, stages or the older classic levels."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterable

from ingestion.providers.base import Chunk, FileJob
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
Stretch = tuple[int, int, str]  # seconds from the start, seconds long, stage


def read_sleep(job: FileJob, chunk: Chunk) -> None:
    """Every log of the file. The same log may recur in a neighbouring file: its id makes them one."""
    found, lines = records(job, Sleep, chunk)
    if not found:
        return
    owner = zone(job)
    for log, line in zip(found, lines, strict=True):
        try:
            chunk.delivery(None).sleep.append(_night(log, owner))
        except (ValueError, OverflowError) as error:
            chunk.reject([line], f"sleep log that cannot be read: {error}")


def _night(log: Sleep, owner: zoneinfo.ZoneInfo) -> SleepRecord:
    """Raises ValueError for stamps that are none, and a night that ends before it begins."""
    wall_start, wall_end = _wall(log.startTime), _wall(log.endTime)
    starts_at, ends_at = _instants(wall_start, wall_end, log.duration, owner)
    if ends_at <= starts_at:
        raise ValueError("it ends before it starts")
    stretches = _stretches(log.levels.data, wall_start, starts_at, owner)
    for short in _stretches(log.levels.shortData, wall_start, starts_at, owner):
        stretches = overlay(stretches, short)
    stages = tuple(Stage(starts_at + dt.timedelta(seconds=at), length, stage) for at, length, stage in stretches)
    return SleepRecord(TRACKER, str(log.logId), starts_at, ends_at, stages, is_main=log.mainSleep)


def _wall(stamp: str) -> dt.datetime:
    return dt.datetime.fromisoformat(stamp).replace(tzinfo=None)


def _instants(
    start: dt.datetime, end: dt.datetime, duration: int | None, owner: zoneinfo.ZoneInfo
) -> tuple[dt.datetime, dt.datetime]:
    """Start and end in UTC. In the repeated autumn hour the length of the night tells which pass is meant."""
    passes = [
        (start.replace(tzinfo=owner, fold=a).astimezone(dt.UTC), end.replace(tzinfo=owner, fold=b).astimezone(dt.UTC))
        for a in (0, 1)
        for b in (0, 1)
    ]
    if duration is None:
        return passes[0]
    length = dt.timedelta(milliseconds=duration)
    return min(passes, key=lambda both: abs((both[1] - both[0]) - length))


def _stretches(
    levels: Iterable[Level], wall_start: dt.datetime, starts_at: dt.datetime, owner: zoneinfo.ZoneInfo
) -> list[Stretch]:
    """Levels as stretches from the night's start. Where one follows on another, elapsed time is what counts.

    So a change of clocks within the night neither tears the stages apart nor piles them up.
    """
    found: list[Stretch] = []
    wall_ends, ends = wall_start, 0
    for level in levels:
        if level.level not in LEVELS or level.seconds <= 0:
            continue
        wall = _wall(level.dateTime)
        gap = (wall - wall_ends).total_seconds()
        if gap == 0 or abs(gap) == 3600:  # it follows on; an hour is a change of clocks
            at = ends
        else:
            at = round((wall.replace(tzinfo=owner).astimezone(dt.UTC) - starts_at).total_seconds())
        found.append((at, level.seconds, LEVELS[level.level]))
        wall_ends, ends = wall + dt.timedelta(seconds=level.seconds), at + level.seconds
    return found


def overlay(stretches: list[Stretch], short: Stretch) -> list[Stretch]:
    """Lay a short stretch over longer ones: the time stays the same, what it covers gives way."""
    at, length, _ = short
    end = at + length
    found: list[Stretch] = []
    for begins, lasts, stage in stretches:
        ends = begins + lasts
        if ends <= at or begins >= end:
            found.append((begins, lasts, stage))
            continue
        if begins < at:
            found.append((begins, at - begins, stage))
        if ends > end:
            found.append((end, ends - end, stage))
    return sorted([*found, short])
