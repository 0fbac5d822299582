"""One account in two trials is one grant at the vendor's; devices are looked at with each regular pass."""

from __future__ import annotations

import datetime as dt

import pytest

from ingestion import connections
from ingestion.connections import ConnectRefused
from ingestion.models import Connection, Device
from ingestion.providers.base import Grant, TokenExpired
from ingestion.sync import dispatch
from participants.models import Participant
from tests.factories import ParticipantFactory
from tests.sync.conftest import connect
from tests.sync.fake import FakeVendor

GRANT = Grant("access-new", "refresh-new", dt.datetime(2030, 1, 1, tzinfo=dt.UTC), frozenset({"heart", "move"}))


def consent(person: Participant, vendor: FakeVendor, now: dt.datetime) -> connections.Connected:
    return connections.connect(participant=person, provider=vendor, grant=GRANT, now=now, invitation=None)


def test_disconnecting_in_one_trial_leaves_the_same_account_connected_in_another(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    connect(now, user=connection.external_user_id)
    assert connections.disconnect(connection, reason="participant", now=now)
    assert vendor.revoked == []


def test_the_last_trial_to_disconnect_ends_the_grant(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    other = connect(now, user=connection.external_user_id)
    connections.disconnect(connection, reason="participant", now=now)
    connections.disconnect(other, reason="participant", now=now)
    assert vendor.revoked == ["refresh-0"]


def test_another_account_than_before_is_refused_and_given_back(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    Connection.objects.update(external_user_id="user-0")
    with pytest.raises(ConnectRefused, match="other_account"):
        consent(connection.participant, vendor, now)
    assert vendor.revoked == ["refresh-new"]


def test_an_account_that_another_participant_has_is_refused_and_her_grant_kept(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    with pytest.raises(ConnectRefused, match="account_taken"):
        consent(ParticipantFactory(trial=connection.trial), vendor, now)
    assert vendor.revoked == []


def test_reconnecting_with_the_same_account_renews_the_connection(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    Connection.objects.update(status=Connection.Status.RECONNECT)
    assert consent(connection.participant, vendor, now).connection.pk == connection.pk
    connection.refresh_from_db()
    assert connection.status == Connection.Status.ACTIVE


def test_a_regular_pass_looks_at_the_devices(connection: Connection, vendor: FakeVendor) -> None:
    dispatch.serve(connection.pk)
    assert list(Device.objects.values_list("model", "battery_percent")) == [("Band 1", 80)]


def test_a_token_that_ran_out_early_is_refreshed_before_the_devices_are_asked_for(
    connection: Connection, vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = vendor.devices

    def devices(access_token: str) -> object:
        if access_token == "access-0":
            raise TokenExpired("unauthenticated")
        return answer(access_token)

    monkeypatch.setattr(vendor, "devices", devices)
    monkeypatch.setattr(vendor, "token", "access-1")
    dispatch.serve(connection.pk)
    connection.refresh_from_db()
    assert (connection.status, vendor.refreshes, Device.objects.count()) == (Connection.Status.ACTIVE, 1, 1)
