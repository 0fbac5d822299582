"""Invitations: the links by which participants connect their accounts, made, cancelled and opened."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core import signing
from django.db import transaction

from ingestion import live_providers
from ingestion.models import Invitation
from ingestion.models.connections import TAKING_PART
from participants.audit import record
from participants.locks import lock_participant
from participants.models import Participant, Trial, User

SALT = "ingestion.invitation"


class InvitationRefused(Exception):
    """Refusal of a link: `code` is a case of the page texts; `participant`, where it is known whose link it is."""

    def __init__(self, code: str, participant: Participant | None = None) -> None:
        super().__init__(code)
        self.code, self.participant = code, participant


# --- invitations -----------------------------------------------------------------------------------------------


def invitation_create(*, participant: Participant, by: User | None, now: dt.datetime) -> Invitation:
    """Create a link for a participant; earlier ones stop working. Raises ValueError where they cannot connect."""
    if not participant.trial.is_demo and any(provider.synthetic for provider in live_providers.providers()):
        raise ValueError("A simulator plays the vendor on this site: only participants of demo trials can be invited.")
    with transaction.atomic():
        lock_participant(participant)
        if code := refusal(participant, now):
            raise ValueError(f"{participant.study_id} cannot be invited: {_WHY[code].format(participant)}")
        participant.invitations.filter(cancelled_at=None, used_at=None).update(cancelled_at=now)
        made = Invitation.objects.create(
            participant=participant,
            created_by=by,
            created_at=now,
            expires_at=now + dt.timedelta(days=settings.INVITATION_DAYS),
        )
        record("invitation.create", participant=participant, thing=f"invitation:{made.pk}")
        return made


@transaction.atomic
def invitation_cancel(invitation: Invitation, *, now: dt.datetime) -> None:
    """Cancel a link; one that is cancelled stays so. Raises ValueError where it was used."""
    lock_participant(invitation.participant)
    held = Invitation.objects.select_for_update().get(pk=invitation.pk)
    if held.used_at:
        raise ValueError("They have connected with it already: disconnect them instead.")
    if held.cancelled_at is None:
        held.cancelled_at = now
        held.save(update_fields=["cancelled_at"])
        record("invitation.cancel", participant=invitation.participant, thing=f"invitation:{invitation.pk}")
    invitation.cancelled_at = held.cancelled_at


def invitation_code(invitation: Invitation) -> str:
    """Signed text that stands in the link."""
    return signing.dumps([invitation.pk, invitation.nonce], salt=SALT)


def invitation_open(code: str, *, now: dt.datetime) -> Invitation:
    """Invitation behind a link, its first opening noted. Raises InvitationRefused."""
    try:
        pk, nonce = signing.loads(code, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        raise InvitationRefused("unknown") from None
    invitation = (
        Invitation.objects.select_related("participant__trial", "participant__contact")
        .filter(pk=pk, nonce=nonce)
        .first()
    )
    if invitation is None:
        raise InvitationRefused("unknown")
    if code := refusal(invitation.participant, now) or _stale(invitation, now):
        raise InvitationRefused(code, invitation.participant)
    if invitation.opened_at is None:
        invitation.opened_at = now
        Invitation.objects.filter(pk=pk, opened_at=None).update(opened_at=now)
    return invitation


def refusal(participant: Participant, now: dt.datetime) -> str:
    """Reason why a participant cannot connect, as things stand in what is given; "": they can.

    `left`: they take part no more; `study_over`: the trial was closed, or its last day is over where they live. Their
    own monitoring may be over: what the vendor has of it can still be had.
    """
    trial = participant.trial
    if participant.status not in TAKING_PART:
        return "left"
    today = now.astimezone(ZoneInfo(participant.time_zone)).date()
    over = trial.status == Trial.Status.CLOSED or (trial.ends_on is not None and trial.ends_on < today)
    return "study_over" if over else ""


_WHY = {
    "left": "they are {0.status}.",
    "study_over": "trial {0.trial} is over.",
}


def _stale(invitation: Invitation, now: dt.datetime) -> str:
    if invitation.cancelled_at:
        return "cancelled"
    return "expired" if invitation.expires_at <= now else ""
