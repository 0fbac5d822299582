"""Local days with stored values, whether they count or not: what holds rows, not what means something.

Rollups know only values that count (plausible_range.py). Who looks for rows (exports of samples, what a payload
replaces, rebuilding, a participant's own copy, the newest sample) asks here, so that a day of nothing but impossible
values is found.
"""

from __future__ import annotations

from typing import Any

from metrics.models import DayRollup, ImplausibleCount


def kept_days(*fields: str, **filters: Any) -> set[Any]:
    """Distinct values of these fields over the days with stored values: tuples, or values where there is one field."""
    flat = len(fields) == 1
    days: set[Any] = set()
    for model in (DayRollup, ImplausibleCount):
        rows = model._default_manager.filter(**filters).order_by().values_list(*fields, flat=flat)
        days.update(rows.distinct())
    return days
