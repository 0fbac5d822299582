"""The SQL that deletes an interval of a series: its samples, and what revisions keep of their old values."""

from __future__ import annotations

_INTERVAL = """
WHERE participant_id = %(participant)s AND metric_id = %(metric)s AND source_id = %(source)s
    AND time >= %(low)s AND time < %(high)s
"""
SAMPLES = f"DELETE FROM metrics_measurement {_INTERVAL}"
REVISIONS = f"DELETE FROM metrics_revision {_INTERVAL}"

# Of one series and interval [low, high): how many samples, the first, the last.
COUNT = """
SELECT count(*), min(time), max(time) FROM metrics_measurement
WHERE participant_id = %(participant)s AND metric_id = %(metric)s AND source_id = %(source)s
    AND time >= %(low)s AND time < %(high)s
"""

# Days of one series a transaction: it holds locks and log for as much as that.
DAYS = 7
OLDEST = """
SELECT min(time) FROM metrics_measurement
WHERE participant_id = %(participant)s AND metric_id = %(metric)s AND source_id = %(source)s
    AND time >= %(low)s AND time < %(high)s
"""
DELETE = """
DELETE FROM metrics_measurement
WHERE participant_id = %(participant)s AND metric_id = %(metric)s AND source_id = %(source)s
    AND time >= %(oldest)s AND time < least(%(oldest)s + make_interval(days => %(days)s), %(high)s)
RETURNING (extract(epoch FROM time) * 1000000)::int8
"""

OLD_VALUES = """
SELECT count(*) FROM metrics_revision WHERE participant_id = %(participant)s AND time >= %(low)s AND time < %(high)s
"""
DELETE_OLD_VALUES = """
DELETE FROM metrics_revision WHERE participant_id = %(participant)s AND time >= %(low)s AND time < %(high)s
"""

# Buckets that lie whole in an interval: of those across its bounds what is left was computed anew.
DELETE_MINUTES = """
DELETE FROM metrics_minuterollup
WHERE participant_id = %(participant)s AND bucket >= %(low)s AND bucket + interval '1 minute' <= %(high)s
"""
DELETE_HOURS = """
DELETE FROM metrics_hourrollup
WHERE participant_id = %(participant)s AND bucket >= %(low)s AND bucket + interval '1 hour' <= %(high)s
"""

_STAGED = """
USING staged_measurement s
WHERE m.participant_id = %(participant)s AND m.metric_id = %(metric)s AND m.source_id = %(source)s
    AND m.time = s.time AND m.time >= %(low)s AND m.time < %(high)s
"""
REMOVE_STAGED = f"DELETE FROM metrics_measurement m {_STAGED}"
_KEPT = """
    FROM metrics_revision r
    WHERE r.participant_id = m.participant_id AND r.metric_id = m.metric_id AND r.source_id = m.source_id
        AND r.time = m.time AND r.old_value = m.old_value"""

# What was kept of old values: of rows that go, all since the payload; of a value that is back, the last that kept it;
# of a payload's own value that something later has replaced, the first that kept it since.
FORGET_ALL = f"DELETE FROM metrics_revision m {_STAGED} AND m.changed_at >= %(since)s"
FORGET_LAST = f"""
DELETE FROM metrics_revision m {_STAGED} AND m.old_value = s.value
    AND m.changed_at = (SELECT max(r.changed_at) {_KEPT})
"""
FORGET_FIRST = f"""
DELETE FROM metrics_revision m {_STAGED} AND m.old_value = s.value
    AND m.changed_at = (SELECT min(r.changed_at) {_KEPT} AND r.changed_at >= %(since)s)
"""
# What was kept of a change that is none any more: the value after it, kept or stored, is the same.
FORGET_UNCHANGED = f"""
DELETE FROM metrics_revision m {_STAGED} AND (m.old_value, coalesce(m.old_seconds, -1)) = (
    SELECT later.value, coalesce(later.seconds, -1)
    FROM (
        SELECT r.old_value AS value, r.old_seconds AS seconds, r.changed_at AS until
        FROM metrics_revision r
        WHERE r.participant_id = m.participant_id AND r.metric_id = m.metric_id AND r.source_id = m.source_id
            AND r.time = m.time AND r.changed_at > m.changed_at
        UNION ALL
        SELECT v.value, v.seconds, 'infinity'
        FROM metrics_measurement v
        WHERE v.participant_id = m.participant_id AND v.metric_id = m.metric_id AND v.source_id = m.source_id
            AND v.time = m.time
    ) later
    ORDER BY later.until LIMIT 1)
"""
