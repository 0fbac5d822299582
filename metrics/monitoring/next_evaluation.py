"""When a participant is to be evaluated again because time passes: nothing else of the evaluation follows the clock.

By the clock alone, days begin and end where the participant is, pauses and the monitoring with them; the time of
pending days runs out; a missing interval begins or ends; another version of the protocol comes into force. What is
known of a connection follows the clock too, but whoever collects it tells of whom that has changed
(metrics.monitoring.evidence).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from metrics.models import DayStatus, Exclusion
from participants.models import Protocol

if TYPE_CHECKING:
    from metrics.monitoring.status_store import SummaryInputs

# Stands for "never": a null says that it is not known yet.
NEVER = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
ONE_DAY, AN_HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


def evaluate_at(inputs: SummaryInputs, protocols: Sequence[Protocol]) -> dt.datetime:
    """The first instant after now at which the same data may come to something else; `protocols`: the trial's."""
    return min((at for at in _instants(inputs, protocols) if at > inputs.now), default=NEVER)


def _instants(inputs: SummaryInputs, protocols: Sequence[Protocol]) -> Iterator[dt.datetime]:
    monitoring, calendar, now = inputs.monitoring, inputs.calendar, inputs.now
    # Who left or is done stays so; where no day is known to begin with, also their end moves with today.
    over = monitoring.exclusion(monitoring.today) in (Exclusion.WITHDRAWN, Exclusion.AFTER_END)
    if monitoring.first is None or not over:
        yield calendar.midnight(monitoring.today + ONE_DAY)
    for protocol in protocols:
        if protocol.effective_on > monitoring.today:
            yield calendar.midnight(protocol.effective_on)
    for evaluated in inputs.evaluated:
        day = evaluated.day
        if evaluated.status == DayStatus.PENDING:
            deadline = day.ends_at + dt.timedelta(hours=day.protocol.lost_after_hours)
            yield day.ends_at
            # Beyond it, a part of the day is about to be read.
            yield deadline if deadline > now else now + AN_HOUR
        for piece in evaluated.pieces:
            yield piece.starts_at
            yield piece.ends_at
