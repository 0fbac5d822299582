"""Series as data for drawing: where lines must break, what a point stands for, which rows the table shows.

Pure functions over numpy columns; the page's script only draws what comes from here. A gap stays a gap: nothing
is filled with zero or drawn through.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from dashboards.ui import formatting
from metrics.batch import MICROSECOND, instant, microseconds
from metrics.reading.queries import DayRow, Series
from metrics.registry import Aggregate, Kind, Metric
from participants.team_texts import gettext

MAX_POINTS = 2000
MAX_ROWS = 400
MOST_SOURCES = 4  # changes of source that are named
# Buckets further apart than this many widths have a gap between them.
GAP_WIDTHS = 1.5
# Raw samples: a gap is longer than a minute and than five usual steps, so that a sparse device is no gap.
GAP_SECONDS, GAP_STEPS = 60, 5
DAY = 86_400

# Which of the stylesheet's --vis-* colours draws a metric.
COLOURS = {
    "heart_rate": "heart",
    "resting_heart_rate": "rhr",
    "steps": "steps",
    "steps_24h": "steps",
    "spo2": "spo2",
    "spo2_24h": "spo2",
    "hrv_rmssd": "hrv",
    "hrv_sdnn": "hrv",
    "hrv_rmssd_24h": "hrv",
    "respiratory_rate": "breath",
    "respiratory_rate_instant": "breath",
}
DECIMALS = {"spo2": 1, "spo2_24h": 1, "respiratory_rate": 1, "respiratory_rate_instant": 1, "weight": 1, "body_fat": 1}


def step_seconds(series: Series) -> float:
    """Usual distance of two points in seconds: the bucket's width, or of raw samples the median step."""
    if series.width:
        return float(series.width)
    return float(np.median(np.diff(series.time))) / MICROSECOND if len(series.time) > 1 else 0.0


def breaks(series: Series) -> NDArray[np.bool_]:
    """Whether a gap follows each point but the last, shape (n - 1,)."""
    steps = np.diff(series.time) / MICROSECOND
    if series.width:
        return np.asarray(steps > GAP_WIDTHS * series.width)
    return np.asarray(steps > max(GAP_SECONDS, GAP_STEPS * step_seconds(series)))


def gaps(series: Series, start: dt.datetime, end: dt.datetime, now: dt.datetime) -> list[tuple[int, int]]:
    """Intervals without data between `start` and `end`, ms UTC. What lies after `now` is future, not gap."""
    first, last = microseconds(start), min(microseconds(end), microseconds(now))
    length = int(step_seconds(series) * MICROSECOND)
    time = series.time
    if not len(time):
        return [(first // 1000, last // 1000)] if last > first else []
    broken = np.flatnonzero(breaks(series))
    begins = [first, *(time[broken] + length).tolist(), int(time[-1]) + length]
    ends = [int(time[0]), *time[broken + 1].tolist(), last]
    shortest = length if series.width else max(GAP_SECONDS * MICROSECOND, GAP_STEPS * length)
    edges = {0, len(begins) - 1}
    return [
        (b // 1000, e // 1000)
        for i, (b, e) in enumerate(zip(begins, ends, strict=True))
        if e > b and (i not in edges or e - b >= shortest)
    ]


def kind_of_chart(metric: Metric) -> str:
    """bars for sums, points for one value a day, else a line."""
    if metric.aggregate is Aggregate.SUM:
        return "bars"
    return "points" if metric.kind is Kind.DAILY else "line"


def resolution_text(metric: Metric, width: int) -> str:
    """Text for what a point stands for: "1 point = 10 min", "1 bar = 1 h", "every value as recorded"."""
    if not width:
        return gettext("every value as recorded")
    if metric.kind is Kind.DAILY and width == DAY:
        return gettext("1 value a day")
    noun = "bar" if metric.aggregate is Aggregate.SUM else "point"
    return f"1{formatting.NO_BREAK}{noun} = {formatting.length(width)}"


def decimals(metric: Metric) -> int:
    return DECIMALS.get(metric.code, 0)


def columns(series: Series, *, broken_by_null: bool) -> dict[str, Any]:
    """The columns t (ms UTC, starts of buckets), mean, low, high, total, n; with nulls where a line must break."""
    time, places = series.time // 1000, np.flatnonzero(breaks(series)) + 1 if broken_by_null else np.array([], np.int64)
    floats = {name: np.round(getattr(series, name), 3) for name in ("mean", "low", "high", "total")}
    # The null stands right after the last point before the gap.
    after = time[places - 1] + 1 if len(places) else time[:0]
    return {
        "t": np.insert(time, places, after),
        **{name: np.insert(values, places, np.nan) for name, values in floats.items()},
        "n": np.insert(series.n, places, 0),
    }


def payload(
    series: Series, *, zone: ZoneInfo, start: dt.datetime, end: dt.datetime, now: dt.datetime
) -> dict[str, Any]:
    """The chart of one series, ready for orjson: columns, `gaps` as [from, to] in ms UTC, and `meta`."""
    metric, chart, width = series.metric, kind_of_chart(series.metric), series.width
    return {
        **columns(series, broken_by_null=chart != "bars"),
        "gaps": gaps(series, start, end, now),
        "meta": {
            "metric": metric.code,
            "name": metric.name,
            "unit": metric.label,
            "ucum": metric.unit,
            "aggregate": metric.aggregate.value,
            "chart": chart,
            "colour": COLOURS.get(metric.code, "compare"),
            "decimals": decimals(metric),
            "resolution": resolution_text(metric, width),
            "width_seconds": width,
            "step_seconds": step_seconds(series),
            "zone": zone.key,
            "start": microseconds(start) // 1000,
            "end": microseconds(end) // 1000,
            "source": source_text(series),
            "others": [str(source) for source in series.others],
            "synthetic": any(dated.source.synthetic for dated in series.sources),
        },
    }


def source_text(series: Series) -> str | None:
    """The source that was read; where it changes, each with the local day from which on it counts."""
    if len(series.sources) < 2:
        return str(series.source) if series.source else None
    named = [
        gettext("{source} from {day} {date:%b %Y}").format(source=dated.source, day=dated.date.day, date=dated.date)
        for dated in series.sources
    ]
    more = len(named) - MOST_SOURCES
    return ", ".join(
        [*named[:MOST_SOURCES], *([gettext("and {more} more changes").format(more=more)] if more > 0 else [])]
    )


@dataclass(frozen=True, slots=True)
class Table:
    """The chart's data as a table: texts, ready to show. `cut`: how many rows more there are."""

    heads: list[str]
    rows: list[list[str]]
    cut: int = 0


def value_heads(metric: Metric) -> list[str]:
    if metric.aggregate is Aggregate.SUM:
        return [gettext("Total, {metric}").format(metric=metric.label)]
    return (
        [f"{metric.label}"]
        if metric.kind is Kind.DAILY
        else [gettext("Mean, {metric}").format(metric=metric.label), gettext("Lowest"), gettext("Highest")]
    )


def value_cells(metric: Metric, mean: float, low: float, high: float, total: float) -> list[str]:
    places = decimals(metric)
    if metric.aggregate is Aggregate.SUM:
        return [formatting.number(total, places)]
    cells = [formatting.number(v, places) for v in (mean, low, high)]
    return cells[:1] if metric.kind is Kind.DAILY else cells


def day_rows(rows: list[DayRow], metric: Metric, first: dt.date, last: dt.date) -> Table:
    """A row for each local day, newest first; a day without data shows a dash, which is not zero."""
    by_date = {row.date: row for row in rows}
    total = (last - first).days + 1
    shown = min(total, MAX_ROWS)
    measured = [] if metric.kind is Kind.DAILY else [gettext("Measured")]
    table: list[list[str]] = []
    for date in (last - dt.timedelta(days=i) for i in range(shown)):
        row = by_date.get(date)
        cells = [formatting.date_span(date, date)]
        if row is None:
            cells += ["–"] * (len(value_heads(metric)) + len(measured))
        else:
            cells += value_cells(metric, row.mean, row.low, row.high, row.total)
            cells += [formatting.hours_minutes(row.minutes)] if measured else []
        table.append(cells)
    return Table([gettext("Day"), *value_heads(metric), *measured], table, total - shown)


def bucket_rows(series: Series, zone: ZoneInfo) -> Table:
    """A row for each point, newest first, in local time."""
    metric = series.metric
    heads = [gettext("From"), *value_heads(metric), gettext("Samples")]
    order = range(len(series.time) - 1, max(-1, len(series.time) - 1 - MAX_ROWS), -1)
    form = "%a %d %b, %H:%M" if series.width else "%a %d %b, %H:%M:%S"
    rows = [
        [
            instant(int(series.time[i])).astimezone(zone).strftime(form),
            *value_cells(metric, series.mean[i], series.low[i], series.high[i], series.total[i]),
            formatting.number(float(series.n[i])),
        ]
        for i in order
    ]
    return Table(heads, rows, len(series.time) - len(rows))
