"""The SQL of the readers: columns of whole series as arrays, one row a series, so that no row becomes an object.

The series wanted come as arrays of equal length: participant, metric, source, and each one's own span, for a local
day is another span in another zone. `low` and `high` bound all of them, in constants from which TimescaleDB tells
the chunks that it need not open. Statements for COPY: see columns.py.
"""

from __future__ import annotations

from metrics.plausibility import counted

# One source a participant and metric is chosen from what each has in the span: sums never add sources.
SOURCES = """
SELECT participant_id, metric_id, source_id, sum(n)
FROM metrics_dayrollup
WHERE participant_id = ANY(%(participants)s) AND metric_id = ANY(%(metrics)s) AND date BETWEEN %(first)s AND %(last)s
GROUP BY 1, 2, 3
"""

_WANTED = """unnest(%(participants)s::int4[], %(metrics)s::int2[], %(sources)s::int2[],
    %(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS k(participant, metric, source, starts_at, ends_at)"""
_SAME = "m.participant_id = k.participant AND m.metric_id = k.metric AND m.source_id = k.source"
_COLUMNS = """SELECT participant, metric, array_agg(at), array_agg(n), array_agg(total), array_agg(low), array_agg(high)
FROM"""

# Samples that count: what is read in pieces (NEXT_SAMPLES) has the others too.
SAMPLES = f"""
COPY (
SELECT k.participant, k.metric, array_agg(m.time), array_agg(m.value)
FROM {_WANTED}
JOIN metrics_measurement m ON {_SAME} AND m.time >= k.starts_at AND m.time < k.ends_at
WHERE m.time >= %(low)s AND m.time < %(high)s AND {counted("m")}
GROUP BY 1, 2
) TO STDOUT (FORMAT BINARY)
"""

BINNED = f"""
COPY (
{_COLUMNS} (
    SELECT k.participant, k.metric, date_bin(%(width)s, m.time, k.starts_at) AS at,
        count(*) AS n, sum(m.value) AS total, min(m.value) AS low, max(m.value) AS high
    FROM {_WANTED}
    JOIN metrics_measurement m ON {_SAME} AND m.time >= k.starts_at AND m.time < k.ends_at
    WHERE m.time >= %(low)s AND m.time < %(high)s AND {counted("m")}
    GROUP BY 1, 2, 3
) AS binned GROUP BY 1, 2
) TO STDOUT (FORMAT BINARY)
"""

_ROLLUP = f"""
COPY (
{_COLUMNS} (
    SELECT k.participant, k.metric, date_bin(%(width)s, m.bucket, k.starts_at) AS at,
        sum(m.n) AS n, sum(m.total) AS total, min(m.low) AS low, max(m.high) AS high
    FROM {_WANTED}
    JOIN {{table}} m ON {_SAME} AND m.bucket >= k.starts_at AND m.bucket < k.ends_at
    WHERE m.bucket >= %(low)s AND m.bucket < %(high)s
    GROUP BY 1, 2, 3
) AS binned GROUP BY 1, 2
) TO STDOUT (FORMAT BINARY)
"""
MINUTES = _ROLLUP.format(table="metrics_minuterollup")
HOURS = _ROLLUP.format(table="metrics_hourrollup")

# `at`: the local date as days since 1970-01-01. The spans' dates are the caller's to cut: they depend on the zone.
DAYS = f"""
COPY (
SELECT k.participant, k.metric, array_agg((m.date - DATE '1970-01-01')::int8), array_agg(m.n::int8),
    array_agg(m.total), array_agg(m.low), array_agg(m.high)
FROM {_WANTED}
JOIN metrics_dayrollup m ON {_SAME}
WHERE m.date BETWEEN %(first)s AND %(last)s
GROUP BY 1, 2
) TO STDOUT (FORMAT BINARY)
"""

# The next samples of several series, those that do not count too, each from where it stands (`starts`), at most `limit`
# of each.
NEXT_SAMPLES = """
COPY (
SELECT k.place, array_agg(s.time), array_agg(s.value), array_agg(s.seconds)
FROM unnest(%(places)s::int4[], %(participants)s::int4[], %(metrics)s::int2[], %(sources)s::int2[],
    %(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS k(place, participant, metric, source, starts_at, ends_at)
CROSS JOIN LATERAL (
    SELECT m.time, m.value, coalesce(m.seconds, -1) AS seconds
    FROM metrics_measurement m
    WHERE m.participant_id = k.participant AND m.metric_id = k.metric AND m.source_id = k.source
        AND m.time >= k.starts_at AND m.time < k.ends_at AND m.time >= %(low)s AND m.time < %(high)s
    ORDER BY m.time
    LIMIT %(limit)s
) AS s
GROUP BY 1
) TO STDOUT (FORMAT BINARY)
"""
