"""Every change of who takes part, with its rules. Admin, pages, imports and commands call these."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import Max

from participants.models import Participant, Protocol, Site, Trial


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
    return trial


def protocol_first(trial: Trial) -> Protocol:
    """Version 1 with default thresholds, in force from the trial's first day (or from ever, if it has none)."""
    return Protocol.objects.create(trial=trial, version=1, effective_on=trial.starts_on or dt.date(2000, 1, 1))


@transaction.atomic
def protocol_revise(protocol: Protocol, *, today: dt.date) -> Protocol:
    """Store the next version of a trial's protocol, given unsaved: it gets the next number.

    Raises ValueError where it would begin before tomorrow: days that are past were judged by their own rules.
    """
    if protocol.effective_on <= today:
        raise ValueError("A new version begins tomorrow at the earliest.")
    latest = Protocol.objects.filter(trial=protocol.trial).aggregate(latest=Max("version"))["latest"]
    protocol.version = (latest or 0) + 1
    protocol.save()
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
    return participant
