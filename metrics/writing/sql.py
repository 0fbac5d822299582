"""The SQL of the store's writing: what the ORM cannot say, or not fast enough. Reading has its own,
metrics/reading/sql.py.

A series is (participant, metric, source): three parameters that most statements begin with. Buckets are found
with date_bin, which needs neither TimescaleDB nor the session's time zone.
"""

from __future__ import annotations

from metrics.selection.plausible_range import counted
from participants.sql import PARTICIPANT_LOCK

# --- writing -----------------------------------------------------------------------------------------------

# Held to the end of the transaction: one writer a participant (participants.locks).
# A late payload unpacks what it touches of compressed chunks. TimescaleDB's limit on that is meant for queries that
# forgot their WHERE; a writer here touches one participant, and must not fail with 53400 for having many samples.
LOCK = f"""
SELECT pg_advisory_xact_lock({PARTICIPANT_LOCK}, %s),
    set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)
"""

HAS_ROWS = """
SELECT EXISTS (
    SELECT 1 FROM metrics_measurement
    WHERE participant_id = %(participant)s AND metric_id = %(metric)s AND source_id = %(source)s
        AND time >= %(low)s AND time < %(high)s)
"""

COPY_SAMPLES = "COPY metrics_measurement (participant_id, metric_id, source_id, time, value) FROM STDIN (FORMAT BINARY)"
COPY_INTERVALS = (
    "COPY metrics_measurement (participant_id, metric_id, source_id, time, value, seconds) FROM STDIN (FORMAT BINARY)"
)

COPY_MINUTES = (
    "COPY metrics_minuterollup (participant_id, metric_id, source_id, bucket, n, total, low, high)"
    " FROM STDIN (FORMAT BINARY)"
)

STAGE = """
CREATE TEMPORARY TABLE IF NOT EXISTS staged_measurement
    (time timestamptz NOT NULL, value float8 NOT NULL, seconds int4) ON COMMIT DROP
"""
STAGE_EMPTY = "TRUNCATE staged_measurement"
COPY_STAGED_SAMPLES = "COPY staged_measurement (time, value) FROM STDIN (FORMAT BINARY)"
COPY_STAGED_INTERVALS = "COPY staged_measurement (time, value, seconds) FROM STDIN (FORMAT BINARY)"

# What a re-read brings that the store does not have or has otherwise, and how it has that. The bounds let the planner
# skip chunks.
DIFFERENCES = """
SELECT (extract(epoch FROM s.time) * 1000000)::int8, m.time IS NOT NULL, m.value, m.seconds
FROM staged_measurement s
LEFT JOIN metrics_measurement m
    ON m.participant_id = %(participant)s AND m.metric_id = %(metric)s AND m.source_id = %(source)s
    AND m.time = s.time AND m.time >= %(low)s AND m.time < %(high)s
WHERE m.time IS NULL OR m.value <> s.value OR m.seconds IS DISTINCT FROM s.seconds
"""

# clock_timestamp(), not now(): a value may change twice in one transaction, and both old values are kept.
KEEP_OLD_VALUES = """
INSERT INTO metrics_revision (participant_id, metric_id, source_id, time, old_value, old_seconds, changed_at)
SELECT m.participant_id, m.metric_id, m.source_id, m.time, m.value, m.seconds, clock_timestamp()
FROM staged_measurement s
JOIN metrics_measurement m
    ON m.participant_id = %(participant)s AND m.metric_id = %(metric)s AND m.source_id = %(source)s
    AND m.time = s.time AND m.time >= %(low)s AND m.time < %(high)s
WHERE m.value <> s.value OR m.seconds IS DISTINCT FROM s.seconds
"""

CHANGE_VALUES = """
UPDATE metrics_measurement m SET value = s.value, seconds = s.seconds
FROM staged_measurement s
WHERE m.participant_id = %(participant)s AND m.metric_id = %(metric)s AND m.source_id = %(source)s
    AND m.time = s.time AND m.time >= %(low)s AND m.time < %(high)s
    AND (m.value <> s.value OR m.seconds IS DISTINCT FROM s.seconds)
"""

# The rows of an interval whose times are not among the staged ones.
COUNT_ROWS = """
SELECT count(*) FROM metrics_measurement
WHERE participant_id = %(participant)s AND metric_id = %(metric)s AND source_id = %(source)s
    AND time >= %(low)s AND time < %(high)s
"""
_ABSENT = """
WHERE m.participant_id = %(participant)s AND m.metric_id = %(metric)s AND m.source_id = %(source)s
    AND m.time >= %(low)s AND m.time < %(high)s
    AND NOT EXISTS (SELECT 1 FROM staged_measurement s WHERE s.time = m.time)
"""
KEEP_ABSENT_VALUES = (
    """
INSERT INTO metrics_revision (participant_id, metric_id, source_id, time, old_value, old_seconds, changed_at)
SELECT m.participant_id, m.metric_id, m.source_id, m.time, m.value, m.seconds, clock_timestamp()
FROM metrics_measurement m
"""
    + _ABSENT
)
REMOVE_ABSENT = f"DELETE FROM metrics_measurement m {_ABSENT} RETURNING (extract(epoch FROM m.time) * 1000000)::int8"

# How many rows stand in each of some intervals, of each source of its provider that has any in the local days about it.
# The overall bounds let the planner skip chunks.
_KEPT_SOURCES = """
    SELECT source_id FROM {table}
    WHERE participant_id = %(participant)s AND metric_id = r.metric AND date BETWEEN r.first AND r.last
"""
ROWS_REPLACED = f"""
SELECT r.number, source.id, stored.n
FROM unnest(%(metrics)s::int[], %(providers)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(firsts)s::date[], %(lasts)s::date[])
    WITH ORDINALITY AS r(metric, provider, starts_at, ends_at, first, last, number)
CROSS JOIN LATERAL ({_KEPT_SOURCES.format(table="metrics_dayrollup")}
    UNION {_KEPT_SOURCES.format(table="metrics_implausiblecount")}) AS kept
JOIN metrics_source source ON source.id = kept.source_id AND source.provider = r.provider
CROSS JOIN LATERAL (
    SELECT count(*) AS n FROM metrics_measurement m
    WHERE m.participant_id = %(participant)s AND m.metric_id = r.metric AND m.source_id = source.id
        AND m.time >= r.starts_at AND m.time < r.ends_at AND m.time >= %(low)s AND m.time < %(high)s
) AS stored
"""

# --- rollups: always recomputed from the rows beneath that count, so that doing it twice changes nothing ----

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
