"""Pending uploads: enrolment files between preview and confirmation, encrypted where they hold contact data.

They are kept apart from the sessions of those who uploaded them, so that an erasure finds them.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import transaction

from participants.models import EnrolmentPreview, Trial, User
from participants.privacy import encryption


@transaction.atomic
def keep(trial: Trial, user: User, text: str, *, contacts: bool) -> EnrolmentPreview:
    """Keep a file for its user, in place of the one that waited before. Raises ImproperlyConfigured without a key."""
    forget(user)
    return EnrolmentPreview.objects.create(
        trial=trial, user=user, encrypted=contacts, text=encryption.encrypt(text) if contacts else text
    )


def waiting(user: User, pk: object) -> EnrolmentPreview | None:
    """The user's file of this number, held until the transaction ends; None where it is gone."""
    held = EnrolmentPreview.objects.select_for_update(of=("self",)).select_related("trial")
    return held.filter(user=user, pk=pk).first() if isinstance(pk, int) else None


def text_of(preview: EnrolmentPreview) -> str:
    """Its text. Raises encryption.CannotDecrypt."""
    return encryption.decrypt(preview.text) if preview.encrypted else preview.text


def forget(user: User) -> None:
    """Delete what waits of a user's."""
    EnrolmentPreview.objects.filter(user=user).delete()


def clear(now: dt.datetime) -> int:
    """Delete what was not confirmed while a session lasts. Returns how many."""
    over = EnrolmentPreview.objects.filter(made_at__lt=now - dt.timedelta(hours=settings.SESSION_HOURS))
    return over.delete()[0]
