"""The SQL that finds and deletes what was stored outside a participant's collection interval."""

from __future__ import annotations

# Of one series and stretch [low, high): how many samples, the first, the last.
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

# Buckets that lie whole in a stretch: of those across its bounds what is left was computed anew.
DELETE_MINUTES = """
DELETE FROM metrics_minuterollup
WHERE participant_id = %(participant)s AND bucket >= %(low)s AND bucket + interval '1 minute' <= %(high)s
"""
DELETE_HOURS = """
DELETE FROM metrics_hourrollup
WHERE participant_id = %(participant)s AND bucket >= %(low)s AND bucket + interval '1 hour' <= %(high)s
"""
