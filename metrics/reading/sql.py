"""The SQL of the readers: columns of whole series as arrays, one row a series, so that no row becomes an object.

The series wanted come as arrays of equal length: participant, metric, source, and each one's own span, for a local
day is another span in another zone. `low` and `high` bound all of them, in constants from which TimescaleDB tells
the chunks that it need not open. Statements for COPY: see columns.py.
"""

from __future__ import annotations

from metrics.selection.plausible_range import counted

# A participant's metric has several rows where its source changes in the span, or parts of the span are not collected.
# Buckets are counted from `origin`, which all of them share: they are the same whatever rows there are, and one in
# which the source changes holds what each has of its part.
_WANTED = """unnest(%(participants)s::int4[], %(metrics)s::int2[], %(sources)s::int2[],
    %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(origins)s::timestamptz[])
    AS k(participant, metric, source, starts_at, ends_at, origin)"""
_WANTED_DAYS = """unnest(%(participants)s::int4[], %(metrics)s::int2[], %(sources)s::int2[],
    %(firsts)s::date[], %(lasts)s::date[]) AS k(participant, metric, source, first, last)"""
_COLUMNS = """SELECT participant, metric, array_agg(at), array_agg(n), array_agg(total), array_agg(low), array_agg(high)
FROM"""


# Put into a statement below where series have several rows: it keeps the look-up by each row's own span. Where a source
# counts on every second day, joining all of its rows with all of its intervals would take seconds. With a row a series
# the planner does better without.
FENCE = "OFFSET 0"


def _of(table: str, columns: str, time: str, fence: str, where: str = "TRUE") -> str:
    """The rows of each of the wanted."""
    return f"""CROSS JOIN LATERAL (
    SELECT {columns} FROM {table} m
    WHERE m.participant_id = k.participant AND m.metric_id = k.metric AND m.source_id = k.source
        AND m.{time} >= k.starts_at AND m.{time} < k.ends_at AND m.{time} >= %(low)s AND m.{time} < %(high)s
        AND {where}
    {fence}) AS m"""


def samples(fence: str = "") -> str:
    """Samples that count: what is read in pieces (NEXT_SAMPLES) has the others too."""
    return f"""
COPY (
SELECT k.participant, k.metric, array_agg(m.time), array_agg(m.value)
FROM {_WANTED}
{_of("metrics_measurement", "m.time, m.value", "time", fence, counted("m"))}
GROUP BY 1, 2
) TO STDOUT (FORMAT BINARY)
"""


def binned(fence: str = "") -> str:
    """Buckets of samples that count."""
    return f"""
COPY (
{_COLUMNS} (
    SELECT k.participant, k.metric, date_bin(%(width)s, m.time, k.origin) AS at,
        count(*) AS n, sum(m.value) AS total, min(m.value) AS low, max(m.value) AS high
    FROM {_WANTED}
    {_of("metrics_measurement", "m.time, m.value", "time", fence, counted("m"))}
    GROUP BY 1, 2, 3
) AS binned GROUP BY 1, 2
) TO STDOUT (FORMAT BINARY)
"""


def _rollup(table: str, fence: str) -> str:
    return f"""
COPY (
{_COLUMNS} (
    SELECT k.participant, k.metric, date_bin(%(width)s, m.bucket, k.origin) AS at,
        sum(m.n) AS n, sum(m.total) AS total, min(m.low) AS low, max(m.high) AS high
    FROM {_WANTED}
    {_of(table, "m.bucket, m.n, m.total, m.low, m.high", "bucket", fence)}
    GROUP BY 1, 2, 3
) AS binned GROUP BY 1, 2
) TO STDOUT (FORMAT BINARY)
"""


def minutes(fence: str = "") -> str:
    """Buckets of minutes."""
    return _rollup("metrics_minuterollup", fence)


def hours(fence: str = "") -> str:
    """Buckets of hours."""
    return _rollup("metrics_hourrollup", fence)


def days(fence: str = "") -> str:
    """Local days; `at` is the date as days since 1970-01-01."""
    return f"""
COPY (
SELECT k.participant, k.metric, array_agg((m.date - DATE '1970-01-01')::int8), array_agg(m.n::int8),
    array_agg(m.total), array_agg(m.low), array_agg(m.high)
FROM {_WANTED_DAYS}
CROSS JOIN LATERAL (
    SELECT m.date, m.n, m.total, m.low, m.high FROM metrics_dayrollup m
    WHERE m.participant_id = k.participant AND m.metric_id = k.metric AND m.source_id = k.source
        AND m.date BETWEEN k.first AND k.last
    {fence}) AS m
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

# A condition on a table's rows: theirs is a local date on which their participant's data are collected.
COLLECTED = """EXISTS (
SELECT 1 FROM unnest(%s::int4[], %s::date[], %s::date[]) AS k(participant, first, last)
WHERE k.participant = {table}.participant_id AND {table}.date BETWEEN k.first AND k.last)"""
