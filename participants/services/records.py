"""Services that change a participant's record and pauses, with old and new values in the audit trail."""

from __future__ import annotations

import datetime as dt
from typing import TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction

from participants import audit
from participants.locks import lock_participant, locked_participant
from participants.models import Participant, Pause, Site
from participants.services.changes import change, fixed, locked
from participants.services.participation import participant_changed

HAS_DATA = "It is fixed: data have arrived."
HAS_DAYS = "It is fixed: days have been cut by it."


class ParticipantChanges(TypedDict, total=False):
    """Changes of a participant; what is not named stays."""

    study_id: str
    site: Site | None
    arm: str
    time_zone: str
    monitoring_starts_on: dt.date | None
    monitoring_ends_on: dt.date | None


class PauseChanges(TypedDict, total=False):
    """Changes of a pause; what is not named stays."""

    starts_on: dt.date
    ends_on: dt.date | None


def has_data(participant: Participant) -> bool:
    """Whether any data of theirs have been stored."""
    return bool(participant.days.exclude(last_sample_at=None, asleep_minutes=None).exists())


@transaction.atomic
def participant_update(
    participant: Participant, *, reason: str = "", **changes: Unpack[ParticipantChanges]
) -> Participant:
    """Change a participant's record; returns it as it is stored now. Nothing different writes nothing.

    Their study id is fixed once data have arrived, for it stands in exports; their zone once days of theirs are
    stored, for they were cut by it. Nothing of somebody erased is changed. Raises django's ValidationError.
    """
    row = locked_participant(participant)
    if row.status == Participant.Status.ERASED:
        raise ValidationError("They were erased: nothing of them can be changed.")
    if has_data(row):
        fixed(changes, row, ("study_id",), HAS_DATA)
    if row.days.exists():
        fixed(changes, row, ("time_zone",), HAS_DAYS)
    old, new = change(row, changes, may=ParticipantChanges.__annotations__)
    if new:
        audit.record("participant.update", participant=row, old=old, new=new, reason=reason)
        participant_changed(row)
    return row


@transaction.atomic
def pause_change(pause: Pause, *, why: str = "", **changes: Unpack[PauseChanges]) -> Pause:
    """Correct the days of a pause; returns it as it is stored now. `why`: for the audit trail.

    Raises ValueError where another pause covers some of its days and where it was taken back meanwhile, django's
    ValidationError for bad values.
    """
    row = _held(pause)
    old, new = change(row, changes, may=PauseChanges.__annotations__)
    if not new:
        return row
    others = row.participant.pauses.exclude(pk=row.pk).exclude(ends_on__lt=row.starts_on)
    if row.ends_on:
        others = others.filter(starts_on__lte=row.ends_on)
    if others.exists():
        raise ValueError(f"{row.participant.study_id} is paused then already.")
    audit.record("pause.change", participant=row.participant, thing=f"pause:{row.pk}", old=old, new=new, reason=why)
    participant_changed(row.participant)
    return row


@transaction.atomic
def pause_remove(pause: Pause, *, why: str) -> None:
    """Take back a pause that was entered by mistake: its days count again. The audit trail keeps it and `why`.

    Raises ValueError where somebody did so meanwhile.
    """
    row = _held(pause)
    participant, thing = row.participant, f"pause:{row.pk}"
    old = {"starts_on": row.starts_on, "ends_on": row.ends_on, "reason": row.reason}
    row.delete()
    audit.record("pause.remove", participant=participant, thing=thing, old=old, reason=why)
    participant_changed(participant)


def _held(pause: Pause) -> Pause:
    """A pause as it is stored now, held with its participant. Raises ValueError where it is there no more."""
    lock_participant(pause.participant)
    try:
        row = locked(pause)
    except Pause.DoesNotExist:
        raise ValueError("This pause was cancelled already.") from None
    row.participant = pause.participant
    if row.withdrawn:
        raise ValueError("These are the days of a withdrawal that was undone: they stay left out.")
    return row
