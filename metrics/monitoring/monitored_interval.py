"""Monitored interval, in which days count: within what is collected, and by the data where nothing says more."""

from __future__ import annotations

import datetime as dt

from metrics.local_time import LocalCalendar
from metrics.monitoring.day_inputs import ParticipantHistory
from metrics.monitoring.rules import Monitoring
from participants.collection_interval import CollectedDays
from participants.models import Participant

ONE_DAY = dt.timedelta(days=1)


def monitoring_of(
    person: ParticipantHistory, collected: CollectedDays, data: set[dt.date], calendar: LocalCalendar, today: dt.date
) -> Monitoring:
    """Monitored interval of a participant. `data`: local dates with data, of which those not collected do not count.

    Where nothing says when monitoring begins, it is with the first data; of who left or is done on an unknown day, it
    ends with the last. The day on which a trial was closed is no whole day and does not count.
    """
    data = {date for date in data if date in collected}
    last_data = max(data, default=None)
    first = person.starts_on or min(data, default=None)
    if first and collected.first:
        first = max(first, collected.first)
    withdrawn_on = person.withdrawn_on
    if person.status == Participant.Status.WITHDRAWN and withdrawn_on is None:
        withdrawn_on = last_data + ONE_DAY if last_data else first or today
    last = collected.ends_on
    if collected.until and withdrawn_on is None:
        whole = calendar.date(collected.until) - ONE_DAY
        last = min(last, whole) if last else whole
    if person.status == Participant.Status.COMPLETED and last is None:
        last = last_data or today
    return Monitoring(person.status, first, last, withdrawn_on, person.pauses, today)
