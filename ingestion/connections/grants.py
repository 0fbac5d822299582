"""Grants of connections: refreshed, lost, ended and given back to the vendor.

Tokens leave this module only into a provider's call; they are stored encrypted and never logged.
"""

from __future__ import annotations

import datetime as dt
import json
import logging

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ingestion import live_providers, prometheus
from ingestion.models import Connection, ConnectionEvent, SyncWindow
from ingestion.providers.base.errors import AccessGone, ClientMisconfigured, VendorError
from ingestion.providers.base.live import LiveProvider
from metrics.monitoring import evaluation
from participants.audit import record
from participants.locks import lock_participant, lock_trial_shared
from participants.models import Participant
from participants.privacy import encryption

log = logging.getLogger(__name__)

# A token that runs out within this is refreshed beforehand.
SPARE = dt.timedelta(seconds=60)
# A vendor that does not take a grant back is asked again: after a minute, later ever more rarely, up to six hours.
GIVE_BACK_SOON, GIVE_BACK_LATE = dt.timedelta(minutes=1), dt.timedelta(hours=6)
GIVE_BACK_FOR = dt.timedelta(days=30)
GIVE_BACK_AT_ONCE = 50


def set_status(connection: Connection, status: str, reason: str, now: dt.datetime) -> None:
    """Give a connection, whose row is held, a status; recorded in its history and the audit trail. Saving is left."""
    before = connection.status
    connection.status, connection.status_since, connection.status_reason = status, now, reason
    ConnectionEvent.objects.create(connection=connection, at=now, status=status, reason=reason)
    record(
        "connection.change",
        participant=connection.participant,
        thing=f"connection:{connection.provider}",
        old={"status": before},
        new={"status": status, "reason": reason},
    )


def in_use(provider: str, user_id: str, *, besides: int | None = None) -> bool:
    """Whether an account serves another live connection, in whatever trial: its grant is one and the same."""
    live_ones = Connection.objects.filter(provider=provider, external_user_id=user_id, status=Connection.Status.ACTIVE)
    return any(pk != besides for pk in live_ones.values_list("pk", flat=True))


def asks_still(connection: Connection) -> bool:
    """Lock participant, trial and connection for what is about to be written of them, and check once more.

    False where the vendor may not be asked for them any more: what it has answered is not ours. In a transaction.
    """
    lock_participant(connection.participant)
    lock_trial_shared(connection.trial_id)
    return Connection.asking().select_for_update(no_key=True, of=("self",)).filter(pk=connection.pk).exists()


def encrypt_tokens(connection: Connection, access: str, refresh: str, expires_at: dt.datetime) -> None:
    """Give a connection, whose row is held, its tokens. Saving is left."""
    connection.encrypted_tokens = encryption.encrypt(json.dumps([access, refresh]))
    connection.token_expires_at = expires_at


def fresh_token(connection: Connection, provider: LiveProvider, *, refused: str = "") -> str:
    """Access token that should be good; refreshed under a lock of the row, so that many workers refresh once.

    `refused`: a token that the vendor no longer takes, although its time is not up. Raises AccessGone where the
    grant is dead, ClientMisconfigured where our own credentials are, VendorBusy and BrokenResponse.
    """
    with transaction.atomic():
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        # Those of a connection that has ended are kept only to be given back.
        if not row.encrypted_tokens or row.status == Connection.Status.REVOKED:
            raise AccessGone(AccessGone.EXPIRED_GRANT)
        access, refresh = json.loads(encryption.decrypt(row.encrypted_tokens))
        good = row.token_expires_at is not None and row.token_expires_at - SPARE > timezone.now()
        if good and access != refused:
            return str(access)
        grant = provider.refresh(refresh)
        encrypt_tokens(row, grant.access_token, grant.refresh_token or refresh, grant.expires_at)
        row.save(update_fields=["encrypted_tokens", "token_expires_at"])
    return grant.access_token


def lost(connection: Connection, code: str, *, now: dt.datetime) -> None:
    """Mark a connection whose access the vendor has ended: nothing is asked any more; what is due is kept for a
    reconnect."""
    with transaction.atomic():
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        if row.status != Connection.Status.ACTIVE:
            return
        set_status(row, Connection.Status.RECONNECT, code, now)
        row.next_due_at = None
        row.save(update_fields=["status", "status_since", "status_reason", "next_due_at"])
        prometheus.token_failed(row.provider)
    evaluation.refresh(row.participant, now=now)
    log.info("connection %s needs to be reconnected: %s", connection.pk, code)


def scope_lost(connection: Connection, scope: str, *, now: dt.datetime) -> None:
    """Take a scope off a connection whose participant no longer allows it; the history says since when."""
    with transaction.atomic():
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        if scope not in row.scopes or row.status != Connection.Status.ACTIVE:
            return
        row.scopes = [granted for granted in row.scopes if granted != scope]
        row.save(update_fields=["scopes"])
        ConnectionEvent.objects.create(connection=row, at=now, status=row.status, reason=AccessGone.SCOPE_MISSING)
        thing = f"connection:{row.provider}"
        record("connection.change", participant=row.participant, thing=thing, new={"scope_missing": scope})
    evaluation.refresh(row.participant, now=now)


def let_go(participant: Participant) -> None:
    """End the links and grants of participants who have left the trial; nothing is asked any more."""
    now = timezone.now()
    participant.invitations.filter(cancelled_at=None).update(cancelled_at=now)
    for connection in participant.connections.exclude(status=Connection.Status.REVOKED):
        disconnect(connection, reason="left", now=now)


def disconnect(connection: Connection, *, reason: str, now: dt.datetime) -> bool:
    """End the connection here at once, and the grant at the vendor's. Returns whether that has ended too.

    Here comes first: from this moment nothing is asked, whatever the vendor answers; where it does not, it is asked
    again until it has (give_back). One that has ended already stays as it is.
    """
    end(connection, reason=reason, now=now)
    return give_back(connection.pk, now=now)


def end(connection: Connection, *, reason: str, now: dt.datetime) -> None:
    """End a connection here. Its grant remains to be given back."""
    with transaction.atomic():
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        if row.status == Connection.Status.REVOKED:
            return
        row.token_expires_at, row.next_due_at = None, None
        row.give_back_at = now if row.encrypted_tokens else None
        set_status(row, Connection.Status.REVOKED, reason, now)
        row.save()
        SyncWindow.objects.filter(connection=row, state=SyncWindow.State.DUE).delete()
    evaluation.refresh(row.participant, now=now)


def give_back(connection_id: int, *, now: dt.datetime) -> bool:
    """End the grant of a connection that has ended. Returns whether there is none left.

    A grant that also serves another trial's connection of the same account is left to that one: the vendor knows one
    grant an account. A vendor that does not answer is asked again later (`give_back_at`), for GIVE_BACK_FOR at most:
    after that the tokens are deleted all the same.
    """
    row = (
        Connection.objects.filter(pk=connection_id, status=Connection.Status.REVOKED)
        .exclude(encrypted_tokens="")
        .first()
    )
    if row is None:
        return True
    try:
        if not in_use(row.provider, row.external_user_id, besides=row.pk):
            live_providers.provider(row.provider).revoke(json.loads(encryption.decrypt(row.encrypted_tokens))[1])
    except AccessGone:
        pass  # it was ended there
    except (VendorError, ClientMisconfigured, encryption.CannotDecrypt, KeyError) as error:
        code = getattr(error, "code", type(error).__name__)
        log.warning("connection %s: the grant could not be ended at the vendor's: %s", row.pk, code)
        if now - row.status_since < GIVE_BACK_FOR:
            wait = min(max((now - row.status_since) / 2, GIVE_BACK_SOON), GIVE_BACK_LATE)
            _ended(row).update(give_back_at=now + wait)
            return False
        log.error("connection %s: its tokens were deleted, though the grant may still stand there", row.pk)
    _ended(row).update(encrypted_tokens="", give_back_at=None)
    return True


def _ended(row: Connection) -> QuerySet[Connection]:
    """Row of a connection that has ended, unless it was connected anew meanwhile."""
    return Connection.objects.filter(pk=row.pk, status=Connection.Status.REVOKED, encrypted_tokens=row.encrypted_tokens)


def give_back_due(now: dt.datetime) -> list[int]:
    """Ids of connections whose grants are to be given back now; each is handed out once in GIVE_BACK_LATE."""
    due = Connection.objects.filter(give_back_at__lte=now).order_by("give_back_at")
    pks = list(due.values_list("pk", flat=True)[:GIVE_BACK_AT_ONCE])
    Connection.objects.filter(pk__in=pks).update(give_back_at=now + GIVE_BACK_LATE)
    return pks
