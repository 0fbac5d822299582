"""A participant's connection to a vendor: invited, connected, its devices. What becomes of the grant: grants.py."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models import Q

from ingestion.connections.devices import store as store_devices
from ingestion.connections.grants import (
    asks_still,
    disconnect,
    encrypt_tokens,
    fresh_token,
    give_back,
    give_back_due,
    in_use,
    let_go,
    lost,
    scope_lost,
    set_status,
)
from ingestion.connections.invitations import (
    InvitationRefused,
    _stale,
    invitation_cancel,
    invitation_code,
    invitation_create,
    invitation_open,
    refusal,
)
from ingestion.connections.vendor_accounts import free_account
from ingestion.models import Connection, Invitation
from ingestion.models.connections import TAKING_PART
from ingestion.providers.base.errors import AccessGone, VendorError
from ingestion.providers.base.live import DeviceState, Grant, LiveProvider
from metrics.monitoring import evaluation
from participants.locks import lock_participant, lock_trial_shared
from participants.models import Participant
from participants.privacy import consent

__all__ = [
    "ConnectRefused",
    "Connected",
    "InvitationRefused",
    "asks_still",
    "connect",
    "disconnect",
    "fresh_token",
    "give_back",
    "give_back_due",
    "in_use",
    "invitation_cancel",
    "invitation_code",
    "invitation_create",
    "invitation_open",
    "let_go",
    "lost",
    "refusal",
    "scope_lost",
]

log = logging.getLogger(__name__)


class ConnectRefused(Exception):
    """Refusal of a consent that cannot become a connection: `code` says why, for the page the participant sees."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


# --- connecting ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    """Connection made by a consent. `missing`: data types that the participant did not allow."""

    connection: Connection
    missing: tuple[str, ...]
    devices: int


def connect(
    *, participant: Participant, provider: LiveProvider, grant: Grant, now: dt.datetime, invitation: Invitation | None
) -> Connected:
    """Turn a fresh grant into the participant's connection, or renew it.

    Raises ConnectRefused: nothing_allowed, no_refresh_token, other_account (they reconnect with another account than
    before), account_taken (another participant of the trial has it), no_device; left, study_over, cancelled, expired
    and consent_missing where that happened before the vendor had answered; and vendor errors as they are. A refused
    grant is given back to the vendor, unless the same account is connected elsewhere: that would end too.
    """
    scopes = sorted(grant.scopes or ())
    allowed = [t for t in provider.data_types.values() if t.scope in scopes]
    if not allowed:
        # Whose it is cannot be asked with it, and nothing else either: there is nothing to give back.
        raise ConnectRefused("nothing_allowed")
    user_id = provider.identity(grant.access_token).user_id
    try:
        if grant.refresh_token is None:
            raise ConnectRefused("no_refresh_token")
        _refuse_account(participant, provider.slug, user_id)
        devices = _devices(provider, grant)
        if devices is not None and not devices:
            raise ConnectRefused("no_device")
        connection = _let_in(participant, provider, grant, scopes, user_id, devices or [], invitation, now)
    except ConnectRefused:
        _give_back(provider, grant, user_id)
        raise
    # After the row's lock is gone: who stores data locks the participant first and this row then.
    evaluation.refresh(participant, now=now)
    missing = tuple(t.code for t in provider.data_types.values() if t not in allowed)
    return Connected(connection, missing, len(devices or []))


def _refuse_account(participant: Participant, provider: str, user_id: str) -> None:
    """Raise ConnectRefused for an account that is another's, or another than theirs."""
    taken = Connection.objects.filter(trial=participant.trial, provider=provider, external_user_id=user_id)
    # One that ended, of a participant who has left, is released when this one is stored.
    free = Q(status=Connection.Status.REVOKED) & ~Q(participant__status__in=TAKING_PART)
    if taken.exclude(participant=participant).exclude(free).exists():
        raise ConnectRefused("account_taken")
    connection = Connection.objects.filter(participant=participant, provider=provider).first()
    if connection and connection.external_user_id not in ("", user_id):
        raise ConnectRefused("other_account")


def _let_in(
    participant: Participant,
    provider: LiveProvider,
    grant: Grant,
    scopes: list[str],
    user_id: str,
    devices: list[DeviceState],
    invitation: Invitation | None,
    now: dt.datetime,
) -> Connection:
    """Store it, if nothing that forbids it has happened while the vendor was asked. Raises ConnectRefused."""
    try:
        with transaction.atomic():
            lock_participant(participant)
            participant.trial = lock_trial_shared(participant.trial_id)
            if code := refusal(participant, now) or _used_up(participant, invitation, now):
                raise ConnectRefused(code)
            free_account(participant, provider.slug, user_id, now)
            connection = _connected(participant, provider, grant, scopes, user_id, now)
            store_devices(connection, devices, now)
            if invitation:
                Invitation.objects.filter(pk=invitation.pk).update(used_at=now)
            if participant.status == Participant.Status.INVITED:
                participant.status = Participant.Status.ACTIVE
                participant.save(update_fields=["status"])
            return connection
    except IntegrityError:
        raise ConnectRefused("account_taken") from None


def _used_up(participant: Participant, invitation: Invitation | None, now: dt.datetime) -> str:
    """Reason why the invitation and consent do not hold any more; "": they do, or nobody was invited."""
    if invitation is None:
        return ""
    row = Invitation.objects.select_for_update().filter(pk=invitation.pk).first()
    if row is None:
        return "cancelled"
    today = now.astimezone(ZoneInfo(participant.time_zone)).date()
    return _stale(row, now) or ("consent_missing" if consent.consent_missing(participant, today) else "")


def _connected(
    participant: Participant, provider: LiveProvider, grant: Grant, scopes: list[str], user_id: str, now: dt.datetime
) -> Connection:
    connection, _ = Connection.objects.select_for_update(no_key=True).get_or_create(
        participant=participant, provider=provider.slug, defaults={"trial": participant.trial}
    )
    if connection.external_user_id not in ("", user_id):
        raise ConnectRefused("other_account")
    connection.external_user_id = user_id
    connection.scopes = scopes
    connection.connected_at = connection.connected_at or now
    connection.next_due_at, connection.busy_until, connection.swept_at = now, None, None
    connection.give_back_at = None
    encrypt_tokens(connection, grant.access_token, grant.refresh_token or "", grant.expires_at)
    set_status(connection, Connection.Status.ACTIVE, "connected", now)
    connection.save()
    return connection


def _devices(provider: LiveProvider, grant: Grant) -> list[DeviceState] | None:
    """Devices of the account; None where the consent does not cover them."""
    try:
        return provider.devices(grant.access_token)
    except AccessGone as gone:
        if gone.code == AccessGone.ACCOUNT_NOT_LINKED:
            return []
        return None


def _give_back(provider: LiveProvider, grant: Grant, user_id: str) -> None:
    if in_use(provider.slug, user_id):
        return
    try:
        provider.revoke(grant.refresh_token or grant.access_token)
    except VendorError as error:
        log.warning("a refused grant could not be given back to %s: %s", provider.name, error.code)
