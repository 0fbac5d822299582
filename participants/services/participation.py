"""Services of participation: enrol, begin, pause, complete, withdraw."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from participants import hooks
from participants.audit import record
from participants.locks import lock_participant, lock_trial_shared
from participants.models import Participant, Pause, Site, Trial
from participants.models.participants import STUDY_ID_TAKEN
from participants.user_input import check_day


class EnrolmentError(Exception):
    """The participant cannot be enrolled; the message says why and is fit to show."""


@transaction.atomic
def participant_enrol(
    *,
    trial: Trial,
    study_id: str,
    time_zone: str | None = None,
    site: Site | None = None,
    status: str = Participant.Status.INVITED,
    monitoring_starts_on: dt.date | None = None,
    monitoring_ends_on: dt.date | None = None,
    arm: str = "",
) -> Participant:
    """Enrol one person under a study id; the trial's time zone unless another is given.

    Raises EnrolmentError if the trial is closed, django's ValidationError for bad values and for a study id that is
    taken, also by somebody who is being enrolled at this moment.
    """
    if lock_trial_shared(trial).status == Trial.Status.CLOSED:
        raise EnrolmentError(f"Trial {trial.code} is closed: nobody can be enrolled any more.")
    participant = Participant(
        trial=trial,
        study_id=study_id,
        time_zone=time_zone or trial.time_zone,
        site=site,
        status=status,
        monitoring_starts_on=monitoring_starts_on,
        monitoring_ends_on=monitoring_ends_on,
        arm=arm,
    )
    participant.full_clean()
    try:
        with transaction.atomic():
            participant.save()
    except IntegrityError as error:
        raise ValidationError({"study_id": STUDY_ID_TAKEN}) from error
    new: dict[str, Any] = {
        "status": status,
        "time_zone": participant.time_zone,
        "site": site.code if site else None,
        "arm": arm,
    }
    new |= {"monitoring_starts_on": monitoring_starts_on, "monitoring_ends_on": monitoring_ends_on}
    record("participant.enrol", participant=participant, new=new)
    participant_changed(participant)
    return participant


@transaction.atomic
def participant_begin(participant: Participant, *, reason: str = "") -> None:
    """Begin participation without a connection, by files: from invited to active.

    Raises ValueError where they are not invited. Who connects becomes active by that.
    """
    lock_participant(participant)
    if participant.status != Participant.Status.INVITED:
        raise ValueError(f"{participant.study_id} is {participant.get_status_display()}, not invited.")
    participant.status = Participant.Status.ACTIVE
    participant.save(update_fields=["status"])
    record(
        "participant.begin", participant=participant, old={"status": "invited"}, new={"status": "active"}, reason=reason
    )
    participant_changed(participant)


# Those whose change is told at the end of changed_together; None: each is told at once.
_together: ContextVar[list[Participant] | None] = ContextVar("together", default=None)


@contextmanager
def changed_together() -> Iterator[None]:
    """Inside, participants' changes are told once at the end (hooks.participants_changed), for the sake of many.

    To be used inside a transaction; an exception tells nobody.
    """
    changed: list[Participant] = []
    token = _together.set(changed)
    try:
        yield
    finally:
        _together.reset(token)
    if changed:
        for tell in hooks.participants_changed:
            tell(changed)


def participant_changed(participant: Participant) -> None:
    """Tell whoever evaluates days that what counts of this participant may have changed (hooks.participant_changed)."""
    if (waiting := _together.get()) is not None:
        waiting.append(participant)
        return
    for tell in hooks.participant_changed:
        tell(participant)


@transaction.atomic
def pause_begin(participant: Participant, *, starts_on: dt.date, reason: str, ends_on: dt.date | None = None) -> Pause:
    """Days that do not count, from a date on; without an end until pause_end.

    Raises ValueError where a pause covers some of the days already, and of somebody erased; django's ValidationError
    for bad values.
    """
    lock_participant(participant)
    if participant.status == Participant.Status.ERASED:
        raise ValueError(f"{participant.study_id} was erased.")
    later = participant.pauses.exclude(ends_on__lt=starts_on)
    if ends_on:
        later = later.filter(starts_on__lte=ends_on)
    if later.exists():
        raise ValueError(f"{participant.study_id} is paused then already.")
    pause = Pause(participant=participant, starts_on=starts_on, ends_on=ends_on, reason=reason)
    pause.full_clean()
    pause.save()
    record("pause.begin", participant=participant, new={"starts_on": starts_on, "ends_on": ends_on}, reason=reason)
    participant_changed(participant)
    return pause


@transaction.atomic
def pause_end(participant: Participant, *, ends_on: dt.date, reason: str = "") -> Pause:
    """End the open pause with a day, its last; a status of paused becomes active.

    Raises ValueError where none is open, django's ValidationError where it would end before it starts.
    """
    lock_participant(participant)
    pause: Pause | None = participant.pauses.filter(ends_on=None, withdrawn=False).order_by("-starts_on").first()
    if pause is None:
        raise ValueError(f"{participant.study_id} has no open pause.")
    pause.ends_on = ends_on
    pause.full_clean()
    pause.save(update_fields=["ends_on"])
    if participant.status == Participant.Status.PAUSED:
        participant.status = Participant.Status.ACTIVE
        participant.save(update_fields=["status"])
    new = {"starts_on": pause.starts_on, "ends_on": ends_on}
    record("pause.end", participant=participant, new=new, reason=reason)
    participant_changed(participant)
    return pause


def left_already(participant: Participant) -> str:
    """The status of somebody who takes part no more, with the day where there is one."""
    on = participant.withdrawn_on if participant.status == Participant.Status.WITHDRAWN else None
    return participant.get_status_display() + (f" from {on} on" if on else "")


@transaction.atomic
def participant_withdraw(participant: Participant, *, on: dt.date, reason: str = "") -> None:
    """Withdraw a participant from the trial: that day and those after it no longer count. What came before is kept.

    Raises ValueError where they have left it already, django's ValidationError for a day out of all bounds.
    """
    lock_participant(participant)
    if participant.status in (Participant.Status.WITHDRAWN, Participant.Status.ERASED):
        raise ValueError(f"{participant.study_id} is {left_already(participant)} already.")
    check_day(on)
    before = {"status": participant.status, "withdrawn_on": participant.withdrawn_on}
    participant.status, participant.withdrawn_on = Participant.Status.WITHDRAWN, on
    participant.save(update_fields=["status", "withdrawn_on"])
    hooks.left(participant)
    after = {"status": participant.status, "withdrawn_on": on}
    record("participant.withdraw", participant=participant, old=before, new=after, reason=reason)
    participant_changed(participant)


@transaction.atomic
def participant_complete(participant: Participant, *, on: dt.date, reason: str = "") -> None:
    """Complete participation with a day, the last that counts; an earlier end that was set stays.

    Raises ValueError where they are done, or have left the trial.
    """
    lock_participant(participant)
    if participant.status in (Participant.Status.COMPLETED, Participant.Status.WITHDRAWN, Participant.Status.ERASED):
        raise ValueError(f"{participant.study_id} is {left_already(participant)} already.")
    before = {"status": participant.status, "monitoring_ends_on": participant.monitoring_ends_on}
    participant.status = Participant.Status.COMPLETED
    if participant.monitoring_ends_on is None or participant.monitoring_ends_on > on:
        participant.monitoring_ends_on = on
    participant.full_clean()
    participant.save(update_fields=["status", "monitoring_ends_on"])
    after = {"status": participant.status, "monitoring_ends_on": participant.monitoring_ends_on}
    record("participant.complete", participant=participant, old=before, new=after, reason=reason)
    participant_changed(participant)
