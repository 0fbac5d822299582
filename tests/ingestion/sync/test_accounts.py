"""Whose account is whose: released when its participant has left, or by a manager; another account for the same one."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from ingestion.connections import invitations, vendor_accounts
from ingestion.connections import services as connections_services
from ingestion.models import Connection, ConnectionEvent, Invitation
from ingestion.providers.base.live import Grant
from ingestion.sync import planning
from metrics.models import Measurement
from participants.models import AuditEntry, Participant
from participants.services import participant_withdraw
from tests.factories import ParticipantFactory
from tests.ingestion.sync.fake import FakeVendor

pytestmark = pytest.mark.django_db
GRANT = Grant("access-0", "refresh-0", dt.datetime(2036, 1, 1, tzinfo=dt.UTC), frozenset({"heart", "move"}))
ONE_DAY = dt.timedelta(days=1)


def join(person: Participant, vendor: FakeVendor, now: dt.datetime) -> connections_services.Connected:
    invitation: Invitation = invitations.invitation_create(participant=person, by=None, now=now)
    return connections_services.connect(
        participant=person, provider=vendor, grant=GRANT, now=now, invitation=invitation
    )


def test_the_account_of_a_participant_who_left_is_free_for_another_study_id(
    connection: Connection, vendor: FakeVendor, now: dt.datetime, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        participant_withdraw(connection.participant, on=now.date())
    again = ParticipantFactory(trial=connection.trial, status="invited")
    joined = join(again, vendor, now).connection
    assert joined.external_user_id == "user-1"
    connection.refresh_from_db()
    assert (connection.external_user_id, connection.encrypted_tokens) == ("", "")
    assert ConnectionEvent.objects.filter(connection=connection, reason="released").exists()
    assert AuditEntry.objects.filter(
        action="connection.release_account", participant=connection.participant_id
    ).exists()


@pytest.mark.parametrize("status", [Connection.Status.ACTIVE, Connection.Status.RECONNECT])
def test_the_account_of_a_participant_who_takes_part_is_not(
    connection: Connection, vendor: FakeVendor, now: dt.datetime, status: str
) -> None:
    Connection.objects.filter(pk=connection.pk).update(status=status)
    with pytest.raises(connections_services.ConnectRefused, match="account_taken"):
        join(ParticipantFactory(trial=connection.trial, status="invited"), vendor, now)


def test_nor_when_they_have_disconnected_until_it_is_released(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    connections_services.disconnect(connection, reason="by hand", now=now)
    other = ParticipantFactory(trial=connection.trial, status="invited")
    with pytest.raises(connections_services.ConnectRefused, match="account_taken"):
        join(other, vendor, now)
    vendor_accounts.account_release(connection, reason="a colleague's try-out", now=now)
    assert join(other, vendor, now).connection.external_user_id == "user-1"


def test_an_account_that_is_connected_cannot_be_released(connection: Connection, now: dt.datetime) -> None:
    with pytest.raises(vendor_accounts.AccountFixed, match="disconnect"):
        vendor_accounts.account_release(connection, reason="x", now=now)


def test_a_new_account_is_allowed_and_asked_from_then_on_only(
    connection: Connection, vendor: FakeVendor, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = Measurement.objects.filter(participant=connection.participant).count()
    monkeypatch.setattr(vendor, "identity", lambda token: type("Me", (), {"user_id": "user-2"})())
    with pytest.raises(connections_services.ConnectRefused, match="other_account"):
        join(connection.participant, vendor, now)
    vendor_accounts.account_change_allow(connection, reason="a new phone", now=now)
    connection.refresh_from_db()
    assert connection.status == Connection.Status.REVOKED
    joined = join(connection.participant, vendor, now).connection
    assert joined.external_user_id == "user-2"
    requested = planning.collectable(joined, now + ONE_DAY)
    assert min(start for start, _ in requested) == now
    assert Measurement.objects.filter(participant=connection.participant).count() == stored
