"""Formats UserSleeps and UserSleepStages: nights in UTC with the device's offset, the best there is in an export."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from ingestion.providers.base.files import Chunk, FileJob
from ingestion.providers.csv_columns import Block, has, named_blocks, unlike
from ingestion.providers.local_time import departures
from ingestion.providers.night_clock import Night, fits, read_night
from ingestion.providers.takeout.names import base
from ingestion.providers.takeout.reading import PLATFORM, PROVIDER, zone
from ingestion.providers.text_cells import offset_seconds
from metrics.batch import SleepRecord, SourceKey, Stage

STAGES = {
    "LIGHT": "light",
    "DEEP": "deep",
    "REM": "rem",
    "AWAKE": "awake",
    "WAKE": "awake",
    "ASLEEP": "asleep",
    "RESTLESS": "restless",
}
STAGE_COLUMNS = ("sleep_id", "sleep_stage_type", "sleep_stage_start", "sleep_stage_end")
# What more tells of a night, where the file has it.
ALSO = ("data_source", "end_utc_offset", "minutes_in_sleep_period")
StageRow = tuple[Stage, str | None]  # a stage, and the offset that is written beside its start
# Its nights have other ids than the JSON tree's logs of the same nights, so they need a source of their own.
OWN_SOURCE = "UserSleeps"


class UserSleeps:
    """Format with a night a row; its stages lie in the file UserSleepStages beside it."""

    code: ClassVar[str] = "takeout.user_sleeps"
    columns: ClassVar[tuple[str, ...]] = ("sleep_id", "start_utc_offset", "sleep_start", "sleep_end")

    def matches(self, name: str, head: bytes) -> bool:
        return has(head, self.columns)

    def near_miss(self, name: str, head: bytes) -> str | None:
        lack = unlike(head, self.columns) if base(name).startswith("UserSleeps_") else ""
        return f"named like UserSleeps, but {lack}" if lack else None

    def label_in(self, name: str, head: bytes) -> str | None:
        return None  # an export never says whose it is

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        stages = _stages(job)
        owner, offsets = zone(job), []
        for block, chunk in named_blocks(job.open, {*self.columns, *ALSO}, quoted=True):
            for row, line in _rows(block):
                try:
                    offset = offset_seconds(row["start_utc_offset"])
                    night = _night(row, stages, owner)
                except (ValueError, OverflowError) as error:
                    chunk.reject([line], f"night that cannot be read: {error}")
                    continue
                chunk.payload(None).sleep.append(night)
                if offset:
                    offsets.append((night.starts_at, offset))
                else:
                    chunk.noted["offset +00:00 may be a placeholder: the participant's zone stands"] += 1
            yield chunk
        journeys = Chunk(position=job.size)
        if changes := departures(offsets, owner):
            journeys.payload(None).offsets.extend(changes)
        yield journeys


def _rows(block: Block) -> Iterator[tuple[dict[str, str], int]]:
    columns = {name: column.to_pylist() for name, column in block.columns.items()}
    for index, line in enumerate(block.lines.tolist()):
        yield {name: column[index] for name, column in columns.items()}, line


def _instant(text: str) -> dt.datetime:
    """Instant of a stamp, which is UTC, with or without saying so. Raises ValueError."""
    instant = dt.datetime.fromisoformat(text)
    return instant.replace(tzinfo=dt.UTC) if instant.tzinfo is None else instant.astimezone(dt.UTC)


def _night(row: dict[str, str], stages: dict[str, list[StageRow]], owner: zoneinfo.ZoneInfo) -> SleepRecord:
    sleep_id, starts_at, ends_at = row["sleep_id"].strip(), _instant(row["sleep_start"]), _instant(row["sleep_end"])
    if not 0 < len(sleep_id) <= 64:
        raise ValueError("sleep_id is missing or too long")
    rows = sorted(stages.get(sleep_id, []), key=lambda row_of_stage: row_of_stage[0].starts_at)
    own_stages = [stage for stage, _ in rows]
    if night := _read_again(row, starts_at, ends_at, rows, owner):
        ends_at = night.ends_at
        own_stages = [
            replace(stage, starts_at=starts_at + dt.timedelta(seconds=at))
            for stage, at in zip(own_stages, night.stages, strict=True)
        ]
    if ends_at <= starts_at:
        raise ValueError("it ends before it starts")
    source = SourceKey(PROVIDER, PLATFORM, (row.get("data_source") or OWN_SOURCE)[:80])
    return SleepRecord(source, sleep_id, starts_at, ends_at, tuple(own_stages))


def _read_again(
    row: dict[str, str], starts_at: dt.datetime, ends_at: dt.datetime, stages: list[StageRow], owner: zoneinfo.ZoneInfo
) -> Night | None:
    """Night read by its local stamps, where its length says that UTC was made of them with a wrong offset."""
    minutes, slept = row.get("minutes_in_sleep_period") or "", sum(stage.seconds for stage, _ in stages)
    length = dt.timedelta(minutes=float(minutes)) if minutes else dt.timedelta(seconds=slept) if slept else None
    offset = row["start_utc_offset"]
    home = starts_at.astimezone(owner).utcoffset() == dt.timedelta(seconds=offset_seconds(offset))
    if fits(ends_at - starts_at, length) or not offset or not home:
        return None
    start, end = _local(starts_at, offset), _local(ends_at, row.get("end_utc_offset") or offset)
    walls = [(_local(stage.starts_at, at or offset), stage.seconds) for stage, at in stages]
    night = read_night(owner, start, end, walls, length)
    return night if night.starts_at == starts_at and fits(night.ends_at - starts_at, length) else None


def _local(at: dt.datetime, offset: str) -> dt.datetime:
    return at.replace(tzinfo=None) + dt.timedelta(seconds=offset_seconds(offset))


def _stages(job: FileJob) -> dict[str, list[StageRow]]:
    """Stages by sleep_id from the file beside this one; none where there is none. Bad rows there are left out."""
    name = base(job.name)
    beside = job.companion(name.replace("UserSleeps", "UserSleepStages", 1))
    if beside is None:
        job.assumptions["stages"] = "none: there is no UserSleepStages file beside this one"
        return {}
    by_sleep: dict[str, list[StageRow]] = {}
    unread = 0
    for block, chunk in named_blocks(beside, {*STAGE_COLUMNS, "start_utc_offset"}, quoted=True):
        unread += sum(chunk.rejected.values())
        for row, _ in _rows(block):
            try:
                starts_at, ends_at = _instant(row["sleep_stage_start"]), _instant(row["sleep_stage_end"])
                stage = STAGES[row["sleep_stage_type"].strip().upper()]
            except (ValueError, OverflowError, KeyError):
                unread += 1
                continue
            seconds = round((ends_at - starts_at).total_seconds())
            stage_row = (Stage(starts_at, seconds, stage), row.get("start_utc_offset"))
            by_sleep.setdefault(row["sleep_id"].strip(), []).append(stage_row)
    if unread:
        job.assumptions["stages"] = f"{unread} rows of UserSleepStages were not legible and are left out"
    return by_sleep
