"""SQL of days and their status, apart from that of the store (metrics/writing/sql.py). Used by evaluation.py and
its parts alone.

Every statement serves one participant or many: what is asked for comes as arrays of equal length, and `n` is the place
of a day or interval in them.
"""

from __future__ import annotations

from metrics.models import AttentionStatus
from metrics.models.attention import bit
from metrics.selection.plausible_range import counted
from metrics.storage.sql import KEPT_DAYS
from participants.sql import PARTICIPANT_LOCK

# Ascending ids, so that two who lock several people never wait for each other.
LOCK_ALL = f"SELECT pg_advisory_xact_lock({PARTICIPANT_LOCK}, id) FROM unnest(%(people)s::int4[]) AS id"

# Those of them whom nobody else works on: what is locked is left out, and nobody waits.
TRY_LOCK_ALL = f"""
SELECT id FROM unnest(%(people)s::int4[]) AS id WHERE pg_try_advisory_xact_lock({PARTICIPANT_LOCK}, id)
"""

# Days that are to be evaluated, added to those marked already. An answer of the source is news of a day that is not
# settled, or has a gap for which it was not asked after it was over; of others it brought nothing.
MARK = """
WITH answered AS (
    SELECT array_agg(u.date) AS dates FROM unnest(%(evidence_dates)s::date[]) AS u(date)
    WHERE NOT EXISTS (
        SELECT 1 FROM metrics_participantday d
        WHERE d.participant_id = %(participant)s AND d.date = u.date AND d.status <> 'p' AND NOT EXISTS (
            SELECT 1 FROM metrics_gap g
            WHERE g.participant_id = d.participant_id AND g.date = d.date AND g.cause = ANY(%(unanswered)s)))
)
INSERT INTO metrics_pendingevaluation AS p (participant_id, dates, evidence_dates, marked_at)
SELECT %(participant)s, %(dates)s::date[], coalesce(a.dates, '{}'), %(now)s
FROM answered a WHERE a.dates IS NOT NULL OR %(dates)s::date[] <> '{}'
ON CONFLICT (participant_id) DO UPDATE SET
    dates = ARRAY(SELECT DISTINCT unnest(p.dates || EXCLUDED.dates)),
    evidence_dates = ARRAY(SELECT DISTINCT unnest(p.evidence_dates || EXCLUDED.evidence_dates))
"""
TAKE_MARKS = """
DELETE FROM metrics_pendingevaluation WHERE participant_id = ANY(%(people)s)
RETURNING participant_id, dates, evidence_dates
"""

# Who is evaluated, by what, and how all their days stand. Codes and numbers are one a day that has a row, by date.
PEOPLE = """
SELECT p.id, p.trial_id, p.status, p.time_zone, p.monitoring_starts_on, p.withdrawn_on,
    (SELECT json_agg(json_build_array(e.starts_on, e.ends_on, e.reason) ORDER BY e.starts_on)
        FROM participants_pause e WHERE e.participant_id = p.id),
    (SELECT json_agg(json_build_array((extract(epoch FROM o.starts_at) * 1000000)::int8, o.utc_offset)
        ORDER BY o.starts_at) FROM metrics_offsetperiod o WHERE o.participant_id = p.id),
    s.last_sample_at, s.arrived_at, history.*, s.adherence, s.best_adherence, s.recounted
FROM participants_participant p
LEFT JOIN metrics_standing s ON s.participant_id = p.id
LEFT JOIN LATERAL (
    SELECT array_agg(d.date - DATE '1970-01-01' ORDER BY d.date), string_agg(d.status, '' ORDER BY d.date),
        array_agg(d.reason ORDER BY d.date), array_agg(d.worn_minutes ORDER BY d.date),
        array_agg(d.day_minutes ORDER BY d.date),
        string_agg(CASE WHEN d.asleep_minutes IS NULL THEN '-' ELSE 'n' END, '' ORDER BY d.date),
        string_agg(CASE WHEN d.last_sample_at IS NULL AND d.asleep_minutes IS NULL THEN '0' ELSE '1' END, ''
            ORDER BY d.date),
        max(coalesce(d.heard_at, CASE WHEN d.worn_minutes > 0 THEN d.last_sample_at END))
    FROM metrics_participantday d WHERE d.participant_id = p.id
) AS history ON true
WHERE p.id = ANY(%(people)s)
"""

_DAY = "unnest(%(n)s::int4[], %(people)s::int4[], %(dates)s::date[]) AS day(n, participant, date)"
_SPAN = (
    "unnest(%(span_n)s::int4[], %(span_people)s::int4[], %(span_dates)s::date[], %(starts)s::timestamptz[],"
    " %(ends)s::timestamptz[], %(least)s::interval[]) AS span(n, participant, date, starts_at, ends_at, least)"
)

# The sleep that ended on a day as [source, main sleep?, minutes asleep], its rollups as [metric, source, minutes, n],
# its newest sample and the newest of what is worn, to the hour where the trial has deleted its samples
# (metrics.maintenance.retention). One that does not count is one too: the device handed its data on.
DAY_FACTS = f"""
WITH span AS MATERIALIZED (SELECT * FROM {_SPAN})
SELECT day.n,
    (SELECT json_agg(json_build_array(s.source_id, s.is_main, s.asleep_minutes)) FROM metrics_sleepsession s
        WHERE s.participant_id = day.participant AND s.date = day.date),
    (SELECT json_agg(json_build_array(d.metric_id, d.source_id, d.minutes, d.n)) FROM metrics_dayrollup d
        WHERE d.participant_id = day.participant AND d.date = day.date),
    newest.any_time, newest.worn_time
FROM {_DAY}
CROSS JOIN LATERAL (
    SELECT max(sample.time) AS any_time,
        max(sample.time) FILTER (WHERE d.metric_id = ANY(%(worn_metrics)s)) AS worn_time
    FROM span
    JOIN {KEPT_DAYS} d ON d.participant_id = span.participant AND d.date = span.date
    CROSS JOIN LATERAL (SELECT coalesce(
        (SELECT max(m.time) FROM metrics_measurement m
        WHERE m.participant_id = d.participant_id AND m.metric_id = d.metric_id AND m.source_id = d.source_id
            AND m.time >= span.starts_at AND m.time < span.ends_at),
        (SELECT max(h.bucket) FROM metrics_hourrollup h
        WHERE h.participant_id = d.participant_id AND h.metric_id = d.metric_id AND h.source_id = d.source_id
            AND h.bucket >= span.starts_at AND h.bucket < span.ends_at),
        d.newest) AS time) AS sample
    WHERE span.n = day.n) AS newest
"""

# Worn minutes and the intervals without one, of at least `least`, by gaps-and-islands over the minutes with a heart
# rate, from whichever source. The edges of an interval of the day stand in as minutes before and after it. OFFSET 0
# keeps the look-up by day: before a table's first ANALYZE the planner may join a year of minutes with each day.
WORN = f"""
WITH span AS MATERIALIZED (SELECT * FROM {_SPAN}),
minute AS (
    SELECT span.n, span.starts_at, m.bucket, span.least
    FROM span
    JOIN metrics_dayrollup d
        ON d.participant_id = span.participant AND d.date = span.date AND d.metric_id = %(heart_rate)s
    CROSS JOIN LATERAL (
        SELECT m.bucket FROM metrics_minuterollup m
        WHERE m.participant_id = d.participant_id AND m.metric_id = d.metric_id AND m.source_id = d.source_id
            AND m.bucket >= span.starts_at AND m.bucket < span.ends_at
            AND m.bucket >= %(low)s AND m.bucket < %(high)s
        OFFSET 0) AS m
    GROUP BY 1, 2, 3, 4
    UNION ALL SELECT n, starts_at, starts_at - interval '1 minute', least FROM span
    UNION ALL SELECT n, starts_at, ends_at, least FROM span
),
step AS (
    SELECT n, starts_at, bucket, least, lag(bucket) OVER (PARTITION BY n, starts_at ORDER BY bucket) AS before
    FROM minute
)
SELECT n, count(*) - 2,
    array_agg(before + interval '1 minute' ORDER BY bucket) FILTER (WHERE bucket - before > least),
    array_agg(bucket ORDER BY bucket) FILTER (WHERE bucket - before > least)
FROM step GROUP BY n, starts_at ORDER BY n, starts_at
"""

# What else was measured in intervals of days: by metric and source, how many samples that count, how many zeros, their
# sum. Where the trial has deleted its samples, of the whole hours in them. The lowest source comes last: of those alike
# it counts, as everywhere.
NEIGHBOURS = f"""
SELECT gap.n, d.metric_id, m.samples, m.zeros, m.total
FROM unnest(%(n)s::int4[], %(people)s::int4[], %(dates)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS gap(n, participant, date, starts_at, ends_at)
JOIN metrics_dayrollup d
    ON d.participant_id = gap.participant AND d.date = gap.date AND d.metric_id = ANY(%(metrics)s)
CROSS JOIN LATERAL (
    SELECT count(*) AS samples, count(*) FILTER (WHERE m.value = 0) AS zeros, coalesce(sum(m.value), 0) AS total
    FROM metrics_measurement m
    WHERE m.participant_id = d.participant_id AND m.metric_id = d.metric_id AND m.source_id = d.source_id
        AND m.time >= gap.starts_at AND m.time < gap.ends_at AND {counted("m")}
    UNION ALL
    SELECT sum(h.n), coalesce(sum(h.n) FILTER (WHERE h.high = 0), 0), sum(h.total)
    FROM metrics_hourrollup h
    WHERE h.participant_id = d.participant_id AND h.metric_id = d.metric_id AND h.source_id = d.source_id
        AND h.bucket >= gap.starts_at AND h.bucket + interval '1 hour' <= gap.ends_at
        AND h.bucket < (SELECT t.raw_removed_before FROM participants_trial t
            JOIN participants_participant p ON p.trial_id = t.id WHERE p.id = gap.participant)) AS m
WHERE m.samples > 0
ORDER BY d.source_id DESC
"""

# A day as it stands, all null where there is no row, and its gaps as [id, start, end, cause, evidence].
STORED_DAYS = f"""
SELECT day.n, d.status, d.reason, d.known_at, d.protocol_version, d.day_minutes, d.worn_minutes, d.fault_minutes,
    d.asleep_minutes, d.coverage, d.last_sample_at, d.heard_at,
    (SELECT json_agg(json_build_array(g.id, g.starts_at, g.ends_at, g.cause, g.evidence)) FROM metrics_gap g
        WHERE g.participant_id = day.participant AND g.date = day.date)
FROM {_DAY}
LEFT JOIN metrics_participantday d ON d.participant_id = day.participant AND d.date = day.date
"""

WRITE_DAYS = """
INSERT INTO metrics_participantday (participant_id, date, status, reason, known_at, protocol_version, day_minutes,
    worn_minutes, fault_minutes, asleep_minutes, coverage, last_sample_at, heard_at, updated_at)
SELECT u.participant, u.date, u.status, u.reason, u.known_at, u.version, u.day_minutes, u.worn, u.fault, u.asleep,
    u.coverage::jsonb, u.last_sample_at, u.heard_at, %(now)s
FROM unnest(%(people)s::int4[], %(dates)s::date[], %(status)s::text[], %(reason)s::text[],
    %(known_at)s::timestamptz[], %(version)s::int2[], %(day_minutes)s::int2[], %(worn)s::int2[], %(fault)s::int2[],
    %(asleep)s::int2[], %(coverage)s::text[], %(last_sample_at)s::timestamptz[], %(heard_at)s::timestamptz[])
    AS u(participant, date, status, reason, known_at, version, day_minutes, worn, fault, asleep, coverage,
        last_sample_at, heard_at)
ON CONFLICT (participant_id, date) DO UPDATE SET
    status = EXCLUDED.status, reason = EXCLUDED.reason, known_at = EXCLUDED.known_at,
    protocol_version = EXCLUDED.protocol_version, day_minutes = EXCLUDED.day_minutes,
    worn_minutes = EXCLUDED.worn_minutes, fault_minutes = EXCLUDED.fault_minutes,
    asleep_minutes = EXCLUDED.asleep_minutes, coverage = EXCLUDED.coverage,
    last_sample_at = EXCLUDED.last_sample_at, heard_at = EXCLUDED.heard_at, updated_at = EXCLUDED.updated_at
"""

REMOVE_DAYS = """
DELETE FROM metrics_participantday d
USING unnest(%(people)s::int4[], %(dates)s::date[]) AS gone(participant, date)
WHERE d.participant_id = gone.participant AND d.date = gone.date
"""

# Of two statuses that became known at one instant the later stands.
WRITE_STATUS_HISTORY = """
INSERT INTO metrics_dayverdict (participant_id, date, known_at, status, reason, worn_minutes, protocol_version, why)
SELECT u.*, %(why)s FROM unnest(%(people)s::int4[], %(dates)s::date[], %(known_at)s::timestamptz[], %(status)s::text[],
    %(reason)s::text[], %(worn)s::int2[], %(version)s::int2[]) AS u
ON CONFLICT (participant_id, date, known_at) DO UPDATE SET
    status = EXCLUDED.status, reason = EXCLUDED.reason, worn_minutes = EXCLUDED.worn_minutes,
    protocol_version = EXCLUDED.protocol_version, why = EXCLUDED.why
"""

REMOVE_GAPS = "DELETE FROM metrics_gap WHERE id = ANY(%(ids)s)"
WRITE_GAPS = """
INSERT INTO metrics_gap (participant_id, date, starts_at, ends_at, cause, evidence, known_at)
SELECT g.participant, g.date, g.starts_at, g.ends_at, g.cause, g.evidence::jsonb, %(now)s
FROM unnest(%(people)s::int4[], %(dates)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(causes)s::text[], %(evidence)s::text[]) AS g(participant, date, starts_at, ends_at, cause, evidence)
"""

# The newest status of each day that was known at an instant, counted by person.
ADHERENCE_AS_OF = """
SELECT v.participant_id, count(*) FILTER (WHERE v.status = 'v'), count(*) FILTER (WHERE v.status IN ('v', 'i', 'l')),
    count(*) FILTER (WHERE v.status = 'p'), count(*) FILTER (WHERE v.status = 'x')
FROM (
    SELECT DISTINCT ON (participant_id, date) participant_id, date, status
    FROM metrics_dayverdict
    WHERE participant_id = ANY(%(people)s) AND known_at <= %(at)s
    ORDER BY participant_id, date, known_at DESC
) AS v
GROUP BY 1
"""

# Valid days by other definitions, of the days that count now. `variants` are worn minutes.
ADHERENCE_VARIANTS = """
SELECT d.participant_id, v.minutes, count(*) FILTER (WHERE d.worn_minutes >= v.minutes), count(*)
FROM metrics_participantday d CROSS JOIN unnest(%(variants)s::int4[]) AS v(minutes)
WHERE d.participant_id = ANY(%(people)s) AND d.status IN ('v', 'i', 'l') AND d.day_minutes >= v.minutes
GROUP BY 1, 2
"""
# The steps of each day from the source that counts on it, which come as runs of dates, looked up run by run. Of a
# metric of minutes and one of days the greater.
ADHERENCE_BY_STEPS = """
WITH walked AS MATERIALIZED (
    SELECT r.participant_id, r.date, max(r.total) AS total
    FROM unnest(%(participants)s::int4[], %(metrics)s::int2[], %(sources)s::int2[], %(firsts)s::date[],
        %(lasts)s::date[]) AS k(participant, metric, source, first, last)
    CROSS JOIN LATERAL (
        SELECT r.participant_id, r.date, r.total FROM metrics_dayrollup r
        WHERE r.participant_id = k.participant AND r.metric_id = k.metric AND r.source_id = k.source
            AND r.date BETWEEN k.first AND k.last
        OFFSET 0) AS r
    GROUP BY 1, 2
)
SELECT d.participant_id, count(*) FILTER (WHERE w.total >= %(steps)s), count(*)
FROM metrics_participantday d
LEFT JOIN walked w ON w.participant_id = d.participant_id AND w.date = d.date
WHERE d.participant_id = ANY(%(people)s) AND d.status IN ('v', 'i', 'l')
GROUP BY 1
"""

# People by trial and by what is true of them: the bits of the statuses that last (metrics.models.attention; of whom
# nothing is known, data have still to be read) and of the one that comes with the clock. `people` selects (trial, id).
ATTENTION_GROUPS = f"""
SELECT p.trial_id, coalesce(s.lasting_statuses, {bit(AttentionStatus.WAITING)})
    | CASE WHEN s.critical_from <= %(now)s THEN {bit(AttentionStatus.CRITICAL)}
        WHEN s.silent_from <= %(now)s AND s.critical_from > %(now)s THEN {bit(AttentionStatus.SILENT)} ELSE 0 END,
    count(*), max(s.last_sample_at)
FROM (%(people)s) AS p(trial_id, id) LEFT JOIN metrics_standing s ON s.participant_id = p.id
GROUP BY 1, 2
"""
