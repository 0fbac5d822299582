"""A participant's calendar, read from the database: the one place that joins her zone and her device's clock."""

from __future__ import annotations

import zoneinfo

from metrics.batch import microseconds
from metrics.days import LocalCalendar
from metrics.models import OffsetPeriod
from participants.models import Participant


def calendar_of(participant: Participant) -> LocalCalendar:
    """Local days of a participant as they are known now."""
    periods = OffsetPeriod.objects.filter(participant=participant).order_by("starts_at")
    return LocalCalendar(
        zoneinfo.ZoneInfo(participant.time_zone),
        [(microseconds(period.starts_at), period.utc_offset) for period in periods],
    )
