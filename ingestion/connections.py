"""A participant's connection to a vendor: invited, connected, refreshed, lost, disconnected.

Tokens leave this module only into a provider's call; they are stored sealed and never logged.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.utils import timezone

from ingestion import live, telemetry
from ingestion.models import Connection, ConnectionEvent, Device, DeviceReading, Invitation, SyncWindow
from ingestion.providers.base import (
    AccessGone,
    BrokenAnswer,
    ClientMisconfigured,
    DeviceState,
    Grant,
    LiveProvider,
    VendorError,
)
from metrics import verdicts
from participants import vault
from participants.audit import record
from participants.models import Participant, User

log = logging.getLogger(__name__)

SALT = "ingestion.invitation"
# A token that runs out within this is refreshed beforehand.
SPARE = dt.timedelta(seconds=60)


class InvitationRefused(Exception):
    """The link does not open: `code` is unknown, expired or cancelled."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ConnectRefused(Exception):
    """The consent cannot become a connection: `code` says why, for the page that the participant sees."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


# --- invitations -----------------------------------------------------------------------------------------------


def invitation_create(*, participant: Participant, by: User | None, now: dt.datetime) -> Invitation:
    """A new link for a participant; her earlier ones stop working. Raises ValueError where she cannot connect."""
    if participant.status in (Participant.Status.WITHDRAWN, Participant.Status.ERASED, Participant.Status.COMPLETED):
        raise ValueError(f"{participant.study_id} is {participant.get_status_display()}: she cannot be invited.")
    if not participant.trial.is_demo and any(provider.synthetic for provider in live.providers()):
        raise ValueError("A simulator plays the vendor on this site: only participants of demo trials can be invited.")
    with transaction.atomic():
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
    """Its link opens no more; one that is cancelled stays so. Raises ValueError where it was used."""
    held = Invitation.objects.select_for_update().get(pk=invitation.pk)
    if held.used_at:
        raise ValueError("She has connected with it already: disconnect her instead.")
    if held.cancelled_at is None:
        held.cancelled_at = now
        held.save(update_fields=["cancelled_at"])
        record("invitation.cancel", participant=invitation.participant, thing=f"invitation:{invitation.pk}")
    invitation.cancelled_at = held.cancelled_at


def invitation_code(invitation: Invitation) -> str:
    """The signed text that stands in the link."""
    return signing.dumps([invitation.pk, invitation.nonce], salt=SALT)


def invitation_open(code: str, *, now: dt.datetime) -> Invitation:
    """The invitation behind a link, its first opening noted. Raises InvitationRefused."""
    try:
        pk, nonce = signing.loads(code, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        raise InvitationRefused("unknown") from None
    invitation = Invitation.objects.select_related("participant__trial").filter(pk=pk, nonce=nonce).first()
    if invitation is None:
        raise InvitationRefused("unknown")
    if invitation.cancelled_at or invitation.participant.status in (
        Participant.Status.WITHDRAWN,
        Participant.Status.ERASED,
        Participant.Status.COMPLETED,
    ):
        raise InvitationRefused("cancelled")
    if invitation.expires_at <= now:
        raise InvitationRefused("expired")
    if invitation.opened_at is None:
        invitation.opened_at = now
        invitation.save(update_fields=["opened_at"])
    return invitation


# --- connecting ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    """A consent that became a connection. `missing`: data types that she did not allow."""

    connection: Connection
    missing: tuple[str, ...]
    devices: int


def connect(
    *, participant: Participant, provider: LiveProvider, grant: Grant, now: dt.datetime, invitation: Invitation | None
) -> Connected:
    """Turn a fresh grant into the participant's connection, or renew it.

    Raises ConnectRefused: nothing_allowed, no_refresh_token, other_account (she reconnects with another account than
    before), account_taken (another participant of the trial has it), no_device; and vendor errors as they are.
    A refused grant is given back to the vendor, unless the same account is connected elsewhere: that would end too.
    """
    scopes = sorted(grant.scopes or ())
    allowed = [t for t in provider.data_types.values() if t.scope in scopes]
    if not allowed:
        # Whose it is cannot be asked with it, and nothing else either: there is nothing to give back.
        raise ConnectRefused("nothing_allowed")
    if grant.refresh_token is None:
        raise ConnectRefused("no_refresh_token")
    user_id = provider.identity(grant.access_token).user_id
    taken = Connection.objects.filter(
        trial=participant.trial, provider=provider.slug, external_user_id=user_id
    ).exclude(participant=participant)
    if taken.exists():
        raise ConnectRefused("account_taken")
    mine = Connection.objects.filter(participant=participant, provider=provider.slug).first()
    if mine and mine.external_user_id not in ("", user_id):
        _give_back(provider, grant, user_id)
        raise ConnectRefused("other_account")
    devices = _devices(provider, grant)
    if devices is not None and not devices:
        _give_back(provider, grant, user_id)
        raise ConnectRefused("no_device")
    try:
        with transaction.atomic():
            connection = _connected(participant, provider, grant, scopes, user_id, now)
            _store_devices(connection, devices or [], now)
            if invitation:
                Invitation.objects.filter(pk=invitation.pk).update(used_at=now)
            if participant.status == Participant.Status.INVITED:
                Participant.objects.filter(pk=participant.pk).update(status=Participant.Status.ACTIVE)
    except IntegrityError:
        raise ConnectRefused("account_taken") from None
    # After the row's lock is gone: who stores data locks the participant first and this row then.
    verdicts.refresh(participant, now=now)
    missing = tuple(t.code for t in provider.data_types.values() if t not in allowed)
    return Connected(connection, missing, len(devices or []))


def _connected(
    participant: Participant, provider: LiveProvider, grant: Grant, scopes: list[str], user_id: str, now: dt.datetime
) -> Connection:
    connection, _ = Connection.objects.select_for_update().get_or_create(
        participant=participant, provider=provider.slug, defaults={"trial": participant.trial}
    )
    if connection.external_user_id not in ("", user_id):
        raise ConnectRefused("other_account")
    connection.external_user_id = user_id
    connection.scopes = scopes
    connection.connected_at = connection.connected_at or now
    connection.next_due_at, connection.busy_until, connection.swept_at = now, None, None
    _seal(connection, grant.access_token, grant.refresh_token or "", grant.expires_at)
    _set_status(connection, Connection.Status.ACTIVE, "connected", now)
    connection.save()
    return connection


def _devices(provider: LiveProvider, grant: Grant) -> list[DeviceState] | None:
    """The account's devices; None where she did not let us see them."""
    try:
        return provider.devices(grant.access_token)
    except AccessGone as gone:
        if gone.code == AccessGone.ACCOUNT_NOT_LINKED:
            return []
        return None


def in_use(provider: str, user_id: str, *, besides: int | None = None) -> bool:
    """Whether an account serves a live connection (but for one), in whatever trial: its grant is one and the same."""
    live_ones = Connection.objects.filter(provider=provider, external_user_id=user_id, status=Connection.Status.ACTIVE)
    return any(pk != besides for pk in live_ones.values_list("pk", flat=True))


def _give_back(provider: LiveProvider, grant: Grant, user_id: str) -> None:
    if in_use(provider.slug, user_id):
        return
    try:
        provider.revoke(grant.refresh_token or grant.access_token)
    except VendorError as error:
        log.warning("a refused grant could not be given back to %s: %s", provider.name, error.code)


def _store_devices(connection: Connection, devices: list[DeviceState], now: dt.datetime) -> None:
    """Keep what the vendor says of the devices, and append to their readings what changed."""
    before = {device.external_id: device for device in connection.devices.all()}
    Device.objects.bulk_create(
        [
            Device(
                connection=connection,
                external_id=device.external_id,
                model=device.model,
                kind=device.kind,
                battery_percent=device.battery_percent,
                battery_status=device.battery_status,
                last_sync_at=device.last_sync_at,
                seen_at=now,
            )
            for device in devices
        ],
        update_conflicts=True,
        unique_fields=["connection", "external_id"],
        update_fields=["model", "kind", "battery_percent", "battery_status", "last_sync_at", "seen_at"],
    )
    changed = {
        state.external_id: state
        for state in devices
        if (known := before.get(state.external_id)) is None
        or (known.battery_percent, known.battery_status, known.last_sync_at)
        != (state.battery_percent, state.battery_status, state.last_sync_at)
    }
    if changed:
        DeviceReading.objects.bulk_create(
            [
                DeviceReading(
                    device=device,
                    at=now,
                    battery_percent=changed[device.external_id].battery_percent,
                    battery_status=changed[device.external_id].battery_status,
                    last_sync_at=changed[device.external_id].last_sync_at,
                )
                for device in Device.objects.filter(connection=connection, external_id__in=changed)
            ],
            ignore_conflicts=True,
        )


def devices_refresh(connection: Connection, provider: LiveProvider, access_token: str, now: dt.datetime) -> None:
    """Ask for the devices' batteries and last syncs; nothing where she did not let us see them.

    Raises vendor errors but those that concern the devices alone.
    """
    try:
        _store_devices(connection, provider.devices(access_token), now)
    except AccessGone as gone:
        if gone.code not in (AccessGone.SCOPE_MISSING, AccessGone.ACCOUNT_NOT_LINKED):
            raise
    except BrokenAnswer as fault:
        log.warning("connection %s: the devices could not be read: %s", connection.pk, fault.code)


def _set_status(connection: Connection, status: str, reason: str, now: dt.datetime) -> None:
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


# --- tokens ----------------------------------------------------------------------------------------------------


def _seal(connection: Connection, access: str, refresh: str, expires_at: dt.datetime) -> None:
    connection.sealed_tokens = vault.seal(json.dumps([access, refresh]))
    connection.token_expires_at = expires_at


def fresh_token(connection: Connection, provider: LiveProvider, *, refused: str = "") -> str:
    """An access token that should be good; refreshed under a lock of the row, so that many workers refresh once.

    `refused`: a token that the vendor no longer takes, although its time is not up. Raises AccessGone where the
    grant is dead, ClientMisconfigured where our own credentials are, VendorBusy and BrokenAnswer.
    """
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        if not row.sealed_tokens:
            raise AccessGone(AccessGone.EXPIRED_GRANT)
        access, refresh = json.loads(vault.unseal(row.sealed_tokens))
        good = row.token_expires_at is not None and row.token_expires_at - SPARE > timezone.now()
        if good and access != refused:
            return str(access)
        grant = provider.refresh(refresh)
        _seal(row, grant.access_token, grant.refresh_token or refresh, grant.expires_at)
        row.save(update_fields=["sealed_tokens", "token_expires_at"])
    return grant.access_token


# --- the end of it -----------------------------------------------------------------------------------------------


def lost(connection: Connection, code: str, *, now: dt.datetime) -> None:
    """The vendor no longer lets us in: ask no more, keep what is due for when she reconnects."""
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        if row.status != Connection.Status.ACTIVE:
            return
        _set_status(row, Connection.Status.RECONNECT, code, now)
        row.next_due_at = None
        row.save(update_fields=["status", "status_since", "status_reason", "next_due_at"])
        telemetry.token_failed(row.provider)
    verdicts.refresh(row.participant, now=now)
    log.info("connection %s needs to be reconnected: %s", connection.pk, code)


def scope_lost(connection: Connection, scope: str, *, now: dt.datetime) -> None:
    """She no longer allows this kind of data: it is not planned any more, and the history says since when."""
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        if scope not in row.scopes:
            return
        row.scopes = [one for one in row.scopes if one != scope]
        row.save(update_fields=["scopes"])
        ConnectionEvent.objects.create(connection=row, at=now, status=row.status, reason=AccessGone.SCOPE_MISSING)
        thing = f"connection:{row.provider}"
        record("connection.change", participant=row.participant, thing=thing, new={"scope_missing": scope})
    verdicts.refresh(row.participant, now=now)


def let_go(participant: Participant) -> None:
    """She has left the trial: her links stop working, nothing is asked any more, and her grants are ended."""
    now = timezone.now()
    participant.invitations.filter(cancelled_at=None).update(cancelled_at=now)
    for connection in participant.connections.exclude(status=Connection.Status.REVOKED):
        disconnect(connection, reason="left", now=now)


def disconnect(connection: Connection, *, reason: str, now: dt.datetime) -> bool:
    """End the connection here at once, and the grant at the vendor's. Returns whether the vendor confirmed.

    Here comes first: from this moment nothing is asked, whatever the vendor answers. A grant that also serves
    another trial's connection of the same account is left to that one: the vendor knows one grant an account.
    """
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        sealed, row.sealed_tokens, row.token_expires_at, row.next_due_at = row.sealed_tokens, "", None, None
        _set_status(row, Connection.Status.REVOKED, reason, now)
        row.save()
        SyncWindow.objects.filter(connection=row, state=SyncWindow.State.DUE).delete()
    verdicts.refresh(row.participant, now=now)
    if not sealed or in_use(row.provider, row.external_user_id, besides=row.pk):
        return True
    try:
        live.provider(row.provider).revoke(json.loads(vault.unseal(sealed))[1])
    except (VendorError, ClientMisconfigured, vault.CannotOpen) as error:
        log.warning("connection %s: the grant could not be ended at the vendor's: %s", row.pk, error)
        return False
    return True
