"""Writing samples: by the road that fits, and taking away what a vendor no longer has.

Part of the writer; called inside its transaction.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from metrics.batch import Counts, Refusal, SampleBatch, Seconds, Times, Values, instant
from metrics.selection.plausible_range import plausible
from metrics.writing import rollups, sql
from metrics.writing.binary_copy import copy_measurements, copy_minutes, stage
from metrics.writing.row_changes import NO_SECONDS, SampleTrace, Trace, lengths


@dataclass(slots=True)
class Written:
    """Result of writing a batch; `touched`: the times at which something changed, ascending.

    `minutes_done`: the minute buckets are written too. `implausible`: some of its values do not count.
    """

    counts: Counts
    touched: Times
    minutes_done: bool = False
    implausible: bool = False


@dataclass(slots=True)
class Differences:
    """Differences of staged columns from what is stored: masks over them of rows that the store lacks and of rows that
    it has otherwise, and how it has those, in their order."""

    fresh: NDArray[np.bool_]
    changed: NDArray[np.bool_]
    old: Values
    old_seconds: Seconds


def store_batch(series: rollups.SeriesKey, batch: SampleBatch, now: dt.datetime, trace: Trace | None = None) -> Written:
    """Write one batch by the road that fits: straight in where its minutes are empty, else what differs."""
    counts = Counts()
    refusals = batch.refusals(now)
    for refusal in Refusal:
        if refusal and (refused := int(np.count_nonzero(refusals == refusal))):
            counts.rejected[refusal.text] = refused
    time, value, seconds, counts.repeated = in_order(batch, refusals == Refusal.NONE)
    if not len(time):
        return Written(counts, time)
    counted = plausible(series.metric, value, seconds)
    counts.flagged = len(value) - int(np.count_nonzero(counted))
    implausible = counts.flagged > 0
    # Whole minutes, so that the minute buckets of new rows are known without looking at the table again.
    first, last = (
        int(time[0]) // rollups.MINUTE * rollups.MINUTE,
        (int(time[-1]) // rollups.MINUTE + 1) * rollups.MINUTE,
    )
    bounds = {"low": instant(first), "high": instant(last)}
    with connection.cursor() as cursor:
        cursor.execute(sql.HAS_ROWS, {**series.parameters, **bounds})
        if not cursor.fetchone()[0]:
            copy_measurements(cursor, series, time, value, seconds)
            if series.metric.subminute and counted.any():
                copy_minutes(cursor, series, time[counted], value[counted])
            counts.new = len(time)
            if trace is not None:
                _leave_trace(trace, series, time, value, seconds, None)
            return Written(counts, time, minutes_done=True, implausible=implausible)
        compared = differences(cursor, series, time, value, seconds, bounds)
        fresh, differing = compared.fresh, compared.changed
        if differing.any():
            parameters = {**series.parameters, **bounds}
            cursor.execute(sql.KEEP_OLD_VALUES, parameters)
            cursor.execute(sql.CHANGE_VALUES, parameters)
        if trace is not None:
            _leave_trace(trace, series, time, value, seconds, compared)
        if fresh.any():
            part = None if seconds is None else seconds[fresh]
            copy_measurements(cursor, series, time[fresh], value[fresh], part)
    counts.new, counts.changed = int(np.count_nonzero(fresh)), int(np.count_nonzero(differing))
    counts.unchanged = len(time) - counts.new - counts.changed
    return Written(counts, time[fresh | differing], implausible=implausible)


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


def _leave_trace(
    trace: Trace,
    series: rollups.SeriesKey,
    time: Times,
    value: Values,
    seconds: Seconds | None,
    compared: Differences | None,
) -> None:
    """Note what was there before. `compared` None: nothing was."""
    length = lengths(seconds, len(time))
    before, seconds_before = np.full(len(time), np.nan), np.full(len(time), NO_SECONDS, dtype=np.int32)
    if compared is not None:
        there = ~compared.fresh
        before[there], seconds_before[there] = value[there], length[there]
        before[compared.changed], seconds_before[compared.changed] = compared.old, compared.old_seconds
    trace.samples.append(SampleTrace(series, time, value, length, before, seconds_before))


def differences(
    cursor: Any,
    series: rollups.SeriesKey,
    time: Times,
    value: Values,
    seconds: Seconds | None,
    bounds: dict[str, dt.datetime],
) -> Differences:
    """Stage the columns, ascending in time, and compare them with what is stored between the bounds."""
    stage(cursor, time, value, seconds)
    cursor.execute(sql.DIFFERENCES, {**series.parameters, **bounds})
    rows = cursor.fetchall()
    fresh, changed = np.zeros(len(time), dtype=bool), np.zeros(len(time), dtype=bool)
    fresh[np.searchsorted(time, np.array([row[0] for row in rows if not row[1]], dtype=np.int64))] = True
    old = sorted(row for row in rows if row[1])
    changed[np.searchsorted(time, np.array([row[0] for row in old], dtype=np.int64))] = True
    return Differences(
        fresh,
        changed,
        np.array([row[2] for row in old], dtype=np.float64),
        np.array([NO_SECONDS if row[3] is None else row[3] for row in old], dtype=np.int32),
    )


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
