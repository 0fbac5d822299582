"""Demo participants with a status of their own beside their devices: one is paused, one has withdrawn. Once each."""

from __future__ import annotations

import datetime as dt
import zoneinfo

from django.db import transaction

from participants.models import Participant, Trial
from participants.services import participant_withdraw, pause_begin

# By study number: those whose devices tell nothing of their own.
PAUSED, WITHDRAWN = 14, 18
PAUSED_DAYS, WITHDRAWN_DAYS = 3, 6
REASON = "In hospital for a planned stay"


@transaction.atomic
def demo_stories_ensure(trial: Trial, *, now: dt.datetime) -> list[Participant]:
    """Pause and withdraw those who show it, unless it was done or undone before; returns whom it has changed.

    After the data were taken in: a device of a participant who has left is not read any more.
    """
    today = now.astimezone(zoneinfo.ZoneInfo(trial.time_zone)).date()
    changed = []
    paused = _active(trial, PAUSED)
    if paused is not None and not paused.pauses.exists():
        paused.status = Participant.Status.PAUSED
        paused.save(update_fields=["status"])
        pause_begin(paused, starts_on=today - dt.timedelta(days=PAUSED_DAYS), reason=REASON)
        changed.append(paused)
    gone = _active(trial, WITHDRAWN)
    if gone is not None and gone.withdrawn_on is None:
        participant_withdraw(gone, on=today - dt.timedelta(days=WITHDRAWN_DAYS))
        changed.append(gone)
    return changed


def _active(trial: Trial, number: int) -> Participant | None:
    return trial.participants.filter(study_id=f"{trial.code}-{number:03d}", status=Participant.Status.ACTIVE).first()
