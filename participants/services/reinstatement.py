"""Reinstatement: undoing a withdrawal that was a mistake, by two people.

They take part again as somebody who is invited: consent that was taken back is asked anew, links and grants that ended
stay ended. The days from the withdrawal to the new consent (where the trial keeps none: to the day before the undoing)
stay excluded, and nothing of them is collected: they had left, and nobody had their word.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from participants.audit import record
from participants.locks import lock_participant
from participants.models import Consent, Participant, Pause, Reinstatement, Trial, User
from participants.services import participant_changed

ONE_DAY = dt.timedelta(days=1)
REASON = "withdrawn; the withdrawal was undone"


class ReinstatementRefused(ValueError):
    """Refusal: this user cannot ask for or decide it now. The message is fit to show."""


@transaction.atomic
def reinstatement_request(participant: Participant, *, by: User, reason: str) -> Reinstatement:
    """Ask that a withdrawal be undone; another person decides. Raises ReinstatementRefused, ValidationError."""
    lock_participant(participant)
    _check(participant)
    if participant.reinstatements.filter(state=Reinstatement.State.ASKED).exists():
        raise ReinstatementRefused("It was requested already: another person decides.")
    row = Reinstatement(participant=participant, asked_by=by, reason=reason.strip())
    row.full_clean(exclude=["decided_by", "decided_at"])
    row.save()
    record("reinstatement.ask", participant=participant, thing=f"reinstatement:{row.pk}", reason=row.reason)
    return row


@transaction.atomic
def reinstatement_decide(row: Reinstatement, *, by: User, approve: bool, now: dt.datetime | None = None) -> None:
    """Undo the withdrawal, or refuse to. Raises ReinstatementRefused where it was decided, or by who asked."""
    now = now or timezone.now()
    participant = row.participant
    lock_participant(participant)
    row = Reinstatement.objects.select_for_update().get(pk=row.pk)
    if row.state != Reinstatement.State.ASKED:
        raise ReinstatementRefused(f"It is {row.get_state_display()} already.")
    if approve and by.pk == row.asked_by_id:
        raise ReinstatementRefused("Another person than the one who asked must approve.")
    if approve:
        _check(participant)
    row.state = Reinstatement.State.APPROVED if approve else Reinstatement.State.REFUSED
    row.decided_by, row.decided_at = by, now
    row.save(update_fields=["state", "decided_by", "decided_at"])
    verb = "reinstatement.approve" if approve else "reinstatement.refuse"
    record(verb, participant=participant, thing=f"reinstatement:{row.pk}", reason=row.reason)
    if approve:
        _undo(participant, now)


def _check(participant: Participant) -> None:
    if participant.status != Participant.Status.WITHDRAWN:
        raise ReinstatementRefused(f"{participant.study_id} is {participant.get_status_display()}, not withdrawn.")
    if participant.erasures.filter(state__in=("asked", "approved")).exists():
        raise ReinstatementRefused("Their erasure was requested: decide about that first.")
    if participant.trial.status == Trial.Status.CLOSED:
        raise ReinstatementRefused(f"Trial {participant.trial} is closed.")


def _undo(participant: Participant, now: dt.datetime) -> None:
    before = {"status": participant.status, "withdrawn_on": participant.withdrawn_on}
    today = now.astimezone(ZoneInfo(participant.time_zone)).date()
    first = participant.withdrawn_on or today
    # Who had agreed to something is asked again: until then nobody has their word.
    last = None if Consent.objects.filter(participant=participant).exists() else today - ONE_DAY
    if last is None or first <= last:
        Pause.objects.create(participant=participant, starts_on=first, ends_on=last, reason=REASON, withdrawn=True)
    participant.status, participant.withdrawn_on = Participant.Status.INVITED, None
    participant.save(update_fields=["status", "withdrawn_on"])
    after = {"status": participant.status, "withdrawn_on": None, "left_out_from": first, "left_out_to": last}
    record("participant.reinstate", participant=participant, old=before, new=after)
    participant_changed(participant)


def consent_given_again(participant: Participant, given_at: dt.datetime) -> None:
    """Renew consent from a day on: the days that are left out since a withdrawal end with the one before it."""
    day = given_at.astimezone(ZoneInfo(participant.time_zone)).date()
    for pause in participant.pauses.filter(withdrawn=True, ends_on=None):
        pause.ends_on = max(day - ONE_DAY, pause.starts_on)
        pause.save(update_fields=["ends_on"])
        participant_changed(participant)
