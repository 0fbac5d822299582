"""The SQL of the report on the store: rows and bytes by table, on each kind of server."""

from __future__ import annotations

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
SERVER = "SELECT current_setting('server_version')"
EXTENSION = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
