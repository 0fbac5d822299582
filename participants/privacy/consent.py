"""Consent: which version a participant agreed to, and what follows when they take it back."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils import timezone

from participants.audit import record
from participants.locks import lock_participant
from participants.models import Consent, ConsentDocument, Participant, Trial
from participants.services import participant_withdraw
from participants.services.participation import left_already
from participants.services.reinstatement import consent_given_again
from participants.user_input import check_instant


@transaction.atomic
def document_add(trial: Trial, *, version: str, title: str, effective_on: dt.date, text: str = "") -> ConsentDocument:
    """A new version of what participants agree to. Raises django's ValidationError."""
    document = ConsentDocument(trial=trial, version=version, title=title, text=text, effective_on=effective_on)
    document.full_clean()
    document.save()
    record("consent_document.add", trial=trial, thing=f"consent:{version}", new={"title": title, "on": effective_on})
    return document


def document_in_force(trial: Trial, on: dt.date) -> ConsentDocument | None:
    """The version that participants are asked to agree to on a date; None where the trial keeps none here."""
    return trial.consent_documents.filter(effective_on__lte=on).order_by("-effective_on", "-pk").first()


@transaction.atomic
def consent_give(
    participant: Participant, document: ConsentDocument, *, how: str, given_at: dt.datetime | None = None
) -> Consent:
    """Keep that they agreed to a version; agreeing to it again changes nothing.

    Raises ValueError for another trial's document, for somebody who left and for an instant that is still to come,
    django's ValidationError for one that is out of all bounds.
    """
    if document.trial_id != participant.trial_id:
        raise ValueError("This document belongs to another trial.")
    lock_participant(participant)
    if participant.status in (Participant.Status.WITHDRAWN, Participant.Status.ERASED):
        raise ValueError(f"{participant.study_id} has left the trial.")
    at = given_at or timezone.now()
    check_instant(at)
    if at > timezone.now():
        raise ValueError("They cannot have agreed in the future.")
    consent_and_made: tuple[Consent, bool] = Consent.objects.get_or_create(
        participant=participant, document=document, withdrawn_at=None, defaults={"how": how, "given_at": at}
    )
    consent, made = consent_and_made
    if made:
        new = {"version": document.version, "how": how, "given_at": at}
        record("consent.give", participant=participant, thing=f"consent:{document.version}", new=new)
        consent_given_again(participant, at)
    return consent


def consent_missing(participant: Participant, on: dt.date) -> ConsentDocument | None:
    """The version in force that a participant has not agreed to; None if they have, or if the trial keeps none here."""
    document = document_in_force(participant.trial, on)
    if document and not participant.consents.filter(document=document, withdrawn_at=None).exists():
        return document
    return None


@transaction.atomic
def consent_withdraw(participant: Participant, *, on: dt.date, reason: str = "") -> None:
    """Withdraw consent: the participant leaves the trial, nothing is asked of their device's maker any more,
    the grant is ended there, and their record is frozen. What was measured before is kept; deleting it is an erasure.

    Raises ValueError where they have left already and there is no consent left to be taken back.
    """
    lock_participant(participant)
    now = timezone.now()
    open_ones = list(participant.consents.select_for_update().filter(withdrawn_at=None).order_by("pk"))
    gone = participant.status in (Participant.Status.WITHDRAWN, Participant.Status.ERASED)
    if gone and not open_ones:
        raise ValueError(f"{participant.study_id} is {left_already(participant)} already.")
    for consent in open_ones:
        consent.withdrawn_at = max(now, consent.given_at)
        consent.save(update_fields=["withdrawn_at"])
    versions = [consent.document.version for consent in open_ones]
    record("consent.withdraw", participant=participant, new={"on": on, "versions": versions}, reason=reason)
    if not gone:
        participant_withdraw(participant, on=on)
