"""The SQL that deletes a participant's rows from the big tables."""

from __future__ import annotations

from metrics.models import DayRollup, HourRollup, ImplausibleCount, Measurement, MinuteRollup, Revision

# Label, table and column of time. A slice is so many days: it holds locks and log for as much as that.
TABLES = tuple(
    (model._meta.label, model._meta.db_table, column)
    for model, column in (
        (Measurement, "time"),
        (MinuteRollup, "bucket"),
        (HourRollup, "bucket"),
        (DayRollup, "date"),
        (ImplausibleCount, "date"),
        (Revision, "time"),
    )
)
DAYS = 90


def oldest(table: str, column: str) -> str:
    return f"SELECT min({column}) FROM {table} WHERE participant_id = %s"


def delete(table: str, column: str) -> str:
    return (
        f"DELETE FROM {table} WHERE participant_id = %(participant)s"
        f" AND {column} >= %(oldest)s AND {column} < %(oldest)s + make_interval(days => %(days)s)"
    )
