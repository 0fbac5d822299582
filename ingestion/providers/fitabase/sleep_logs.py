"""Format of sleep logs as a whole: when, how long, whether the main sleep, and minutes by level or stage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ingestion.providers.base.files import Chunk, FileJob
from ingestion.providers.csv_columns import Block
from ingestion.providers.fitabase.names import base, beside
from ingestion.providers.fitabase.reading import SOURCE, LabelClocks, Part, good_instants, read_parts, stamps
from ingestion.providers.fitabase.tables import Table, by_label, table_blocks
from ingestion.providers.text_cells import labels
from metrics.batch import SleepRecord, SleepTotals, Values, instant

LONGEST = dt.timedelta(days=2)
COLUMNS = ("LogId", "StartTime", "Duration")
YES_OR_NO = {"true": True, "false": False, "1": True, "0": False}
# Minutes of a log, of its stages and of the classic levels, by the columns of either file.
MINUTES = {
    "asleep": ("MinutesAsleep",),
    "awake": ("StagesWakeDuration", "ClassicAwakeDuration", "AwakeDuration"),
    "light": ("StagesLightDuration",),
    "deep": ("StagesDeepDuration",),
    "rem": ("StagesREMDuration",),
    "restless": ("ClassicRestlessDuration", "RestlessDuration"),
}
_MORE = ("IsMainSleep", *(column for columns in MINUTES.values() for column in columns))


@dataclass(frozen=True, slots=True)
class Log:
    """Sleep log as a whole. `length`: from start to end; None where the file does not tell."""

    length: dt.timedelta | None
    is_main: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepLogs(Table):
    """Format with a log a row. It ends its duration after its start, whatever the clocks did."""

    columns: tuple[str, ...] = COLUMNS
    optional: tuple[str, ...] = _MORE

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        yield from read_parts(job, self, LabelClocks(job, self), lambda part: self._read(job, part))

    def _read(self, job: FileJob, part: Part) -> None:
        local, usable = stamps(part, "StartTime")
        length, ok = part.block.numbers("Duration")
        sane = ok & (length > 0) & (length <= LONGEST.total_seconds() * 1000)
        part.chunk.reject(part.lines[usable & ~sane], "Duration is no length of a sleep in milliseconds")
        codes, log_ids = labels(part.block.columns["LogId"])
        named = np.array([0 < len(name) <= 64 for name in log_ids], dtype=bool)[codes]
        part.chunk.reject(part.lines[usable & sane & ~named], "LogId is missing or too long")
        rows = np.flatnonzero(usable & sane & named)
        time = part.clock.utc(local[rows])
        timely = good_instants(part, time, part.lines[rows], job)
        minutes, main = _minutes(part.block), _mains(part.block)
        for row, at in zip(rows[timely], time[timely], strict=True):
            starts_at = instant(at)
            ends_at = starts_at + dt.timedelta(milliseconds=float(length[row]))
            totals = _totals({name: column[row] for name, column in minutes.items()}, ends_at - starts_at)
            part.chunk.payload(part.label).sleep.append(
                SleepRecord(
                    SOURCE,
                    log_ids[codes[row]],
                    starts_at,
                    ends_at,
                    is_main=main[row],
                    totals=totals,
                    finest_stays=True,
                )
            )


def _minutes(block: Block) -> dict[str, Values]:
    """Minutes by what they are of, NaN where nothing is told: of several columns the first that tells."""
    minutes: dict[str, Values] = {}
    for name, columns in MINUTES.items():
        values = np.full(len(block), np.nan)
        for column in columns:
            if column in block.columns:
                values = np.where(np.isnan(values), block.numbers(column)[0], values)
        minutes[name] = values
    return minutes


def _mains(block: Block) -> list[bool | None]:
    if "IsMainSleep" not in block.columns:
        return [None] * len(block)
    return [YES_OR_NO.get(cell.strip().casefold()) for cell in block.columns["IsMainSleep"].to_pylist()]


def _totals(minutes: dict[str, float], length: dt.timedelta) -> SleepTotals | None:
    """Totals of a log; None where sleep is not told, or is no part of the night."""
    totals = {name: round(value) for name, value in minutes.items() if not np.isnan(value)}
    if "asleep" not in totals or not 0 <= totals["asleep"] * 60 <= length.total_seconds() + 60:
        return None
    return SleepTotals(**totals)


def logs_beside(job: FileJob, file_type: str, log_type: str) -> dict[tuple[str | None, str], Log]:
    """Logs in the file of whole logs beside a file of their rows, by participant label and log id."""
    name = beside(job.name, file_type, log_type)
    opener = job.companion(name) if name != base(job.name) else None
    logs: dict[tuple[str | None, str], Log] = {}
    if opener is None:
        return logs
    table = SleepLogs(code=f"fitabase.{log_type}")
    for block, _ in table_blocks(opener, table):
        for label, rows in by_label(name, block):
            if not {"LogId", "Duration"} <= set(rows.columns):
                return {}
            lengths, main = rows.numbers("Duration")[0], _mains(rows)
            for place, log_id in enumerate(rows.columns["LogId"].to_pylist()):
                log_length = None if np.isnan(lengths[place]) else dt.timedelta(milliseconds=float(lengths[place]))
                logs[label, log_id.strip()] = Log(log_length, main[place])
    return logs
