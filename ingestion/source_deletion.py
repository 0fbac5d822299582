"""Deletion by source, as far as it concerns ingestion: nothing is deleted that would come again by itself."""

from __future__ import annotations

from django.db import transaction

from ingestion.live_providers import providers
from ingestion.models import Connection
from metrics.corrections.data_deletion import DeletionRefused, Selection, deletion_start
from metrics.models import SourceDeletion
from participants.locks import lock_participant
from participants.models import User

BRINGS = (Connection.Status.ACTIVE, Connection.Status.RECONNECT)


@transaction.atomic
def delete_of_source(selection: Selection, *, by: User | None, reason: str) -> SourceDeletion:
    """Delete what a source brought. Raises DeletionRefused, also while a connection or a synthetic device would bring
    it again; django's ValidationError."""
    lock_participant(selection.participant)
    if why := would_come_again(selection):
        raise DeletionRefused(why)
    return deletion_start(selection, by=by, reason=reason)


def would_come_again(selection: Selection) -> str:
    """Reason why what is deleted would come again, and what to do; empty where it would not."""
    slugs = [provider.slug for provider in providers() if provider.source_provider == selection.source.provider]
    if selection.participant.connections.filter(provider__in=slugs, status__in=BRINGS).exists():
        return "Their account is connected and would bring it again: disconnect it first."
    if selection.participant.synthetic_devices.filter(provider=selection.source.provider).exists():
        return "A synthetic device would bring it again: delete the device first."
    return ""
