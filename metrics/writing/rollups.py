"""Minute, hour and day aggregates, recomputed from the rows beneath them.

Called by the writer inside its transaction, and by what puts stored rows right under the same lock: corrections and
the nightly check of the data.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection

from metrics.batch import MICROSECOND, Times, instant
from metrics.local_time import EPOCH, LocalCalendar
from metrics.models import DayRollup, ImplausibleCount, ParticipantDay, SleepSession
from metrics.registry import BY_ID, METRICS, Metric
from metrics.storage.stored_days import kept_days
from metrics.writing import rollups_sql

MINUTE = 60 * MICROSECOND
HOUR = 3600 * MICROSECOND
# Touched buckets closer than this are recomputed in one go: a statement costs more than a few hundred rows.
JOIN_GAP = 6 * HOUR
# Days of these are made of their samples, not of minutes.
FROM_SAMPLES = [metric.id for metric in METRICS if not metric.subminute]
FROM_MINUTES = [metric.id for metric in METRICS if metric.subminute]


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """One participant's one metric from one source."""

    participant: int
    metric: Metric
    source: int

    @property
    def ids(self) -> tuple[int, int, int]:
        return self.participant, self.metric.id, self.source

    @property
    def parameters(self) -> dict[str, Any]:
        return {"participant": self.participant, "metric": self.metric.id, "source": self.source}


def bucket_intervals(times: Times, width: int) -> list[tuple[int, int]]:
    """Bucket-aligned intervals [start, end) that cover ascending times (all in microseconds)."""
    if not len(times):
        return []
    cuts = np.flatnonzero(np.diff(times) > JOIN_GAP)
    first, last = times[np.append(0, cuts + 1)], times[np.append(cuts, len(times) - 1)]
    return list(zip((first // width * width).tolist(), (last // width * width + width).tolist(), strict=True))


def refresh(
    series: SeriesKey, touched: Times, calendar: LocalCalendar, *, minutes_done: bool = False, implausible: bool = True
) -> set[dt.date]:
    """Recompute the buckets of the touched instants (microseconds UTC, ascending); returns their local dates.

    `minutes_done`: the minute buckets have been written with the rows. `implausible`: some samples of these days may
    not count; False where nothing but values that count was written, and nothing removed.
    """
    if not len(touched):
        return set()
    with connection.cursor() as cursor:
        if series.metric.subminute and not minutes_done:
            for start, end in bucket_intervals(touched, MINUTE):
                _refill(cursor, series, start, end, rollups_sql.CLEAR_MINUTES, rollups_sql.FILL_MINUTES)
        fill = rollups_sql.FILL_HOURS_FROM_MINUTES if series.metric.subminute else rollups_sql.FILL_HOURS
        for start, end in bucket_intervals(touched, HOUR):
            _refill(cursor, series, start, end, rollups_sql.CLEAR_HOURS, fill)
    dates = {EPOCH + dt.timedelta(days=day) for day in np.unique(calendar.dates(touched)).tolist()}
    refresh_days(series, dates, calendar, implausible=implausible)
    return dates


def _refill(cursor: Any, series: SeriesKey, start: int, end: int, clear: str, fill: str) -> None:
    bounds = {**series.parameters, "low": instant(start), "high": instant(end)}
    cursor.execute(clear, bounds)
    cursor.execute(fill, bounds)


def _spans(dates: Iterable[dt.date], calendar: LocalCalendar) -> dict[str, Any] | None:
    """Statement parameters for the intervals of local days; None where no instant belongs to any of them."""
    spans = calendar.spans(dates)
    if not spans:
        return None
    return {
        "dates": [span.date for span in spans],
        "starts": [instant(span.starts_at) for span in spans],
        "ends": [instant(span.ends_at) for span in spans],
        "low": instant(min(span.starts_at for span in spans)),
        "high": instant(max(span.ends_at for span in spans)),
    }


def refresh_days(
    series: SeriesKey,
    dates: set[dt.date],
    calendar: LocalCalendar,
    *,
    implausible: bool = True,
    samples_from: dt.date | None = None,
) -> None:
    """Recompute day rollups of one series, and how many of its samples do not count.

    `implausible`: such samples may be new; those known of are kept up in any case. `samples_from`: before this
    date samples were deleted; what is made of them stays there.
    """
    sampled = {date for date in dates if samples_from is None or date >= samples_from}
    with connection.cursor() as cursor:
        if parameters := _spans(dates if series.metric.subminute else sampled, calendar):
            parameters |= series.parameters
            cursor.execute(rollups_sql.CLEAR_DAYS, parameters)
            cursor.execute(
                rollups_sql.FILL_DAYS_FROM_MINUTES if series.metric.subminute else rollups_sql.FILL_DAYS, parameters
            )
    refresh_implausible(series, sampled, calendar, maybe_new=implausible)


def refresh_implausible(
    series: SeriesKey, dates: set[dt.date], calendar: LocalCalendar, *, maybe_new: bool = True
) -> None:
    """Recount the samples of these days that do not count. `maybe_new`: False where there can be none but those known
    of."""
    if parameters := _spans(dates, calendar):
        parameters |= series.parameters
        with connection.cursor() as cursor:
            cursor.execute(rollups_sql.CLEAR_IMPLAUSIBLE, parameters)
            if maybe_new or cursor.rowcount:
                cursor.execute(rollups_sql.FILL_IMPLAUSIBLE, parameters)


def recount(series: SeriesKey, dates: set[dt.date], calendar: LocalCalendar) -> None:
    """Recompute the minutes, hours and days of whole local days of one series from its samples."""
    with connection.cursor() as cursor:
        for span in calendar.spans(dates):
            start, end = span.starts_at // HOUR * HOUR, -(-span.ends_at // HOUR) * HOUR
            if series.metric.subminute:
                _refill(cursor, series, start, end, rollups_sql.CLEAR_MINUTES, rollups_sql.FILL_MINUTES)
                _refill(cursor, series, start, end, rollups_sql.CLEAR_HOURS, rollups_sql.FILL_HOURS_FROM_MINUTES)
            else:
                _refill(cursor, series, start, end, rollups_sql.CLEAR_HOURS, rollups_sql.FILL_HOURS)
    refresh_days(series, dates, calendar)


def rebuild_days(
    participant: int,
    first: dt.date,
    last: dt.date,
    calendar: LocalCalendar,
    *,
    samples_from: dt.date | None = None,
) -> set[dt.date]:
    """Drop and recompute all day rollups of local dates first to last, both included; returns the dates.

    `samples_from`: before this date samples were deleted; what is made of samples stays there.
    """
    series = kept_days("metric_id", "source_id", participant_id=participant)
    doomed = DayRollup.objects.filter(participant_id=participant, date__range=(first, last))
    marked = ImplausibleCount.objects.filter(participant_id=participant, date__range=(first, last))
    if samples_from is not None:
        doomed = doomed.exclude(date__lt=samples_from, metric_id__in=FROM_SAMPLES)
        marked = marked.filter(date__gte=samples_from)
    doomed.delete()
    marked.delete()
    dates = {first + dt.timedelta(days=i) for i in range((last - first).days + 1)}
    for metric, source in sorted(series):
        refresh_days(SeriesKey(participant, BY_ID[metric], source), dates, calendar, samples_from=samples_from)
    kept = kept_days("date", participant_id=participant, date__in=dates)
    nights = SleepSession.objects.filter(participant_id=participant, date__in=dates).values_list("date", flat=True)
    evaluated = ParticipantDay.objects.filter(participant_id=participant, date__in=dates).values_list("date", flat=True)
    return {*kept, *nights, *evaluated}


def rebuild_from_samples(participant: int, dates: set[dt.date], calendar: LocalCalendar) -> None:
    """Recompute the day rollups of metrics that have minutes from their samples instead, to compare (data_check)."""
    rows = DayRollup.objects.filter(participant_id=participant, metric__in=FROM_MINUTES)
    parameters = _spans(dates, calendar)
    if parameters is None:
        return
    for metric, source in list(rows.values_list("metric_id", "source_id").distinct().order_by()):
        of = SeriesKey(participant, BY_ID[metric], source)
        with connection.cursor() as cursor:
            cursor.execute(rollups_sql.CLEAR_DAYS, parameters | of.parameters)
            cursor.execute(rollups_sql.FILL_DAYS, parameters | of.parameters)
