"""SQL about the server, about days with stored values and about chunks: their layout, their state, their size.

What is about chunks is TimescaleDB's alone. Its catalogue is asked for the one thing that its views do not tell:
whether rows came into a compressed chunk.
"""

from __future__ import annotations

# How a hypertable is compressed: its columns of segments and of order, as one text each; null where it is not.
LAYOUT = """
SELECT string_agg(attname, ',' ORDER BY segmentby_column_index) FILTER (WHERE segmentby_column_index IS NOT NULL),
    string_agg(attname, ',' ORDER BY orderby_column_index) FILTER (WHERE orderby_column_index IS NOT NULL)
FROM timescaledb_information.compression_settings WHERE hypertable_schema = 'public' AND hypertable_name = %s
"""

# After how long the database's own job compresses.
POLICY = """
SELECT (config ->> 'compress_after')::interval FROM timescaledb_information.jobs
WHERE hypertable_schema = 'public' AND hypertable_name = %s AND config ? 'compress_after'
"""

# Bits of a chunk's status: 1 compressed, 2 rows lie out of order, 8 rows came that are not compressed.
CHUNKS = """
SELECT i.hypertable_name, format('%%I.%%I', i.chunk_schema, i.chunk_name), i.range_start, i.range_end,
    coalesce(i.is_compressed, false), coalesce(i.is_compressed, false) AND (c.status & 10) <> 0
FROM timescaledb_information.chunks i
JOIN _timescaledb_catalog.chunk c ON c.schema_name = i.chunk_schema AND c.table_name = i.chunk_name
WHERE i.hypertable_schema = 'public' AND i.hypertable_name = ANY(%s)
ORDER BY i.hypertable_name, i.range_start
"""

INTERVALS = """
SELECT hypertable_name, time_interval FROM timescaledb_information.dimensions
WHERE hypertable_schema = 'public' AND hypertable_name = ANY(%s)
"""
SET_INTERVAL = "SELECT set_chunk_time_interval(%s, make_interval(days => %s))"
SHORT_LOCK = "SELECT set_config('lock_timeout', '3s', true)"
LONG_LOCK = "SELECT set_config('lock_timeout', '10s', true)"
# A name from CHUNKS, which is quoted where it has to be.
VACUUM = "VACUUM (ANALYZE, SKIP_LOCKED) {chunk}"
# Rows that came late leave a compressed chunk empty again, but their index as large as it was.
SWOLLEN = "SELECT pg_indexes_size(%s::regclass) > greatest(1000000, 10 * pg_relation_size(%s::regclass))"
REINDEX = "REINDEX TABLE {chunk}"

SERVER_VERSION = "SELECT current_setting('server_version')"
EXTENSION_VERSION = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
# No row without the extension; "timescale" for the Community edition.
LICENCE = """
SELECT current_setting('timescaledb.license', true)
WHERE EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'timescaledb')
"""
HYPERTABLES = "SELECT hypertable_name FROM timescaledb_information.hypertables WHERE hypertable_schema = 'public'"
AVAILABLE = "SELECT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb')"
CREATE_EXTENSION = "CREATE EXTENSION IF NOT EXISTS timescaledb"
# The same words as the engine's for a new table (config/db/base.py), and the rows that are there move into chunks.
CREATE_HYPERTABLE = """
SELECT create_hypertable(%s::regclass, %s::name, chunk_time_interval => %s::interval, migrate_data => true,
    create_default_indexes => false)
"""
ANALYZE = "ANALYZE {table}"

# Local days with stored values, whether they count or not (stored_days.py), as a relation for FROM, in parentheses:
# participant_id, metric_id, source_id, date, n, newest; up to two rows a day of a series. `newest`: the newest of
# values that do not count, null of those that do.
KEPT_DAYS = """(
    SELECT participant_id, metric_id, source_id, date, n, NULL::timestamptz AS newest FROM metrics_dayrollup
    UNION ALL SELECT participant_id, metric_id, source_id, date, n, newest FROM metrics_implausiblecount
)"""
