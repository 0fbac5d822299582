"""Demo participants whose data come over the live sync, from the simulator that plays the vendor.

They show what synthetic devices cannot: a grant that ended, a consent with one box unticked, a vendor whose answers
are broken. Each consents over real HTTP, is synced for some days, and then has their fault played, once.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import httpx
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ingestion import live_providers
from ingestion.connections import invitations
from ingestion.connections import services as connections_services
from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.errors import AccessGone, VendorError
from ingestion.providers.base.live import LiveProvider, SimulatedVendor
from ingestion.sync import planning
from ingestion.sync.run import run_sync
from metrics.registry import HEART_RATE
from participants.models import Participant, Trial
from participants.services import participant_changed, participant_enrol

log = logging.getLogger(__name__)

# They joined so many days ago: a short history is read in seconds.
JOINED = dt.timedelta(days=5)
# The grant ended so long ago.
ENDED = dt.timedelta(days=2)
# The vendor began to fail for the participant so long ago.
FAILS_SINCE = dt.timedelta(hours=9)
PATIENCE = 60.0  # seconds for the history of one of them
REDIRECT = "http://127.0.0.1/demo"


@dataclass(frozen=True, slots=True)
class Scene:
    """Participant of the demo, connected and read, before its fault is played."""

    connection: Connection
    provider: LiveProvider
    vendor: SimulatedVendor
    account: int
    now: dt.datetime


@dataclass(frozen=True, slots=True)
class Role:
    """Fault that one of them shows. `account` is the simulator's; `until`: how long before now the data end."""

    name: str
    account: int
    fate: Callable[[Scene], None]
    without_heart: bool = False
    until: dt.timedelta = dt.timedelta(0)


def demo_live_ensure(trial: Trial, *, after: int, now: dt.datetime) -> list[str]:
    """Connect those who are missing, with study ids after the `after`th; returns the study ids of all of them.

    Empty where no simulator plays the vendor. One whose fault cannot be played is logged and tried at the next start.
    """
    slug = next(iter(settings.LIVE_PROVIDERS), None)
    vendor = live_providers.simulated(slug) if slug else None
    if slug is None or vendor is None or trial.status == Trial.Status.CLOSED:
        return []
    provider, ids = live_providers.provider(slug), []
    for number, role in enumerate(ROLES, start=after + 1):
        participant = _enrolled(trial, f"{trial.code}-{number:03d}", now)
        ids.append(participant.study_id)
        try:
            _play(participant, role, provider, vendor, now)
        except (VendorError, httpx.HTTPError, connections_services.ConnectRefused) as fault:
            log.warning("%s could not be made to show %s: %r", participant.study_id, role.name, fault)
    return ids


def _enrolled(trial: Trial, study_id: str, now: dt.datetime) -> Participant:
    participant = trial.participants.filter(study_id=study_id).first()
    return participant or participant_enrol(
        trial=trial,
        study_id=study_id,
        site=trial.sites.order_by("-pk").first(),
        status=Participant.Status.INVITED,
        monitoring_starts_on=max((now - JOINED).date(), trial.starts_on or (now - JOINED).date()),
        arm="usual care",
    )


def _play(
    participant: Participant, role: Role, provider: LiveProvider, vendor: SimulatedVendor, now: dt.datetime
) -> None:
    """Connect a participant, read the history, and play the fault; nothing of what was done before is done again."""
    connection = participant.connections.filter(provider=provider.slug).first()
    if connection is None:
        connection = _connect(participant, role, provider, vendor, now)
    if connection.events.count() > 1 or connection.windows.exclude(error_code="").exists():
        return  # the fault was played; or a visitor of the demo has changed this participant
    _read(connection)
    connection.refresh_from_db()
    role.fate(Scene(connection, provider, vendor, role.account, now))
    participant_changed(participant)  # the hourly evaluation would come too late in a demo that has just started


def _connect(
    participant: Participant, role: Role, provider: LiveProvider, vendor: SimulatedVendor, now: dt.datetime
) -> Connection:
    """Connect a participant through the vendor's screen, as they would have done it some days ago."""
    invitation = invitations.invitation_create(participant=participant, by=None, now=now - JOINED)
    until = now - role.until
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    scopes = _without_heart(provider) if role.without_heart else provider.scopes
    screen = provider.authorize_url(
        secrets.token_urlsafe(16), challenge, REDIRECT, scopes, vendor.account(role.account)
    )
    grant = provider.exchange(vendor.consent(screen), verifier, REDIRECT)
    with transaction.atomic():
        connection = connections_services.connect(
            participant=participant, provider=provider, grant=grant, now=now - JOINED, invitation=invitation
        ).connection
        planning.plan_pass(connection, until)
        # No worker goes beyond that moment before the fault was played.
        connection.next_due_at = None if role.until else connection.next_due_at
        connection.save(update_fields=["next_due_at"])
    return connection


def _without_heart(provider: LiveProvider) -> Iterable[str]:
    """Scopes but the one that heart rates need: what is left where a participant unticks that box."""
    needed = {data_type.scope for data_type in provider.data_types.values() if HEART_RATE.code in data_type.metrics}
    return [scope for scope in provider.scopes if scope not in needed]


def _read(connection: Connection) -> None:
    """Read what is due; a worker may be at it too, so this waits for what that one holds."""
    ends = time.monotonic() + PATIENCE
    open_states = (SyncWindow.State.DUE, SyncWindow.State.CLAIMED)
    while time.monotonic() < ends:
        outcome = run_sync(connection.pk, now=timezone.now())
        if not connection.windows.filter(state__in=open_states, error_code="").exists():
            return
        if not outcome.windows:
            time.sleep(0.5)


def _grant_ends(scene: Scene) -> None:
    """Revoke the grant as the participant would at the vendor's; the next pull finds it gone."""
    scene.provider.revoke(connections_services.fresh_token(scene.connection, scene.provider))
    connections_services.lost(scene.connection, AccessGone.EXPIRED_GRANT, now=scene.now - ENDED)


def _all_is_well(scene: Scene) -> None:
    """Play no fault: what the participant did not allow is enough."""


def _vendor_fails(scene: Scene) -> None:
    """Have the vendor answer with errors of its own for the participant, since some hours ago."""
    scene.vendor.disturb(scene.account)
    now, connection = timezone.now(), scene.connection
    for data_type in scene.provider.data_types.values():
        if HEART_RATE.code in data_type.metrics:
            spans = planning.aligned(data_type, scene.now - FAILS_SINCE, now)
            planning.make_due(connection, data_type.code, spans, reason=SyncWindow.Reason.SCHEDULED, due_at=now)
    run_sync(connection.pk, now=timezone.now())
    Connection.objects.filter(pk=connection.pk).update(next_due_at=planning.next_pass(connection, now))


ROLES = (
    Role("a grant that ended", 22, _grant_ends, until=ENDED),
    Role("a consent with a box unticked", 24, _all_is_well, without_heart=True),
    Role("a vendor's fault", 17, _vendor_fails, until=FAILS_SINCE),
)
