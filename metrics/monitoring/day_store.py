"""Store of days and gaps: writes only rows that differ, and to the history only what became otherwise."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from metrics.models import DayStatus, Exclusion
from metrics.monitoring import sql
from metrics.monitoring.day_inputs import Day, arrays
from metrics.monitoring.gaps import Piece
from metrics.storage.array_text import array_text, with_array_texts

MICROSECOND = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class EvaluatedDay:
    """A day and its status."""

    day: Day
    status: DayStatus
    reason: str
    fault_minutes: int
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Change:
    """A day whose status became otherwise; `before` is "" for a day that had none."""

    participant_id: int
    date: dt.date
    before: str
    after: str


def write(
    evaluated: Sequence[EvaluatedDay],
    gone: Collection[tuple[int, dt.date]],
    *,
    touched: Mapping[int, Collection[dt.date]],
    now: dt.datetime,
    why: str = "",
) -> list[Change]:
    """Store days' status and gaps; rows of (participant, date) in `gone` fall away. Returns what became otherwise.

    `touched`: dates by participant whose data changed: their rows are marked as updated whatever they say. `why`: what
    the history says of the cause.
    """
    with connection.cursor() as cursor:
        days = [evaluated_day.day for evaluated_day in evaluated]
        # First: what a day gives up may begin where a gap of its neighbour does now.
        changes = _remove(cursor, gone, now, why) if gone else []
        stored: dict[int, tuple[Any, ...]] = {}
        old_gaps: dict[int, list[tuple[Any, ...]]] = {}
        if days:
            cursor.execute(sql.STORED_DAYS, with_array_texts(arrays(days)))
            for n, *row, gaps in cursor.fetchall():
                old_gaps[n] = _gaps(gaps)
                if row[0] is not None:
                    stored[n] = tuple(row)
        changes += _write_days(cursor, evaluated, stored, touched, now, why)
        _write_gaps(cursor, evaluated, old_gaps, now)
    return changes


def _write_days(
    cursor: Any,
    evaluated: Sequence[EvaluatedDay],
    stored: Mapping[int, tuple[Any, ...]],
    touched: Mapping[int, Collection[dt.date]],
    now: dt.datetime,
    why: str,
) -> list[Change]:
    rows, history, changes = [], [], []
    for n, evaluated_day in enumerate(evaluated):
        day, old = evaluated_day.day, stored.get(n)
        new = (
            day.protocol.version,
            day.minutes,
            day.worn_minutes,
            evaluated_day.fault_minutes,
            day.asleep_minutes,
            day.coverage,
            day.newest,
            day.heard_at,
        )
        # A row without `known_at` was never evaluated.
        known = old is not None and old[2] is not None
        same = known and old is not None and (old[0], old[1]) == (evaluated_day.status, evaluated_day.reason)
        # Later than what it follows, even if this transaction took its time before the other's end.
        known_at = old[2] if same and old else max(now, old[2] + MICROSECOND) if known and old else now
        key = (day.person.pk, day.date)
        if not same:
            history.append(
                (
                    *key,
                    known_at,
                    evaluated_day.status.value,
                    str(evaluated_day.reason),
                    day.worn_minutes,
                    day.protocol.version,
                )
            )
            before = _status_code(old[0], old[1]) if known and old else ""
            changes.append(Change(*key, before, _status_code(evaluated_day.status, evaluated_day.reason)))
        if not same or old is None or _values(old[3:]) != new or day.date in touched.get(day.person.pk, ()):
            rows.append(
                (
                    *key,
                    evaluated_day.status.value,
                    str(evaluated_day.reason),
                    known_at,
                    *new[:5],
                    json.dumps(day.coverage),
                    *new[6:],
                )
            )
    if rows:
        names = ("people", "dates", "status", "reason", "known_at", "version", "day_minutes", "worn", "fault", "asleep")
        cursor.execute(
            sql.WRITE_DAYS, _columns((*names, "coverage", "last_sample_at", "heard_at"), rows) | {"now": now}
        )
    if history:
        _write_history(cursor, history, why)
    return changes


def _values(old: Sequence[Any]) -> tuple[Any, ...]:
    version, minutes, worn, fault, asleep, coverage, newest, heard_at = old
    return (
        version,
        minutes,
        worn,
        fault,
        asleep,
        json.loads(coverage) if isinstance(coverage, str) else coverage,
        newest,
        heard_at,
    )


def _status_code(status: str, reason: str) -> str:
    """The code of a status; a day that a fault of ours took away is none that the participant lost."""
    return "f" if reason == Exclusion.PLATFORM else str(DayStatus(status).value)


def _write_history(cursor: Any, rows: Sequence[tuple[Any, ...]], why: str) -> None:
    names = ("people", "dates", "known_at", "status", "reason", "worn", "version")
    cursor.execute(sql.WRITE_STATUS_HISTORY, _columns(names, rows) | {"why": why})


def _columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    return {name: array_text(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def _write_gaps(
    cursor: Any, evaluated: Sequence[EvaluatedDay], old: Mapping[int, Sequence[tuple[Any, ...]]], now: dt.datetime
) -> None:
    """Replace the gaps that differ."""
    gone, rows = [], []
    for n, evaluated_day in enumerate(evaluated):
        kept = {gap[1:4]: gap for gap in old.get(n, ())}
        for piece in evaluated_day.pieces:
            gap = kept.get((piece.starts_at, piece.ends_at, piece.cause))
            if gap and _json(gap[4]) == piece.evidence:
                del kept[gap[1:4]]
                continue
            cause = piece.cause.value if piece.cause else ""
            key = (evaluated_day.day.person.pk, evaluated_day.day.date)
            rows.append((*key, piece.starts_at, piece.ends_at, cause, json.dumps(piece.evidence)))
        gone += [gap[0] for gap in kept.values()]
    if gone:
        cursor.execute(sql.REMOVE_GAPS, {"ids": gone})
    if rows:
        names = ("people", "dates", "starts", "ends", "causes", "evidence")
        cursor.execute(sql.WRITE_GAPS, _columns(names, rows) | {"now": now})


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _gaps(value: Any) -> list[tuple[Any, ...]]:
    """Stored gaps as (id, start, end, cause, evidence)."""
    return [
        (pk, dt.datetime.fromisoformat(start), dt.datetime.fromisoformat(end), cause, facts)
        for pk, start, end, cause, facts in _json(value) or []
    ]


def _remove(cursor: Any, gone: Collection[tuple[int, dt.date]], now: dt.datetime, why: str) -> list[Change]:
    """Rows of days that are none any more: without data and outside the monitoring. The history says so."""
    keys = sorted(gone)
    parameters = {"n": list(range(len(keys))), "people": [k[0] for k in keys], "dates": [k[1] for k in keys]}
    cursor.execute(sql.STORED_DAYS, with_array_texts(parameters))
    stored = cursor.fetchall()
    if ids := [gap[0] for row in stored for gap in _gaps(row[-1])]:
        cursor.execute(sql.REMOVE_GAPS, {"ids": ids})
    cursor.execute(sql.REMOVE_DAYS, parameters)
    history, changes = [], []
    for n, status, reason, known_at, version, *_ in stored:
        if known_at is None:
            continue
        at = max(now, known_at + MICROSECOND)
        history.append((*keys[n], at, DayStatus.EXCLUDED.value, Exclusion.BEFORE_START.value, 0, version))
        changes.append(Change(keys[n][0], keys[n][1], _status_code(status, reason), DayStatus.EXCLUDED.value))
    if history:
        _write_history(cursor, history, why)
    return changes
