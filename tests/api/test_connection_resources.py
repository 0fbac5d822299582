"""Connections, invitations, windows and imports over the API."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ingestion.models import Connection, ConnectionEvent, Device, ImportFile, Invitation, RejectedRow, SyncWindow
from participants.models import AuditEntry, Membership, Participant, Trial
from tests import broker
from tests.api.conftest import Bring
from tests.conftest import SetUpProviders
from tests.factories import MembershipFactory, ParticipantFactory, SiteFactory
from tests.ingestion.sync.fake import FakeVendor

pytestmark = pytest.mark.django_db
TRIAL = "/api/v1/trials/STRIDE-2"
PERSON = f"{TRIAL}/participants/P-1"
AT = dt.datetime(2026, 11, 20, 8, 0, tzinfo=dt.UTC)


@pytest.fixture
def participant(trial: Trial) -> Participant:
    made: Participant = ParticipantFactory.create(trial=trial, study_id="P-1")
    return made


@pytest.fixture
def connected(participant: Participant) -> Connection:
    made = Connection.objects.create(
        participant=participant,
        trial=participant.trial,
        provider="google_health",
        status=Connection.Status.ACTIVE,
        encrypted_tokens="encrypted-secret",
        external_user_id="user-4711",
        scopes=["sleep"],
        connected_at=AT,
    )
    Device.objects.create(connection=made, external_id="d", model="Charge 6", battery_percent=40, seen_at=AT)
    ConnectionEvent.objects.create(connection=made, at=AT, status="active", reason="connected")
    return made


@pytest.fixture
def window(connected: Connection) -> SyncWindow:
    return SyncWindow.objects.create(
        connection=connected,
        data_type="heart-rate",
        starts_at=AT,
        ends_at=AT + dt.timedelta(hours=6),
        reason="scheduled",
        state="failed",
        due_at=AT,
        error_code="http_500",
    )


def test_a_connection_tells_its_state_and_devices_and_no_token(reader: Client, connected: Connection) -> None:
    answer = reader.get(f"{PERSON}/connections/google_health")
    told = answer.json()
    assert (told["status"], told["scopes"], told["devices"][0]["battery_percent"]) == ("active", ["sleep"], 40)
    assert told["events"] == [{"at": "2026-11-20T08:00:00Z", "status": "active", "reason": "connected"}]
    assert b"secret" not in answer.content
    assert b"4711" not in answer.content
    assert AuditEntry.objects.filter(action="participant.view", via="api").count() == 1


def test_a_trials_connections(reader: Client, connected: Connection) -> None:
    (told,) = reader.get(f"{TRIAL}/connections?status=active").json()["results"]
    assert told["study_id"] == "P-1"
    assert reader.get(f"{TRIAL}/connections?status=reconnect").json()["results"] == []
    assert reader.get(f"{TRIAL}/connections?cursor=cD1Q").status_code == 200


def test_a_site_sees_its_own(trial: Trial, connected: Connection, window: SyncWindow, bring: Bring) -> None:
    client = bring(MembershipFactory.create(trial=trial, site=SiteFactory.create(trial=trial)).user, can_write=True)
    assert client.get(f"{TRIAL}/connections").json()["results"] == []
    assert client.get(f"{TRIAL}/sync-windows").json()["results"] == []
    assert client.get(f"{PERSON}/connections").status_code == 404
    assert client.post(f"{PERSON}/connections/google_health/disconnect").status_code == 404


def test_windows_are_narrowed(reader: Client, window: SyncWindow) -> None:
    address = f"{TRIAL}/sync-windows"
    query = "?participant=P-1&state=failed&data_type=heart-rate&start=2026-11-20T13:00:00Z&end=2026-11-21T00:00:00Z"
    (told,) = reader.get(address + query).json()["results"]
    assert (told["study_id"], told["error_code"], told["reason"]) == ("P-1", "http_500", "scheduled")
    assert reader.get(f"{address}?start=2026-11-20T14:00:00Z").json()["results"] == []
    answer = reader.get(f"{address}?start=2026-11-21T14:00:00Z&end=2026-11-20T14:00:00Z&state=lost")
    assert set(answer.json()["errors"]) == {"state"}
    assert set(reader.get(f"{address}?start=now&end=soon").json()["errors"]) == {"start", "end"}


def test_syncing_needs_a_connection_that_may_be_asked(writer: Client, connected: Connection) -> None:
    Connection.objects.update(status=Connection.Status.RECONNECT)
    answer = writer.post(f"{PERSON}/connections/google_health/sync-now")
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("Nothing can be asked for now")


def test_syncing_starts_windows(
    writer: Client, connected: Connection, set_up_providers: SetUpProviders, django_capture_on_commit_callbacks: Any
) -> None:
    vendor = FakeVendor()
    set_up_providers(vendor)
    Connection.objects.update(provider=vendor.slug, scopes=list(vendor.scopes))
    with django_capture_on_commit_callbacks(execute=True):
        answer = writer.post(f"{PERSON}/connections/{vendor.slug}/sync-now")
    windows = SyncWindow.objects.filter(connection=connected, state=SyncWindow.State.DUE).count()
    assert windows > 0
    assert (answer.status_code, answer.json()) == (202, {"windows": windows})
    assert broker.sent("ingestion.sync_connection") == [(connected.pk,)]


def test_failed_windows_are_tried_again(writer: Client, window: SyncWindow, settings: object) -> None:
    settings.LIVE_PROVIDERS = {"google_health": {}}  # type: ignore[attr-defined]
    answer = writer.post(f"{PERSON}/connections/google_health/requeue")
    assert answer.json() == {"windows": 1}


def test_a_backfill_names_its_first_day(writer: Client, connected: Connection) -> None:
    answer = writer.post(
        f"{PERSON}/connections/google_health/backfill", {"first": "x"}, content_type="application/json"
    )
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"first"}


def test_disconnecting_ends_it_once(writer: Client, connected: Connection) -> None:
    Connection.objects.update(encrypted_tokens="")
    assert writer.post(f"{PERSON}/connections/google_health/disconnect").json() == {"confirmed": True}
    connected.refresh_from_db()
    assert connected.status == Connection.Status.REVOKED
    assert writer.post(f"{PERSON}/connections/google_health/disconnect").status_code == 409


def test_an_invitations_link_is_told_once(writer: Client, participant: Participant) -> None:
    answer = writer.post(f"{PERSON}/invitations")
    assert answer.status_code == 201
    made = Invitation.objects.get()
    assert answer.headers["Location"].endswith(f"{PERSON}/invitations/{made.pk}")
    assert "/connect/" in answer.json()["link"]
    again = writer.get(f"{PERSON}/invitations/{made.pk}").json()
    assert "link" not in again
    assert again["state"] == "open"


def test_inviting_again_with_the_same_key_makes_no_second_link(writer: Client, participant: Participant) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first, again = (writer.post(f"{PERSON}/invitations", headers=key) for _ in range(2))
    assert first.json()["link"] == again.json()["link"]
    assert Invitation.objects.count() == 1


def test_cancelling_an_invitation_is_recorded_once(writer: Client, participant: Participant) -> None:
    made = writer.post(f"{PERSON}/invitations").json()["id"]
    for _ in range(2):
        assert writer.post(f"{PERSON}/invitations/{made}/cancel").json()["state"] == "cancelled"
    assert AuditEntry.objects.filter(action="invitation.cancel").count() == 1


def test_a_used_invitation_cannot_be_cancelled(writer: Client, participant: Participant) -> None:
    made = writer.post(f"{PERSON}/invitations").json()["id"]
    Invitation.objects.update(used_at=timezone.now())
    assert writer.post(f"{PERSON}/invitations/{made}/cancel").status_code == 409


def test_who_withdrew_is_not_invited(writer: Client, participant: Participant) -> None:
    Participant.objects.update(status=Participant.Status.WITHDRAWN)
    assert writer.post(f"{PERSON}/invitations").status_code == 409


@pytest.mark.parametrize("role", [Membership.Role.ANALYST, Membership.Role.VIEWER])
@pytest.mark.parametrize("act", ["invitations", "connections/google_health/sync-now"])
def test_those_who_may_only_look_start_nothing(
    trial: Trial, connected: Connection, bring: Bring, role: str, act: str
) -> None:
    client = bring(MembershipFactory.create(trial=trial, role=role).user, can_write=True)
    assert client.post(f"{PERSON}/{act}").status_code == 403
    assert not Invitation.objects.exists()


def import_of(trial: Trial, whose: str) -> ImportFile:
    return ImportFile.objects.create(
        trial=trial, sha256="0" * 64, name=f"{whose}.csv", size=1, format="f", whose=whose, started_at=AT
    )


def test_imported_files_with_the_rows_that_were_not_taken(
    reader: Client, trial: Trial, participant: Participant
) -> None:
    made = import_of(trial, "P-1")
    RejectedRow.objects.create(import_file=made, line=7, reason="no number")
    assert [one["id"] for one in reader.get(f"{TRIAL}/imports").json()["results"]] == [made.pk]
    assert reader.get(f"{TRIAL}/imports/{made.pk}").json()["study_id"] == "P-1"
    rows = reader.get(f"{TRIAL}/imports/{made.pk}/rejected-rows").json()["results"]
    assert rows == [{"line": 7, "reason": "no number"}]


def test_a_site_sees_files_of_its_own_people_only(trial: Trial, participant: Participant, bring: Bring) -> None:
    site = SiteFactory.create(trial=trial)
    ParticipantFactory.create(trial=trial, site=site, study_id="P-2")
    made = [import_of(trial, whose) for whose in ("P-1", "P-2", "")]
    client = bring(MembershipFactory.create(trial=trial, site=site).user)
    assert [one["id"] for one in client.get(f"{TRIAL}/imports").json()["results"]] == [made[1].pk]
