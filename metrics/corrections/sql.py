"""The SQL that deletes a stretch of a series: its samples, and what revisions keep of their old values."""

from __future__ import annotations

_STRETCH = """
WHERE participant_id = %(participant)s AND metric_id = %(metric)s AND source_id = %(source)s
    AND time >= %(low)s AND time < %(high)s
"""
SAMPLES = f"DELETE FROM metrics_measurement {_STRETCH}"
REVISIONS = f"DELETE FROM metrics_revision {_STRETCH}"
