"""Every change of who takes part, with its rules. Admin, pages, imports and commands call these."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils.module_loading import import_string

from participants.audit import changes, record
from participants.leaving import left
from participants.models import Participant, Pause, Protocol, Site, Trial


class EnrolmentError(Exception):
    """The participant cannot be enrolled; the message says why and is fit to show."""


@transaction.atomic
def trial_create(
    *,
    code: str,
    title: str,
    time_zone: str = "UTC",
    is_demo: bool = False,
    status: str = Trial.Status.DRAFT,
    starts_on: dt.date | None = None,
    ends_on: dt.date | None = None,
) -> Trial:
    """A trial with version 1 of its protocol, all thresholds at their defaults.

    Raises django's ValidationError for bad values.
    """
    trial = Trial(
        code=code,
        title=title,
        time_zone=time_zone,
        is_demo=is_demo,
        status=status,
        starts_on=starts_on,
        ends_on=ends_on,
    )
    trial.full_clean()
    trial.save()
    protocol_first(trial)
    record("trial.create", trial=trial, new={"code": code, "title": title, "status": status, "time_zone": time_zone})
    return trial


def protocol_first(trial: Trial) -> Protocol:
    """Version 1 with default thresholds, in force from the trial's first day (or from ever, if it has none)."""
    return Protocol.objects.create(trial=trial, version=1, effective_on=trial.starts_on or dt.date(2000, 1, 1))


@transaction.atomic
def protocol_revise(protocol: Protocol, *, today: dt.date, retroactive: bool = False) -> Protocol:
    """Store the next version of a trial's protocol, given unsaved: it gets the next number.

    Raises ValueError where it would begin before tomorrow: days that are past were judged by their own rules. With
    `retroactive` it may; the caller then has them judged anew (metrics.recomputes), which says what that changed.
    """
    if protocol.effective_on <= today and not retroactive:
        raise ValueError("A new version begins tomorrow at the earliest.")
    latest = Protocol.objects.filter(trial=protocol.trial).aggregate(latest=Max("version"))["latest"]
    before = protocol.trial.protocols.order_by("-version").values().first() or {}
    protocol.version = (latest or 0) + 1
    protocol.save()
    old, new = changes(before, {name: getattr(protocol, name) for name in before if name != "id"})
    record("protocol.revise", trial=protocol.trial, thing=f"protocol:{protocol.version}", old=old, new=new)
    return protocol


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

    Raises EnrolmentError if the trial is closed, django's ValidationError for bad values.
    """
    if trial.status == Trial.Status.CLOSED:
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
    participant.save()
    new = {"status": status, "time_zone": participant.time_zone, "site": site.code if site else None, "arm": arm}
    record("participant.enrol", participant=participant, new=new)
    participant_changed(participant)
    return participant


def participant_changed(participant: Participant) -> None:
    """Tell whoever judges days that what counts of this participant may have changed (settings.PARTICIPANT_CHANGED)."""
    if settings.PARTICIPANT_CHANGED:
        import_string(settings.PARTICIPANT_CHANGED)(participant)


@transaction.atomic
def pause_begin(participant: Participant, *, starts_on: dt.date, reason: str, ends_on: dt.date | None = None) -> Pause:
    """Days that do not count, from a date on; without an end until pause_end.

    Raises ValueError where a pause covers that day already, django's ValidationError for bad values.
    """
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
def pause_end(participant: Participant, *, ends_on: dt.date) -> Pause:
    """End the open pause with a day, its last; a status of paused becomes active.

    Raises ValueError where none is open, django's ValidationError where it would end before it starts.
    """
    pause: Pause | None = participant.pauses.filter(ends_on=None).order_by("-starts_on").first()
    if pause is None:
        raise ValueError(f"{participant.study_id} has no open pause.")
    pause.ends_on = ends_on
    pause.full_clean()
    pause.save(update_fields=["ends_on"])
    if participant.status == Participant.Status.PAUSED:
        participant.status = Participant.Status.ACTIVE
        participant.save(update_fields=["status"])
    record("pause.end", participant=participant, new={"starts_on": pause.starts_on, "ends_on": ends_on})
    participant_changed(participant)
    return pause


@transaction.atomic
def participant_withdraw(participant: Participant, *, on: dt.date) -> None:
    """She leaves the trial: that day and those after it no longer count. What came before is kept."""
    before = {"status": participant.status, "withdrawn_on": participant.withdrawn_on}
    participant.status, participant.withdrawn_on = Participant.Status.WITHDRAWN, on
    participant.save(update_fields=["status", "withdrawn_on"])
    left(participant)
    record("participant.withdraw", participant=participant, old=before, new={"status": "withdrawn", "withdrawn_on": on})
    participant_changed(participant)


@transaction.atomic
def participant_complete(participant: Participant, *, on: dt.date) -> None:
    """Her part is done with a day, her last that counts; an earlier end that was set stays."""
    before = {"status": participant.status, "monitoring_ends_on": participant.monitoring_ends_on}
    participant.status = Participant.Status.COMPLETED
    if participant.monitoring_ends_on is None or participant.monitoring_ends_on > on:
        participant.monitoring_ends_on = on
    participant.full_clean()
    participant.save(update_fields=["status", "monitoring_ends_on"])
    after = {"status": participant.status, "monitoring_ends_on": participant.monitoring_ends_on}
    record("participant.complete", participant=participant, old=before, new=after)
    participant_changed(participant)
