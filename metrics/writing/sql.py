"""The SQL of the store's writing: what the ORM cannot say, or not fast enough. Reading has its own,
metrics/reading/sql.py.

A series is (participant, metric, source): three parameters that most statements begin with. Buckets are found
with date_bin, which needs neither TimescaleDB nor the session's time zone.
"""

from __future__ import annotations

from participants.sql import COLLECTION_COLUMNS, PARTICIPANT_LOCK, TRIAL_LOCK

# Held to the end of the transaction: one writer a participant (participants.locks).
# A late payload unpacks what it touches of compressed chunks. TimescaleDB's limit on that is meant for queries that
# forgot their WHERE; a writer here touches one participant, and must not fail with 53400 for having many samples.
LOCK = f"""
SELECT pg_advisory_xact_lock({PARTICIPANT_LOCK}, %s),
    set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)
"""

# The same with the trial's shared lock, in the order of participants.locks. A statement of its own: what comes after
# must see what was committed while it waited.
LOCK_BOTH = LOCK.rstrip() + f", pg_advisory_xact_lock_shared({TRIAL_LOCK}, %s)\n"

# See participant_state.py. Offsets as [microseconds UTC, seconds east of UTC]; sources as [place in the arrays, id].
STATE = f"""
SELECT {COLLECTION_COLUMNS}, p.time_zone, t.code, t.raw_removed_before,
    (SELECT json_agg(json_build_array((extract(epoch FROM o.starts_at) * 1000000)::int8, o.utc_offset)
        ORDER BY o.starts_at) FROM metrics_offsetperiod o WHERE o.participant_id = p.id),
    (SELECT json_agg(json_build_array(k.n, s.id))
        FROM unnest(%(providers)s::text[], %(platforms)s::text[], %(models)s::text[], %(synthetic)s::bool[])
            WITH ORDINALITY AS k(provider, platform, model, synthetic, n)
        JOIN metrics_source s ON s.provider = k.provider AND s.platform = k.platform
            AND s.device_model = k.model AND s.synthetic = k.synthetic)
FROM participants_participant p JOIN participants_trial t ON t.id = p.trial_id
WHERE p.id = %(participant)s
"""

# Instants come as microseconds since 1970 where they are many.
INSTANT = "timestamptz 'epoch' + {} * interval '1 microsecond'"

# What is stored of some series, a row each, all null where nothing is: the samples of its spans, as 20 bytes each
# (time, value, length or -1, all as they go over the wire); and of the buckets from `hour` and `date` on which there
# are: hours since 1970, days since 1970, and days with values that do not count. The bounds of all let the planner skip
# chunks; OFFSET 0 keeps the look-up by span.
STORED = (
    """
WITH span AS MATERIALIZED (
    SELECT n, """
    + INSTANT.format("low")
    + " AS low, "
    + INSTANT.format("high")
    + """ AS high
    FROM unnest(%(span_n)s::int4[], %(span_lows)s::int8[], %(span_highs)s::int8[]) AS span(n, low, high)
)
SELECT series.n,
    (SELECT string_agg(timestamptz_send(m.time) || float8send(m.value) || int4send(coalesce(m.seconds, -1)), ''::bytea)
    FROM span CROSS JOIN LATERAL (
        SELECT m.time, m.value, m.seconds FROM metrics_measurement m
        WHERE m.participant_id = %(participant)s AND m.metric_id = series.metric AND m.source_id = series.source
            AND m.time >= span.low AND m.time < span.high AND m.time >= %(low)s AND m.time < %(high)s
        OFFSET 0) AS m
    WHERE span.n = series.n),
    (SELECT array_agg((extract(epoch FROM h.bucket) / 3600)::int4) FROM metrics_hourrollup h
    WHERE h.participant_id = %(participant)s AND h.metric_id = series.metric AND h.source_id = series.source
        AND h.bucket >= series.low AND h.bucket < series.high AND h.bucket >= %(low_hour)s
        AND h.bucket < %(high_hour)s),
    (SELECT array_agg(d.date - DATE '1970-01-01') FROM metrics_dayrollup d
    WHERE d.participant_id = %(participant)s AND d.metric_id = series.metric AND d.source_id = series.source
        AND d.date BETWEEN series.first AND series.last),
    (SELECT array_agg(d.date - DATE '1970-01-01') FROM metrics_implausiblecount d
    WHERE d.participant_id = %(participant)s AND d.metric_id = series.metric AND d.source_id = series.source
        AND d.date BETWEEN series.first AND series.last)
FROM (SELECT n, metric, source, timestamptz 'epoch' + low * interval '1 hour' AS low,
        timestamptz 'epoch' + high * interval '1 hour' AS high, DATE '1970-01-01' + first AS first,
        DATE '1970-01-01' + last AS last
    FROM unnest(%(n)s::int4[], %(metrics)s::int2[], %(sources)s::int2[], %(lows)s::int4[], %(highs)s::int4[],
        %(firsts)s::int4[], %(lasts)s::int4[]) AS v(n, metric, source, low, high, first, last)) AS series
"""
)

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
