"""One account in two trials is one grant at the vendor's; devices are looked at with each regular pass."""

from __future__ import annotations

import datetime as dt

import pytest

from ingestion.connections import grants
from ingestion.connections import services as connections_services
from ingestion.connections.services import ConnectRefused
from ingestion.models import Connection, Device
from ingestion.providers.base.errors import AccessGone, BrokenResponse, TokenExpired
from ingestion.providers.base.live import Grant
from ingestion.sync import dispatch
from participants.models import Participant
from tests.factories import ParticipantFactory
from tests.ingestion.sync.conftest import connect
from tests.ingestion.sync.fake import FakeVendor

GRANT = Grant("access-new", "refresh-new", dt.datetime(2030, 1, 1, tzinfo=dt.UTC), frozenset({"heart", "move"}))


def consent(person: Participant, vendor: FakeVendor, now: dt.datetime) -> connections_services.Connected:
    return connections_services.connect(participant=person, provider=vendor, grant=GRANT, now=now, invitation=None)


def test_disconnecting_in_one_trial_leaves_the_same_account_connected_in_another(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    connect(now, user=connection.external_user_id)
    assert connections_services.disconnect(connection, reason="participant", now=now)
    assert vendor.revoked == []


def test_the_last_trial_to_disconnect_ends_the_grant(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    other = connect(now, user=connection.external_user_id)
    connections_services.disconnect(connection, reason="participant", now=now)
    connections_services.disconnect(other, reason="participant", now=now)
    assert vendor.revoked == ["refresh-0"]


def test_another_account_than_before_is_refused_and_given_back(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    Connection.objects.update(external_user_id="user-0")
    with pytest.raises(ConnectRefused, match="other_account"):
        consent(connection.participant, vendor, now)
    assert vendor.revoked == ["refresh-new"]


def test_an_account_that_another_participant_has_is_refused_and_the_others_grant_kept(
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


def test_a_regular_pass_reads_the_devices(connection: Connection, vendor: FakeVendor) -> None:
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


# --- a vendor that does not take a grant back --------------------------------------------------------------------


def away(vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
    def revoke(token: str) -> None:
        vendor.revoked.append(token)
        raise error or BrokenResponse("connection_failed")

    monkeypatch.setattr(vendor, "revoke", revoke)


def test_a_grant_that_the_vendor_does_not_take_back_is_given_back_later(
    connection: Connection, vendor: FakeVendor, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        away(vendor, broken)
        assert not connections_services.disconnect(connection, reason="participant", now=now)
    connection.refresh_from_db()
    assert (connection.status, connection.give_back_at) == (Connection.Status.REVOKED, now + grants.GIVE_BACK_SOON)
    assert connections_services.give_back_due(now) == []
    later = now + grants.GIVE_BACK_SOON
    assert connections_services.give_back_due(later) == [connection.pk]
    assert connections_services.give_back_due(later) == []
    assert connections_services.give_back(connection.pk, now=later)
    connection.refresh_from_db()
    assert (connection.encrypted_tokens, connection.give_back_at, vendor.revoked) == ("", None, ["refresh-0"] * 2)


def test_tokens_that_wait_to_be_given_back_read_nothing(
    connection: Connection, vendor: FakeVendor, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    away(vendor, monkeypatch)
    connections_services.disconnect(connection, reason="participant", now=now)
    with pytest.raises(AccessGone):
        connections_services.fresh_token(connection, vendor)
    dispatch.serve(connection.pk)
    assert vendor.requested == []


def test_a_grant_that_was_ended_there_needs_no_giving_back(
    connection: Connection, vendor: FakeVendor, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    away(vendor, monkeypatch, AccessGone(AccessGone.EXPIRED_GRANT))
    assert connections_services.disconnect(connection, reason="participant", now=now)
    connection.refresh_from_db()
    assert connection.encrypted_tokens == ""


@pytest.mark.parametrize(("waited", "kept"), [(dt.timedelta(days=29, hours=23), True), (dt.timedelta(days=30), False)])
def test_tokens_that_cannot_be_given_back_are_deleted_in_the_end(
    connection: Connection, vendor: FakeVendor, now: dt.datetime, monkeypatch: pytest.MonkeyPatch,
    waited: dt.timedelta, kept: bool,
) -> None:  # fmt: skip
    away(vendor, monkeypatch)
    connections_services.disconnect(connection, reason="participant", now=now)
    assert connections_services.give_back(connection.pk, now=now + waited) is not kept
    connection.refresh_from_db()
    assert bool(connection.encrypted_tokens) is kept


def test_connecting_anew_keeps_the_new_grant(
    connection: Connection, vendor: FakeVendor, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        away(vendor, broken)
        connections_services.disconnect(connection, reason="participant", now=now)
    consent(connection.participant, vendor, now)
    assert connections_services.give_back_due(now + dt.timedelta(days=1)) == []
    assert connections_services.give_back(connection.pk, now=now)
    connection.refresh_from_db()
    assert (connection.status, bool(connection.encrypted_tokens)) == (Connection.Status.ACTIVE, True)


def test_what_has_ended_is_ended_once(connection: Connection, now: dt.datetime) -> None:
    connections_services.disconnect(connection, reason="participant", now=now)
    connections_services.disconnect(connection, reason="staff", now=now)
    assert [event.reason for event in connection.events.all()] == ["participant"]
