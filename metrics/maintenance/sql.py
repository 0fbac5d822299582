"""The SQL that deletes what a trial does not keep: rows of a participant, or whole chunks where nobody else's lie."""

from __future__ import annotations

from metrics.models import Measurement, Revision

# What is detail: samples, and what they were before they changed. Table, column of time.
TABLES = tuple((model._meta.db_table, "time") for model in (Measurement, Revision))
# Days of one participant a transaction: it holds locks and log for as much as that.
DAYS = 28

OLDEST = "SELECT min({column}) FROM {table} WHERE participant_id = %(participant)s AND {column} < %(cutoff)s"
DELETE = """
DELETE FROM {table} WHERE participant_id = %(participant)s
    AND {column} >= %(oldest)s AND {column} < least(%(oldest)s + make_interval(days => %(days)s), %(cutoff)s)
"""

# A chunk cannot be written while it is looked at and dropped; who reads it is waited for, shortly.
LOCK_CHUNK = "LOCK TABLE {chunk} IN SHARE ROW EXCLUSIVE MODE"
OTHERS = "SELECT EXISTS (SELECT 1 FROM {chunk} WHERE NOT participant_id = ANY(%(people)s))"
ROWS_BY_TRIAL = """
SELECT p.trial_id, sum(c.n)::int8 FROM (SELECT participant_id, count(*) AS n FROM {chunk} GROUP BY 1) AS c
JOIN participants_participant p ON p.id = c.participant_id GROUP BY 1
"""
DROP = "SELECT drop_chunks(%(table)s, older_than => %(end)s::timestamptz, newer_than => %(start)s::timestamptz)"

# Rows as the planner has them in mind; -1 where a table was never analysed.
ROWS_PLAIN = "SELECT reltuples::int8 FROM pg_class WHERE oid = %s::regclass"
ROWS_HYPERTABLE = "SELECT approximate_row_count(%s::regclass)"
ROWS_EXACT = "SELECT count(*) FROM {table}"
# Bytes: all, of the table with its long values, of its indexes.
BYTES_PLAIN = "SELECT pg_total_relation_size(%s::regclass), pg_table_size(%s::regclass), pg_indexes_size(%s::regclass)"
BYTES_HYPERTABLE = """
SELECT total_bytes, coalesce(table_bytes, 0) + coalesce(toast_bytes, 0), coalesce(index_bytes, 0)
FROM hypertable_detailed_size(%s::regclass)
"""
# Bytes of compressed chunks, now and as they were. Community edition.
COMPRESSED = """
SELECT coalesce(sum(after_compression_total_bytes), 0)::int8, coalesce(sum(before_compression_total_bytes), 0)::int8
FROM hypertable_compression_stats(%s::regclass)
"""
DATABASE = "SELECT pg_database_size(current_database())"
