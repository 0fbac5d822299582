"""Inputs of the evaluation, from the store: worn minutes, coverage, sleep, missing intervals of local days.

A few statements for many participants.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from metrics.batch import instant
from metrics.local_time import EPOCH, DaySpan, LocalCalendar
from metrics.models import Source
from metrics.monitoring import sql
from metrics.monitoring.gaps import Neighbours
from metrics.registry import BY_CODE, BY_ID, HEART_RATE, METRICS, STEPS, Kind
from metrics.selection.night_source_choice import asleep_on
from metrics.selection.source_choice import counting, place
from metrics.storage.array_text import with_array_texts
from participants.models import Protocol

# Above every metric's id.
BEYOND = max(BY_ID) + 1
# What a device measures by itself through the day while it is worn, beside the heart rate.
INTRADAY = [m.id for m in METRICS if m.worn and m.kind is not Kind.DAILY and m is not HEART_RATE]
WORN = [m.id for m in METRICS if m.worn]


@dataclass(slots=True)
class ParticipantHistory:
    """A participant's row, their pauses, clock and how their days stand. Columns of `history` ascend by date.

    `dates`: int64 days since 1970-01-01. `states`: one code a day, a DayStatus; `nights`: n where a main sleep is
    known, else -; `data`: 1 where anything is. `newest`: the newest sample of what is worn by those days,
    `newest_before` by the status summary, `arrived_at` when that came. `adherence_before`, `best_before`, `recounted`:
    as the summary has them.
    """

    pk: int
    trial_id: int
    status: str
    zone: str
    starts_on: dt.date | None
    withdrawn_on: dt.date | None
    pauses: list[tuple[dt.date, dt.date | None, str]]
    offsets: list[tuple[int, int | None]]
    newest_before: dt.datetime | None
    arrived_at: dt.datetime | None
    dates: NDArray[np.int64]
    states: str
    reasons: list[str]
    worn: NDArray[np.int64]
    minutes: NDArray[np.int64]
    nights: str
    data: str
    newest: dt.datetime | None
    adherence_before: float | None
    best_before: float | None
    recounted: bool


def people(ids: Sequence[int]) -> list[ParticipantHistory]:
    """The people with these ids, with all that stands of their days. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql.PEOPLE, {"people": list(ids)})
        rows = cursor.fetchall()
    histories = []
    for row in rows:
        pauses, offsets = _json(row[6]), _json(row[7])
        histories.append(
            ParticipantHistory(
                pk=row[0],
                trial_id=row[1],
                status=row[2],
                zone=row[3],
                starts_on=row[4],
                withdrawn_on=row[5],
                pauses=[
                    (dt.date.fromisoformat(a), dt.date.fromisoformat(b) if b else None, reason)
                    for a, b, reason in pauses
                ],
                offsets=[(at, offset) for at, offset in offsets],
                newest_before=row[8],
                arrived_at=row[9],
                dates=np.array(row[10] or [], dtype=np.int64),
                states=row[11] or "",
                reasons=row[12] or [],
                worn=np.array(row[13] or [], dtype=np.int64),
                minutes=np.array(row[14] or [], dtype=np.int64),
                nights=row[15] or "",
                data=row[16] or "",
                newest=row[17],
                adherence_before=row[18],
                best_before=row[19],
                recounted=bool(row[20]),
            )
        )
    return histories


def _json(value: Any) -> list[Any]:
    return list(json.loads(value) if isinstance(value, str) else value or [])


def protocols_by_trial(trials: Collection[int]) -> dict[int, list[Protocol]]:
    """By trial, its protocols, the latest effective first; where there is none, the defaults."""
    by_trial: dict[int, list[Protocol]] = {trial: [] for trial in trials}
    for protocol in Protocol.objects.filter(trial__in=trials).order_by("-effective_on", "-version"):
        by_trial[protocol.trial_id].append(protocol)
    return {trial: protocols or [Protocol(trial_id=trial, effective_on=EPOCH)] for trial, protocols in by_trial.items()}


@dataclass(slots=True)
class Day:
    """A local day that is to be evaluated, and what the store holds of it.

    `missing`: its intervals without a heart rate, each at least as long as the protocol says. `newest`: its newest
    sample, one that does not count too; `heard_at`: the newest of what is worn. `series`: its rollups as (metric,
    source, minutes, n); `nights`: the sleep that ended on it as (source, main sleep?, minutes asleep).
    """

    person: ParticipantHistory
    date: dt.date
    spans: list[DaySpan]
    protocol: Protocol
    worn_minutes: int = 0
    missing: list[tuple[dt.datetime, dt.datetime]] = field(default_factory=list)
    asleep_minutes: int | None = None
    nights: list[tuple[int, bool, int]] = field(default_factory=list)
    newest: dt.datetime | None = None
    heard_at: dt.datetime | None = None
    series: list[tuple[int, int, int, int]] = field(default_factory=list)
    coverage: dict[str, int] = field(default_factory=dict)

    @property
    def slept(self) -> bool:
        return bool(self.nights)

    @property
    def starts_at(self) -> dt.datetime:
        return instant(self.spans[0].starts_at)

    @property
    def ends_at(self) -> dt.datetime:
        return instant(self.spans[-1].ends_at)

    @property
    def minutes(self) -> int:
        return sum(span.ends_at - span.starts_at for span in self.spans) // 60_000_000

    @property
    def has_data(self) -> bool:
        """Whether anything came of it, be it values that do not count."""
        return bool(self.series) or self.slept or self.newest is not None

    @property
    def heard(self) -> bool:
        """Whether anything of it came from what is worn."""
        return self.heard_at is not None or self.slept


def days_of(
    person: ParticipantHistory, dates: Sequence[dt.date], calendar: LocalCalendar, protocol_of: dict[dt.date, Protocol]
) -> list[Day]:
    """These dates of a participant as days to be evaluated; one that a journey skipped is none."""
    spans: dict[dt.date, list[DaySpan]] = defaultdict(list)
    for span in calendar.spans(dates):
        spans[span.date].append(span)
    return [Day(person, date, spans[date], protocol_of[date]) for date in sorted(spans)]


def arrays(days: Sequence[Day]) -> dict[str, Any]:
    """Days as statement parameters: n, people, dates."""
    return {
        "n": list(range(len(days))),
        "people": [day.person.pk for day in days],
        "dates": [day.date for day in days],
    }


def read(days: Sequence[Day]) -> None:
    """Fill in what the store holds of these days. Two statements, and two more where sources must be ranked."""
    if not days:
        return
    spans = [(n, day, span) for n, day in enumerate(days) for span in day.spans]
    parameters = arrays(days) | {
        "span_n": [n for n, _, _ in spans],
        "span_people": [day.person.pk for _, day, _ in spans],
        "span_dates": [day.date for _, day, _ in spans],
        "starts": [instant(span.starts_at) for _, _, span in spans],
        "ends": [instant(span.ends_at) for _, _, span in spans],
        "least": [dt.timedelta(minutes=day.protocol.gap_minutes) for _, day, _ in spans],
        "heart_rate": HEART_RATE.id,
        "worn_metrics": WORN,
        "low": instant(min(span.starts_at for _, _, span in spans)),
        "high": instant(max(span.ends_at for _, _, span in spans)),
    }
    with connection.cursor() as cursor:
        parameters = with_array_texts(parameters)
        cursor.execute(sql.DAY_FACTS, parameters)
        for n, nights, series, newest, heard_at in cursor.fetchall():
            day = days[n]
            day.nights, day.newest, day.heard_at = [(s, main, m) for s, main, m in _json(nights)], newest, heard_at
            day.series = [(m, s, minutes, samples) for m, s, minutes, samples in _json(series)]
        cursor.execute(sql.WORN, parameters)
        for n, worn, starts, ends in cursor.fetchall():
            days[n].worn_minutes += worn
            days[n].missing += zip(starts or [], ends or [], strict=True)
    _cover(days)
    _sleep(days)


def _cover(days: Sequence[Day]) -> None:
    """Coverage of each expected metric: minutes with data from the source that counts on the day, never added."""
    rows = [(n, day, *series) for n, day in enumerate(days) for series in day.series]
    counted = _counting(rows)
    minutes = {
        (n, metric): length for (n, _, metric, _, length, _), counts in zip(rows, counted, strict=True) if counts
    }
    for n, day in enumerate(days):
        for code in day.protocol.expected_metrics:
            if metric := BY_CODE.get(code):
                held = minutes.get((n, metric.id), 0)
                day.coverage[code] = min(held, 1) if metric.kind is Kind.DAILY else held


def _counting(rows: Sequence[tuple[int, Day, int, int, int, int]]) -> Sequence[bool]:
    """Which of (place of the day, day, metric, source, minutes, n) count: one source of each day and metric."""
    if len({(n, metric) for n, _, metric, *_ in rows}) == len(rows):
        return [True] * len(rows)
    sources = Source.objects.in_bulk({source for _, _, _, source, _, _ in rows})
    columns = [
        (n * BEYOND + metric, place(sources[source], day.protocol.source_priority), source, minutes, samples)
        for n, day, metric, source, minutes, samples in rows
    ]
    counts: list[bool] = counting(*np.array(columns, dtype=np.int64).T).tolist()
    return counts


def _sleep(days: Sequence[Day]) -> None:
    """The minutes of the main sleep that counts on each day."""
    doubled = {night[0] for day in days if len(day.nights) > 1 for night in day.nights}
    sources = Source.objects.in_bulk(doubled) if doubled else {}
    for day in days:
        order = day.protocol.source_priority
        places = [place(sources[night[0]], order) if len(day.nights) > 1 else 0 for night in day.nights]
        day.asleep_minutes = asleep_on(day.nights, places)


def neighbours(intervals: Sequence[tuple[Day, dt.datetime, dt.datetime]]) -> list[Neighbours]:
    """Neighbouring data of each of these intervals of days. One statement, none where nothing else was."""
    queried = [
        (n, day, start, end)
        for n, (day, start, end) in enumerate(intervals)
        if any(BY_ID[metric].kind is not Kind.DAILY and metric != HEART_RATE.id for metric, _, _, _ in day.series)
    ]
    measured = [Neighbours() for _ in intervals]
    if not queried:
        return measured
    parameters: dict[str, Any] = {
        "n": [n for n, _, _, _ in queried],
        "people": [day.person.pk for _, day, _, _ in queried],
        "dates": [day.date for _, day, _, _ in queried],
        "starts": [start for _, _, start, _ in queried],
        "ends": [end for _, _, _, end in queried],
        "metrics": INTRADAY,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql.NEIGHBOURS, with_array_texts(parameters))
        for n, metric, samples, zeros, total in cursor.fetchall():
            if metric != STEPS.id:
                measured[n] = Neighbours(True, measured[n].step_minutes, measured[n].zero_minutes, measured[n].steps)
            elif samples >= measured[n].step_minutes:
                measured[n] = Neighbours(True, samples, zeros, round(total))
    return measured


def date_of(day: int) -> dt.date:
    """The date of a number of days since 1970-01-01."""
    return EPOCH + dt.timedelta(days=day)
