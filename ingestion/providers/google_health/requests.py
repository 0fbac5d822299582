"""Requests to Google: filters, partial responses and rollUp bodies. Pure functions; spans are half-open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from ingestion.providers.google_health.config import GoogleConfig
from ingestion.providers.google_health.google_type import MAX_PAGE, MAX_ROLLUP, GoogleType, Kind
from metrics.batch import MICROSECOND, instant, microseconds
from metrics.local_time import EPOCH, LocalCalendar

_TIME_FIELDS = {
    Kind.SAMPLE: "sampleTime(physicalTime,utcOffset)",
    Kind.INTERVAL: "interval(startTime,endTime,startUtcOffset)",
    Kind.DAILY: "date(year,month,day)",
}
_SESSION_FIELDS = "interval(startTime,endTime,startUtcOffset,endUtcOffset)"
_STAGE_FIELDS = "(type,startTime,endTime)"
_SLEEP_FIELDS = (
    f"name,sleep({_SESSION_FIELDS},metadata(processed,mainSleep,externalId),"
    f"stages{_STAGE_FIELDS},shortAwakenings{_STAGE_FIELDS})"
)
_EXERCISE_FIELDS = (
    f"name,exercise({_SESSION_FIELDS},exerciseType,displayName,activeDuration,"
    "metricsSummary(caloriesKcal,distanceMillimeters,steps,averageHeartRateBeatsPerMinute))"
)
_SOURCE_FIELDS = (
    "dataSource(platform,device(displayName,manufacturer,formFactor),"
    "application(packageName,webClientId,googleWebClientId))"
)
# As far as any zone's wall clock stands from UTC.
WIDEST_OFFSET = dt.timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class Span:
    """Span [low, high): microseconds UTC; of the device's wall clock for sessions that are filtered by it; or days
    since 1970-01-01 for types that stand for days."""

    low: int
    high: int
    unit: int  # the shortest span that can be told apart

    def halves(self) -> tuple[Span, Span] | None:
        """Span in two, cut at a whole unit; None where it is too short."""
        middle = (self.low + self.high) // 2 // self.unit * self.unit
        if not self.low < middle < self.high:
            return None
        return Span(self.low, middle, self.unit), Span(middle, self.high, self.unit)


def span_of(data_type: GoogleType, start: dt.datetime, end: dt.datetime, calendar: LocalCalendar) -> Span:
    """Interval to request; for types that stand for days, each local day that it touches.

    Sessions are filtered by the wall clock of the device, wherever it was: asked for is all that may have begun in
    the interval, and more.
    """
    if data_type.kind is Kind.SESSION:
        low, high = microseconds(start - WIDEST_OFFSET), microseconds(end + WIDEST_OFFSET)
        return Span(low // MICROSECOND * MICROSECOND, -(-high // MICROSECOND) * MICROSECOND, MICROSECOND)
    if data_type.kind is not Kind.DAILY:
        return Span(microseconds(start), microseconds(end), MICROSECOND)
    first, last = calendar.date(start), calendar.date(end - dt.timedelta(microseconds=1))
    return Span((first - EPOCH).days, (last - EPOCH).days + 1, 1)


def _literal(data_type: GoogleType, edge: int) -> str:
    if data_type.kind is Kind.DAILY:
        return (EPOCH + dt.timedelta(days=edge)).isoformat()
    return stamp(edge).removesuffix("Z") if data_type.kind is Kind.SESSION else stamp(edge)


def stamp(us: int) -> str:
    """Microseconds UTC as RFC 3339."""
    return instant(us).isoformat().replace("+00:00", "Z")


def list_parameters(data_type: GoogleType, span: Span, config: GoogleConfig) -> dict[str, str]:
    """Query parameters of `list`; they must stay the same from page to page."""
    member, low, high = data_type.filter_member, _literal(data_type, span.low), _literal(data_type, span.high)
    parameters = {
        "filter": f'{member} >= "{low}" AND {member} < "{high}"',
        "pageSize": str(page_size(data_type, config)),
        "prettyPrint": "false",
    }
    if config.use_fields:
        parameters["fields"] = fields(data_type)
    if config.data_source_family and data_type.takes_family:
        parameters["dataSourceFamily"] = config.data_source_family
    return parameters


def page_size(data_type: GoogleType, config: GoogleConfig) -> int:
    return min(data_type.page_size, config.page_size or data_type.page_size)


def fields(data_type: GoogleType) -> str:
    """Mask of what the decoders read, and nothing else."""
    if data_type.kind is Kind.SLEEP:
        point = _SLEEP_FIELDS
    elif data_type.kind is Kind.SESSION:
        point = _EXERCISE_FIELDS
    else:
        names = dict.fromkeys(name for member in data_type.members for name in (member.name, member.minus) if name)
        point = f"{data_type.payload}({','.join([_TIME_FIELDS[data_type.kind], *names])})"
    return f"dataPoints({point},{_SOURCE_FIELDS}),nextPageToken"


def rollup_bodies(
    start: dt.datetime, end: dt.datetime, seconds: int, config: GoogleConfig
) -> Iterator[dict[str, object]]:
    """Bodies of `rollUp` for the windows of so many seconds in [start, end), in as many parts as Google's limits want.

    `start` and `end` are whole windows since the epoch. The page is as long as there are windows: Google multiplies
    the two and compares with its limits.
    """
    most = min(MAX_ROLLUP // dt.timedelta(seconds=seconds), MAX_PAGE)
    window, low, last = seconds * MICROSECOND, microseconds(start), microseconds(end)
    while low < last:
        high = min(low + most * window, last)
        body: dict[str, object] = {
            "range": {"startTime": stamp(low), "endTime": stamp(high)},
            "windowSize": f"{seconds}s",
            "pageSize": (high - low) // window,
        }
        if config.data_source_family:
            body["dataSourceFamily"] = config.data_source_family
        yield body
        low = high


def whole_windows(
    start: dt.datetime, end: dt.datetime, seconds: int, *, outward: bool
) -> tuple[dt.datetime, dt.datetime]:
    """Span moved to whole windows since the epoch: its start down, its end up if `outward`, else down."""
    window = seconds * MICROSECOND
    low, high = microseconds(start) // window, microseconds(end) // window
    if outward and microseconds(end) % window:
        high += 1
    return instant(low * window), instant(high * window)
