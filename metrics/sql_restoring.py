"""The SQL that puts samples back: the rows whose times are staged."""

from __future__ import annotations

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

# What was kept of old values: of rows that go, all since the delivery; of a value that is back, the last that kept it;
# of a delivery's own value that something later has replaced, the first that kept it since.
FORGET_ALL = f"DELETE FROM metrics_revision m {_STAGED} AND m.changed_at >= %(since)s"
FORGET_LAST = f"""
DELETE FROM metrics_revision m {_STAGED} AND m.old_value = s.value
    AND m.changed_at = (SELECT max(r.changed_at) {_KEPT})
"""
FORGET_FIRST = f"""
DELETE FROM metrics_revision m {_STAGED} AND m.old_value = s.value
    AND m.changed_at = (SELECT min(r.changed_at) {_KEPT} AND r.changed_at >= %(since)s)
"""
