"""Writing samples: what is stored of their series is read back once, and only what is new or differs is written.

Part of the writer; called inside its transaction.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from metrics.batch import Counts, Refusal, SampleBatch, Seconds, Times, Values, instant
from metrics.local_time import EPOCH, LocalCalendar
from metrics.selection.plausible_range import plausible
from metrics.writing import fresh_rollups, rollups, rollups_sql, sql, stored_rows
from metrics.writing.binary_copy import copy_measurements, copy_minutes, stage
from metrics.writing.fresh_rollups import Buckets, Grown
from metrics.writing.row_changes import NO_SECONDS, SampleTrace, Trace, lengths
from metrics.writing.stored_rows import Differences, Stored


@dataclass(slots=True)
class Written:
    """Result of writing batches: the counts of each, in their order, and the local dates on which something changed."""

    counts: list[Counts] = field(default_factory=list)
    dates: set[dt.date] = field(default_factory=set)


@dataclass(slots=True)
class _Columns:
    """Columns of one series on their way into the store: ascending in time, one row an instant, shape (n,).

    `counted`: mask of values that count; `dates`: local dates, as days since 1970-01-01.
    """

    series: rollups.SeriesKey
    time: Times
    value: Values
    seconds: Seconds | None
    counts: Counts
    counted: NDArray[np.bool_]
    dates: NDArray[np.int64]
    stored: Stored
    differences: Differences

    @property
    def touched(self) -> NDArray[np.bool_]:
        """Mask of the rows that change the store."""
        return self.differences.fresh | self.differences.changed


def store_samples(
    batches: Sequence[tuple[rollups.SeriesKey, SampleBatch]],
    calendar: LocalCalendar,
    now: dt.datetime,
    trace: Trace | None = None,
) -> Written:
    """Write batches of one participant and what is made of them. A number of statements that does not grow with theirs
    where all that is written is new."""
    written = Written()
    for some in _rounds(batches):
        columns = [_columns(series, batch, calendar, now) for series, batch in some]
        written.counts += [part.counts for part in columns]
        if columns := [part for part in columns if len(part.time)]:
            written.dates |= _write(columns, calendar, trace)
    return written


def _rounds(
    batches: Iterable[tuple[rollups.SeriesKey, SampleBatch]],
) -> Iterable[list[tuple[rollups.SeriesKey, SampleBatch]]]:
    """Batches, in their order, so that none meets another of its series in a round."""
    some: dict[rollups.SeriesKey, SampleBatch] = {}
    for series, batch in batches:
        if series in some:
            yield list(some.items())
            some = {}
        some[series] = batch
    if some:
        yield list(some.items())


def _columns(series: rollups.SeriesKey, batch: SampleBatch, calendar: LocalCalendar, now: dt.datetime) -> _Columns:
    """A batch's columns that may be stored, and the counts of the others."""
    counts = Counts()
    refusals = batch.refusals(now)
    for refusal in Refusal:
        if refusal and (refused := int(np.count_nonzero(refusals == refusal))):
            counts.rejected[refusal.text] = refused
    time, value, seconds, counts.repeated = in_order(batch, refusals == Refusal.NONE)
    counted = plausible(series.metric, value, seconds)
    counts.flagged = len(value) - int(np.count_nonzero(counted))
    stored = Stored()
    compared = stored_rows.compare(stored.rows, time, value, seconds)
    return _Columns(series, time, value, seconds, counts, counted, calendar.dates(time), stored, compared)


def _write(columns: Sequence[_Columns], calendar: LocalCalendar, trace: Trace | None) -> set[dt.date]:
    """Write what is new or differs; returns the local dates of that."""
    with connection.cursor() as cursor:
        stored = stored_rows.read(cursor, [(part.series, part.time, part.dates) for part in columns])
        for part, known in zip(columns, stored, strict=True):
            _compare(part, known, trace)
            if part.differences.changed.any():
                _change(cursor, part)
        touched = [part for part in columns if part.touched.any()]
        copy_measurements(cursor, [_fresh(part) for part in touched if part.differences.fresh.any()])
        grown = [_grown(cursor, part, calendar) for part in touched]
        copy_minutes(cursor, [(part.series, _touched_minutes(part)) for part in grown if part.series.metric.subminute])
        changed = [bool(part.differences.changed.any()) for part in touched]
        fresh_rollups.write(cursor, [part for part, anew in zip(grown, changed, strict=True) if not anew], calendar)
    dates = set[dt.date]()
    for part, anew in zip(touched, changed, strict=True):
        concerned = {EPOCH + dt.timedelta(days=day) for day in np.unique(part.dates[part.touched]).tolist()}
        unusual = not bool(part.counted[part.touched].all())
        if anew:
            rollups.refresh(part.series, part.time[part.touched], calendar, minutes_done=True, implausible=unusual)
        elif unusual or not part.stored.implausible.isdisjoint(part.dates[part.touched].tolist()):
            rollups.refresh_implausible(part.series, concerned, calendar)
        dates |= concerned
    return dates


def _compare(part: _Columns, stored: Stored, trace: Trace | None) -> None:
    """Note what is stored of a series, count what it changes, and leave a trace of that."""
    part.stored = stored
    part.differences = compared = stored_rows.compare(stored.rows, part.time, part.value, part.seconds)
    fresh, changed = int(np.count_nonzero(compared.fresh)), int(np.count_nonzero(compared.changed))
    part.counts.new, part.counts.changed, part.counts.unchanged = fresh, changed, len(part.time) - fresh - changed
    if trace is None:
        return
    before, seconds_before = np.full(len(part.time), np.nan), np.full(len(part.time), NO_SECONDS, dtype=np.int32)
    known = ~compared.fresh
    before[known] = stored.rows.value[compared.there[known]]
    seconds_before[known] = stored.rows.seconds[compared.there[known]]
    length = lengths(part.seconds, len(part.time))
    trace.samples.append(SampleTrace(part.series, part.time, part.value, length, before, seconds_before))


def _change(cursor: Any, part: _Columns) -> None:
    """Replace the values that differ; what they were is kept as Revisions."""
    changed = part.differences.changed
    time = part.time[changed]
    stage(cursor, time, part.value[changed], None if part.seconds is None else part.seconds[changed])
    parameters = {**part.series.parameters, "low": instant(time[0]), "high": instant(int(time[-1]) + 1)}
    cursor.execute(sql.KEEP_OLD_VALUES, parameters)
    cursor.execute(sql.CHANGE_VALUES, parameters)


def _fresh(part: _Columns) -> tuple[rollups.SeriesKey, Times, Values, Seconds | None]:
    fresh = part.differences.fresh
    if fresh.all():
        return part.series, part.time, part.value, part.seconds
    return part.series, part.time[fresh], part.value[fresh], None if part.seconds is None else part.seconds[fresh]


def _grown(cursor: Any, part: _Columns, calendar: LocalCalendar) -> Grown:
    """What counts of a series' spans now, whose rows are written; minute buckets that change are taken out."""
    old = part.stored.rows
    time, value = part.time[part.counted], part.value[part.counted]
    if len(old.time):
        kept = np.ones(len(old.time), dtype=bool)
        kept[part.differences.there[~part.differences.fresh]] = False
        counted = plausible(part.series.metric, old.value, old.seconds)
        if part.series.metric.subminute:
            _remove_minutes(cursor, part, old.time[counted])
        rest = kept & counted
        time, value = np.concatenate([time, old.time[rest]]), np.concatenate([value, old.value[rest]])
        order = np.argsort(time, kind="stable")
        time, value = time[order], value[order]
    made = fresh_rollups.minutes_of(time, value) if part.series.metric.subminute else None
    touched = part.touched
    return Grown(
        part.series,
        part.time[touched],
        part.dates[touched],
        made or fresh_rollups.samples_of(time, value, calendar),
        part.stored,
    )


def _remove_minutes(cursor: Any, part: _Columns, before: Times) -> None:
    """Take out the minute buckets that are to be made anew. `before`: times of stored samples that counted."""
    minutes = np.intersect1d(part.time[part.touched] // rollups.MINUTE, before // rollups.MINUTE)
    if len(minutes):
        buckets = [instant(minute) for minute in (minutes * rollups.MINUTE).tolist()]
        bounds = {"low": buckets[0], "high": buckets[-1] + dt.timedelta(minutes=1)}
        cursor.execute(rollups_sql.REMOVE_MINUTES, {**part.series.parameters, **bounds, "buckets": buckets})


def _touched_minutes(part: Grown) -> Buckets:
    """The minute buckets in which something changed."""
    if not len(part.stored.rows.time):
        return part.parts
    return part.parts.where(np.isin(part.parts.key // rollups.MINUTE, part.time // rollups.MINUTE))


def in_order(batch: SampleBatch, mask: NDArray[np.bool_]) -> tuple[Times, Values, Seconds | None, int]:
    """The batch's columns without the unwanted rows, ascending in time, one row an instant: the last one given."""
    time, value, seconds = batch.time, batch.value, batch.seconds
    if not mask.all():
        time, value = time[mask], value[mask]
        seconds = None if seconds is None else seconds[mask]
    if len(time) < 2 or bool((time[1:] > time[:-1]).all()):
        return time, value, seconds, 0
    order = np.argsort(time, kind="stable")
    last = np.append(time[order][1:] != time[order][:-1], True)
    order = order[last]
    return time[order], value[order], None if seconds is None else seconds[order], len(time) - len(order)


def remove_absent(series: rollups.SeriesKey, kept: Sequence[SampleBatch], start: int, end: int) -> Times:
    """Take away the stored samples of [start, end) (microseconds UTC) that are in none of the batches.

    Their values are kept as Revisions. Returns the times removed, ascending.
    """
    times = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(batch.time for batch in kept)]))
    times = times[(times >= start) & (times < end)]
    parameters = {**series.parameters, "low": instant(start), "high": instant(end)}
    with connection.cursor() as cursor:
        cursor.execute(sql.COUNT_ROWS, parameters)
        if cursor.fetchone()[0] <= len(times):
            # Every kept time is stored by now, so as many rows as kept times means the same rows.
            return np.zeros(0, dtype=np.int64)
        stage(cursor, times, np.zeros(len(times)), None)
        cursor.execute(sql.KEEP_ABSENT_VALUES, parameters)
        cursor.execute(sql.REMOVE_ABSENT, parameters)
        removed: Times = np.sort(np.array([row[0] for row in cursor.fetchall()], dtype=np.int64))
    return removed
