"""The SQL of exports: what there is to write, and the rows themselves. Used by metrics.exports alone.

The days with stored values say who has data of a metric on which local date, values that do not count too, so nothing
is searched for that is not there.
"""

from __future__ import annotations

from metrics.storage.sql import KEPT_DAYS

# Of each participant the local dates that are asked for and collected, as intervals that do not overlap.
_CHOSEN = f"""
FROM unnest(%(participants)s::int4[], %(firsts)s::date[], %(lasts)s::date[]) AS k(participant, first, last)
JOIN {KEPT_DAYS} d ON d.participant_id = k.participant AND d.date BETWEEN k.first AND k.last
WHERE d.metric_id = ANY(%(metrics)s) AND (%(sources)s::int2[] IS NULL OR d.source_id = ANY(%(sources)s::int2[]))
"""

# Rows to come by metric and local date.
DAYS = f"SELECT d.metric_id, d.date, sum(d.n)::int8 {_CHOSEN} GROUP BY 1, 2 ORDER BY 1, 2"

# Whose rows are in an interval of local dates, in the order of the measurements' index.
SERIES = f"SELECT DISTINCT d.participant_id, d.source_id {_CHOSEN} ORDER BY 1, 2"

# Before anything is asked for: how many rows it would be.
ESTIMATE = f"SELECT coalesce(sum(d.n), 0)::int8 {_CHOSEN}"

# One row an interval, its samples as arrays: PostgreSQL sends a message for each row, and reading 100 million messages
# costs more than what is in them. The elements of an array have one width, so numpy reads them without a look at each;
# lengths of intervals, which most samples do not have, come with the times that they belong to. `k.n` names the
# interval; the outer bounds let TimescaleDB leave chunks out.
COPY_INTERVALS = """
COPY (
    SELECT k.n::int4, s.times, s.samples, s.lengths, s.of_times
    FROM unnest({participants}::int4[], {sources}::int2[], {starts}::timestamptz[], {ends}::timestamptz[])
        WITH ORDINALITY AS k(participant, source, starts_at, ends_at, n)
    CROSS JOIN LATERAL (
        SELECT array_agg(o.time) AS times, array_agg(o.value) AS samples,
            array_agg(o.seconds) FILTER (WHERE o.seconds IS NOT NULL) AS lengths,
            array_agg(o.time) FILTER (WHERE o.seconds IS NOT NULL) AS of_times
        FROM (
            SELECT m.time, m.value, m.seconds
            FROM metrics_measurement m
            WHERE m.participant_id = k.participant AND m.metric_id = {metric} AND m.source_id = k.source
                AND m.time >= k.starts_at AND m.time < k.ends_at AND m.time >= {low} AND m.time < {high}
            ORDER BY m.participant_id, m.metric_id, m.source_id, m.time
        ) AS o
    ) AS s
    WHERE s.times IS NOT NULL
    ORDER BY k.n
) TO STDOUT (FORMAT BINARY)
"""

# All reads of a transaction see the same instant, which is NOW.
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
NOW = "SELECT now()"
