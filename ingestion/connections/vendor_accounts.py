"""Ownership of vendor accounts: putting right what was connected by mistake, or has changed.

An account serves one participant of a trial. It is free again when its participant has left the trial; before, when a
manager releases it. A participant keeps their account until a manager allows a new one; data of the new one are asked
for from that moment on, so that nothing the old one brought is replaced by what the new one does not have.
"""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import Q

from ingestion.connections import grants
from ingestion.models import Connection, ConnectionEvent
from ingestion.models.connections import TAKING_PART
from participants.audit import record
from participants.locks import lock_participant
from participants.models import Participant


class AccountFixed(ValueError):
    """Refusal to change an account's owner; the message says why and is fit to show."""


def account_release(connection: Connection, *, reason: str, now: dt.datetime) -> None:
    """Let another participant connect an account that is no longer used. Raises AccountFixed while it is used.

    Their data stay with them; they may connect with any account again, theirs too if it is still free.
    """
    with transaction.atomic():
        lock_participant(connection.participant)
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        if row.status in (Connection.Status.ACTIVE, Connection.Status.RECONNECT):
            raise AccountFixed("The account is connected: disconnect it first.")
        if not row.external_user_id:
            raise AccountFixed("No account is known of this participant.")
        _release(row, "released", reason, now)


def account_change_allow(connection: Connection, *, reason: str, now: dt.datetime) -> None:
    """Let a participant connect with another account than before; the one there is is disconnected.

    From now on data are asked of the new account alone; what the old one brought stays. Raises AccountFixed where no
    account is known.
    """
    if not connection.external_user_id:
        raise AccountFixed("No account is known of this participant: they can connect with any.")
    if connection.status in (Connection.Status.ACTIVE, Connection.Status.RECONNECT):
        grants.disconnect(connection, reason="account_change", now=now)
    with transaction.atomic():
        lock_participant(connection.participant)
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        if row.status in (Connection.Status.ACTIVE, Connection.Status.RECONNECT):
            raise AccountFixed("They have connected again meanwhile.")
        row.account_since = now
        row.save(update_fields=["account_since"])
        _release(row, "account_change", reason, now)


def free_account(participant: Participant, provider: str, user_id: str, now: dt.datetime) -> None:
    """Release an account for a participant where whoever had it has left the trial. In the caller's transaction."""
    rows = Connection.objects.filter(
        trial=participant.trial, provider=provider, external_user_id=user_id, status=Connection.Status.REVOKED
    ).exclude(Q(participant__status__in=TAKING_PART) | Q(participant=participant))
    for row in rows.select_for_update(no_key=True, of=("self",)):
        _release(row, "released", "its participant has left the trial", now)


def _release(row: Connection, event: str, reason: str, now: dt.datetime) -> None:
    # A grant that is still to be given back would end that of whoever connects the account next: there is one of it.
    row.external_user_id, row.encrypted_tokens, row.give_back_at = "", "", None
    row.save(update_fields=["external_user_id", "encrypted_tokens", "give_back_at"])
    ConnectionEvent.objects.create(connection=row, at=now, status=row.status, reason=event)
    thing = f"connection:{row.provider}"
    record("connection.release_account", participant=row.participant, thing=thing, new={"event": event}, reason=reason)
