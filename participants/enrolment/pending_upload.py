"""Files to enrol that wait between their preview and their confirmation: sealed where they hold contact data.

They are kept apart from the sessions of those who uploaded them, so that an erasure finds them.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import transaction

from participants.models import EnrolmentDraft, Trial, User
from participants.privacy import encryption


@transaction.atomic
def keep(trial: Trial, user: User, text: str, *, contacts: bool) -> EnrolmentDraft:
    """Keep a file for its user, in place of the one that waited before. Raises ImproperlyConfigured without a key."""
    forget(user)
    return EnrolmentDraft.objects.create(
        trial=trial, user=user, sealed=contacts, text=encryption.seal(text) if contacts else text
    )


def waiting(user: User, pk: object) -> EnrolmentDraft | None:
    """The user's file of this number, held until the transaction ends; None where it is gone."""
    held = EnrolmentDraft.objects.select_for_update(of=("self",)).select_related("trial")
    return held.filter(user=user, pk=pk).first() if isinstance(pk, int) else None


def text_of(draft: EnrolmentDraft) -> str:
    """Its text. Raises encryption.CannotOpen."""
    return encryption.unseal(draft.text) if draft.sealed else draft.text


def forget(user: User) -> None:
    """Delete what waits of a user's."""
    EnrolmentDraft.objects.filter(user=user).delete()


def clear(now: dt.datetime) -> int:
    """Delete what was not confirmed while a session lasts. Returns how many."""
    over = EnrolmentDraft.objects.filter(made_at__lt=now - dt.timedelta(hours=settings.SESSION_HOURS))
    return over.delete()[0]
