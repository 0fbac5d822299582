"""SQL of rollups: minutes, hours and days, always made of the rows beneath that count, so that doing it twice changes
nothing; and of the days with values that do not count.

Used by rollups.py and fresh_rollups.py. Buckets are found with date_bin, as in sql.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from metrics.selection.plausible_range import counted
from metrics.writing.sql import INSTANT

_CLEAR = """
DELETE FROM {table}
WHERE participant_id = %(participant)s AND metric_id = %(metric)s AND source_id = %(source)s
    AND bucket >= %(low)s AND bucket < %(high)s
"""

_FROM_MEASUREMENTS = """
INSERT INTO {table} (participant_id, metric_id, source_id, bucket, n, total, low, high)
SELECT participant_id, metric_id, source_id, date_bin('{width}', time, 'epoch'),
    count(*), sum(value), min(value), max(value)
FROM metrics_measurement m
WHERE participant_id = %(participant)s AND metric_id = %(metric)s AND source_id = %(source)s
    AND time >= %(low)s AND time < %(high)s AND {counted}
GROUP BY 1, 2, 3, 4
"""

CLEAR_MINUTES = _CLEAR.format(table="metrics_minuterollup")
FILL_MINUTES = _FROM_MEASUREMENTS.format(table="metrics_minuterollup", width="1 minute", counted=counted("m"))
CLEAR_HOURS = _CLEAR.format(table="metrics_hourrollup")
FILL_HOURS = _FROM_MEASUREMENTS.format(table="metrics_hourrollup", width="1 hour", counted=counted("m"))
FILL_HOURS_FROM_MINUTES = """
INSERT INTO metrics_hourrollup (participant_id, metric_id, source_id, bucket, n, total, low, high)
SELECT participant_id, metric_id, source_id, date_bin('1 hour', bucket, 'epoch'),
    sum(n), sum(total), min(low), max(high)
FROM metrics_minuterollup
WHERE participant_id = %(participant)s AND metric_id = %(metric)s AND source_id = %(source)s
    AND bucket >= %(low)s AND bucket < %(high)s
GROUP BY 1, 2, 3, 4
"""

CLEAR_DAYS = """
DELETE FROM metrics_dayrollup
WHERE participant_id = %(participant)s AND metric_id = %(metric)s AND source_id = %(source)s
    AND date = ANY(%(dates)s)
"""
# `dates`, `starts`, `ends`: the intervals of the local days, see local_time.DaySpan.
FILL_DAYS = f"""
INSERT INTO metrics_dayrollup (participant_id, metric_id, source_id, date, minutes, n, total, low, high)
SELECT %(participant)s, %(metric)s, %(source)s, span.date,
    count(DISTINCT date_bin('1 minute', m.time, 'epoch')), count(*), sum(m.value), min(m.value), max(m.value)
FROM unnest(%(dates)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS span(date, starts_at, ends_at)
JOIN metrics_measurement m
    ON m.participant_id = %(participant)s AND m.metric_id = %(metric)s AND m.source_id = %(source)s
    AND m.time >= span.starts_at AND m.time < span.ends_at
    AND m.time >= %(low)s AND m.time < %(high)s
    AND {counted("m")}
GROUP BY span.date
"""
FILL_DAYS_FROM_MINUTES = """
INSERT INTO metrics_dayrollup (participant_id, metric_id, source_id, date, minutes, n, total, low, high)
SELECT %(participant)s, %(metric)s, %(source)s, span.date,
    count(*), sum(m.n), sum(m.total), min(m.low), max(m.high)
FROM unnest(%(dates)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS span(date, starts_at, ends_at)
JOIN metrics_minuterollup m
    ON m.participant_id = %(participant)s AND m.metric_id = %(metric)s AND m.source_id = %(source)s
    AND m.bucket >= span.starts_at AND m.bucket < span.ends_at
    AND m.bucket >= %(low)s AND m.bucket < %(high)s
GROUP BY span.date
"""

# The rollups of rows that are new, as parts of one statement (fresh_rollups.py). Buckets that were empty come as
# values; the others are made anew of what is beneath them: hours of intervals, days of the spans of local days.
# Arrays come as text, hours and days as numbers since 1970, instants in microseconds.
NEW_HOURS = """
INSERT INTO metrics_hourrollup (participant_id, metric_id, source_id, bucket, n, total, low, high)
SELECT %(participant)s, u.metric, u.source, timestamptz 'epoch' + u.hour * interval '1 hour', u.n, u.total,
    u.low, u.high
FROM unnest(%(hour_metrics)s::int2[], %(hour_sources)s::int2[], %(hour_buckets)s::int4[], %(hour_n)s::int4[],
    %(hour_totals)s::float8[], %(hour_lows)s::float8[], %(hour_highs)s::float8[])
    AS u(metric, source, hour, n, total, low, high)
"""
NEW_DAYS = """
INSERT INTO metrics_dayrollup (participant_id, metric_id, source_id, date, minutes, n, total, low, high)
SELECT %(participant)s, u.metric, u.source, DATE '1970-01-01' + u.day, u.minutes, u.n, u.total, u.low, u.high
FROM unnest(%(day_metrics)s::int2[], %(day_sources)s::int2[], %(day_dates)s::int4[], %(day_minutes)s::int2[],
    %(day_n)s::int4[], %(day_totals)s::float8[], %(day_lows)s::float8[], %(day_highs)s::float8[])
    AS u(metric, source, day, minutes, n, total, low, high)
"""
_ANEW = """
ON CONFLICT (participant_id, metric_id, source_id, {key}) DO UPDATE SET {extra}n = EXCLUDED.n, total = EXCLUDED.total,
    low = EXCLUDED.low, high = EXCLUDED.high
"""
_GROWN_HOURS = """
INSERT INTO metrics_hourrollup (participant_id, metric_id, source_id, bucket, n, total, low, high)
SELECT %(participant)s, u.metric, u.source, m.*
FROM (SELECT metric, source, {low} AS low, {high} AS high
    FROM unnest(%({name}_metrics)s::int2[], %({name}_sources)s::int2[], %({name}_lows)s::int8[],
        %({name}_highs)s::int8[]) AS v(metric, source, low, high)) AS u
CROSS JOIN LATERAL (
    SELECT date_bin('1 hour', m.{time}, 'epoch'), {aggregates}
    FROM {table} m
    WHERE m.participant_id = %(participant)s AND m.metric_id = u.metric AND m.source_id = u.source
        AND m.{time} >= u.low AND m.{time} < u.high AND m.{time} >= %(low)s AND m.{time} < %(high)s AND {counted}
    GROUP BY 1) AS m
"""
_GROWN_DAYS = """
INSERT INTO metrics_dayrollup (participant_id, metric_id, source_id, date, minutes, n, total, low, high)
SELECT %(participant)s, span.metric, span.source, span.date, {minutes}, {aggregates}
FROM (SELECT metric, source, DATE '1970-01-01' + day AS date, {low} AS low, {high} AS high
    FROM unnest(%({name}_metrics)s::int2[], %({name}_sources)s::int2[], %({name}_dates)s::int4[],
        %({name}_lows)s::int8[], %({name}_highs)s::int8[]) AS v(metric, source, day, low, high)) AS span
CROSS JOIN LATERAL (
    SELECT m.* FROM {table} m
    WHERE m.participant_id = %(participant)s AND m.metric_id = span.metric AND m.source_id = span.source
        AND m.{time} >= span.low AND m.{time} < span.high AND m.{time} >= %(low)s AND m.{time} < %(high)s
        AND {counted}
    OFFSET 0) AS m
GROUP BY span.metric, span.source, span.date
"""
_SPAN_BOUNDS = {"low": INSTANT.format("low"), "high": INSTANT.format("high")}
_OF_MINUTES = _SPAN_BOUNDS | {
    "table": "metrics_minuterollup",
    "time": "bucket",
    "aggregates": "sum(m.n), sum(m.total), min(m.low), max(m.high)",
    "minutes": "count(*)",
    "counted": "true",
}
_OF_SAMPLES = _SPAN_BOUNDS | {
    "table": "metrics_measurement",
    "time": "time",
    "aggregates": "count(*), sum(m.value), min(m.value), max(m.value)",
    "minutes": "count(DISTINCT date_bin('1 minute', m.time, 'epoch'))",
    "counted": counted("m"),
}
_HOURS_ANEW, _DAYS_ANEW = (
    _ANEW.format(key="bucket", extra=""),
    _ANEW.format(key="date", extra="minutes = EXCLUDED.minutes, "),
)
GROWN = {
    "minute_hours": _GROWN_HOURS.format(name="minute_hours", **_OF_MINUTES) + _HOURS_ANEW,
    "sample_hours": _GROWN_HOURS.format(name="sample_hours", **_OF_SAMPLES) + _HOURS_ANEW,
    "minute_days": _GROWN_DAYS.format(name="minute_days", **_OF_MINUTES) + _DAYS_ANEW,
    "sample_days": _GROWN_DAYS.format(name="sample_days", **_OF_SAMPLES) + _DAYS_ANEW,
}


def together(parts: Sequence[str]) -> str:
    """Statements that change different rows as one; none sees what another does."""
    parts = [part.strip() for part in parts]
    first = ",\n".join(f"part{n} AS ({part})" for n, part in enumerate(parts[:-1]))
    return f"WITH {first}\n{parts[-1]}" if first else parts[-1]


REMOVE_MINUTES = """
DELETE FROM metrics_minuterollup
WHERE participant_id = %(participant)s AND metric_id = %(metric)s AND source_id = %(source)s
    AND bucket = ANY(%(buckets)s) AND bucket >= %(low)s AND bucket < %(high)s
"""

# The hours in which a participant has samples that do not count, by metric and source, in microseconds UTC.
IMPLAUSIBLE_HOURS = f"""
SELECT m.metric_id, m.source_id,
    array_agg(DISTINCT (extract(epoch FROM date_bin('1 hour', m.time, 'epoch')) * 1000000)::int8)
FROM metrics_measurement m
WHERE m.participant_id = %(participant)s AND m.time >= %(low)s AND NOT {counted("m")}
GROUP BY 1, 2
"""
CLEAR_IMPLAUSIBLE = CLEAR_DAYS.replace("metrics_dayrollup", "metrics_implausiblecount")
FILL_IMPLAUSIBLE = f"""
INSERT INTO metrics_implausiblecount (participant_id, metric_id, source_id, date, n, newest)
SELECT %(participant)s, %(metric)s, %(source)s, span.date, count(*), max(m.time)
FROM unnest(%(dates)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS span(date, starts_at, ends_at)
JOIN metrics_measurement m
    ON m.participant_id = %(participant)s AND m.metric_id = %(metric)s AND m.source_id = %(source)s
    AND m.time >= span.starts_at AND m.time < span.ends_at
    AND m.time >= %(low)s AND m.time < %(high)s
    AND NOT {counted("m")}
GROUP BY span.date
"""
