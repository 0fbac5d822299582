"""Restated hours that looks find, and what the vendor says of its own accord."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from ingestion.models import Connection, Fingerprint, SyncWindow, WebhookDelivery
from ingestion.providers.base.live import Notification
from ingestion.sync import dispatch, notifications, planning
from ingestion.sync.run import run_sync
from ingestion.sync.run_state import Outcome
from metrics.models import Measurement, Revision
from participants.models import Participant
from participants.privacy import encryption, key_rotation
from tests.ingestion.sync.conftest import connect
from tests.ingestion.sync.fake import FakeVendor

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
MakeWindow = Callable[..., SyncWindow]


def synced(connection: Connection, vendor: FakeVendor, now: dt.datetime) -> None:
    """A week of an hourly pulse, read and looked at."""
    for n in range(7 * 24):
        vendor.points["pulse"][now.replace(minute=15) - n * HOUR] = 60.0 + n % 5
    while dispatch.serve(connection.pk).wait == 0:
        pass
    vendor.requested.clear()


def pass_again(connection: Connection) -> Outcome:
    Connection.objects.update(next_due_at=connection.connected_at)
    return dispatch.serve(connection.pk)


def test_a_restated_hour_is_found_and_only_it_is_read(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    synced(connection, vendor, now)
    at = now.replace(minute=15) - 5 * DAY
    vendor.points["pulse"][at] = 150.0
    pass_again(connection)
    old = [
        start
        for kind, code, start, _ in vendor.requested
        if (kind, code) == ("pull", "pulse") and start < now - 2 * DAY
    ]
    assert old == [at.replace(minute=0)]
    assert (Measurement.objects.get(time=at).value, Revision.objects.count()) == (150.0, 1)


def test_what_a_check_finds_while_it_is_being_read_is_read_once_more(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, now: dt.datetime
) -> None:
    read = window(hours=72)
    check = window(hours=73, kind="look", ends_at=read.ends_at)
    for hour in (check.starts_at, read.starts_at):
        Fingerprint.objects.create(connection=connection, data_type="pulse", hour=hour, value="-")
    vendor.points["pulse"][read.starts_at] = 60.0
    run_sync(connection.pk)
    states = {window.pk: window.state for window in SyncWindow.objects.all()}
    assert states == {check.pk: "done", read.pk: "due"}


def test_more_checks_take_no_more_statements(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, now: dt.datetime
) -> None:
    numbers = []
    for hours in ((30,), (40, 50, 60)):
        for start in hours:
            window(hours=start, kind="look")
        with CaptureQueriesContext(database) as statements:
            run_sync(connection.pk)
        numbers.append(len(statements))
    assert numbers[1] <= numbers[0]
    assert not SyncWindow.objects.exclude(state="done").exists()


def test_an_hour_that_appears_late_is_found(connection: Connection, vendor: FakeVendor, now: dt.datetime) -> None:
    at = now.replace(minute=15) - 5 * DAY
    synced(connection, vendor, now)
    vendor.points["pulse"][at + dt.timedelta(minutes=20)] = 80.0
    pass_again(connection)
    assert Measurement.objects.filter(time=at + dt.timedelta(minutes=20)).exists()


def test_where_nothing_was_restated_old_hours_are_left_alone(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    synced(connection, vendor, now)
    pass_again(connection)
    assert (
        min(start for kind, code, start, _ in vendor.requested if (kind, code) == ("pull", "pulse")) > now - 38 * HOUR
    )


# --- notices -----------------------------------------------------------------------------------------------------


def told(vendor: FakeVendor, now: dt.datetime, *said: Notification) -> set[int]:
    vendor.notices = list(said)
    return notifications.handle(notifications.receive("fake", b"{}", now).pk, now=now)


def note(now: dt.datetime, **more: object) -> Notification:
    fields = {"user_id": "user-1", "data_type": "pulse", "operation": "UPSERT", "start": now - HOUR, "end": now}
    return Notification(**{**fields, **more})  # type: ignore[arg-type]


def test_a_notice_makes_the_interval_due(connection: Connection, vendor: FakeVendor, now: dt.datetime) -> None:
    assert told(vendor, now, note(now, start=now - 10 * dt.timedelta(minutes=1))) == {connection.pk}
    made = SyncWindow.objects.get()
    assert (made.reason, made.starts_at, made.due_at) == ("webhook", now.replace(minute=0), now + notifications.BURST)


@pytest.mark.usefixtures("connection")
def test_a_burst_of_notices_makes_one_window(vendor: FakeVendor, now: dt.datetime) -> None:
    one = note(now, start=now - 10 * dt.timedelta(minutes=1))
    told(vendor, now, one, one)
    told(vendor, now, one)
    assert SyncWindow.objects.count() == 1


def test_a_notice_of_deleted_data_takes_them_away(connection: Connection, vendor: FakeVendor, now: dt.datetime) -> None:
    synced(connection, vendor, now)
    gone = now.replace(minute=15) - 3 * HOUR
    del vendor.points["pulse"][gone]
    told(vendor, now, note(now, operation="DELETE", start=gone, end=gone + HOUR))
    SyncWindow.objects.update(due_at=now)
    run_sync(connection.pk)
    assert not Measurement.objects.filter(time=gone).exists()


@pytest.mark.usefixtures("connection")
def test_wall_clock_times_mean_the_whole_local_days(vendor: FakeVendor, now: dt.datetime) -> None:
    at = dt.datetime.combine((now - 2 * DAY).date(), dt.time(12))
    told(vendor, now, note(now, data_type="walk", civil=True, start=at, end=at + HOUR))
    spans = [(w.starts_at.date(), w.ends_at.date()) for w in SyncWindow.objects.all()]
    # The local day of Amsterdam began at 23:00 UTC of the day before.
    assert spans == [(at.date() - DAY, at.date()), (at.date(), at.date() + DAY)]


@pytest.mark.usefixtures("connection")
def test_a_notice_without_times_means_the_watched_days(vendor: FakeVendor, now: dt.datetime) -> None:
    told(vendor, now, note(now, data_type="walk", start=None, end=None))
    assert SyncWindow.objects.count() == 8


@pytest.mark.usefixtures("connection")
def test_a_notice_of_a_stranger_does_nothing(vendor: FakeVendor, now: dt.datetime) -> None:
    assert (told(vendor, now, note(now, user_id="stranger")), SyncWindow.objects.count()) == (set(), 0)


@pytest.mark.usefixtures("connection")
def test_a_notice_of_an_unknown_kind_of_data_does_nothing(vendor: FakeVendor, now: dt.datetime) -> None:
    assert told(vendor, now, note(now, data_type="moods")) == set()


def test_a_notice_after_withdrawal_does_nothing(connection: Connection, vendor: FakeVendor, now: dt.datetime) -> None:
    Participant.objects.update(status="withdrawn")
    assert told(vendor, now, note(now)) == set()


def test_handling_a_notice_twice_does_no_harm(connection: Connection, vendor: FakeVendor, now: dt.datetime) -> None:
    vendor.notices = [note(now)]
    delivery = notifications.receive("fake", b"{}", now)
    assert notifications.handle(delivery.pk, now=now) == {connection.pk}
    assert notifications.handle(delivery.pk, now=now) == set()
    assert WebhookDelivery.objects.get().handled_at == now


# --- queue and keys ----------------------------------------------------------------------------------------------


def test_a_connection_is_queued_once(connection: Connection, vendor: FakeVendor, now: dt.datetime) -> None:
    assert (dispatch.due(now), dispatch.due(now)) == ([connection.pk], [])


def test_a_message_that_was_lost_is_sent_again(connection: Connection, vendor: FakeVendor, now: dt.datetime) -> None:
    dispatch.due(now)
    assert dispatch.due(now + HOUR) == [connection.pk]


def test_backfill_waits_for_fresh_data(connection: Connection, vendor: FakeVendor, now: dt.datetime) -> None:
    other = connect(now, user="user-2")
    Connection.objects.filter(pk=other.pk).update(next_due_at=None)
    planning.plan_backfill(other, now - 2 * DAY, now)
    assert dispatch.due(now) == [connection.pk]
    Connection.objects.filter(pk=connection.pk).update(next_due_at=None)
    assert dispatch.due(now) == [other.pk]


def test_rotation_lets_the_old_key_go(connection: Connection, vendor: FakeVendor, settings: object) -> None:
    settings.TOKEN_KEYS = ["the-new-key", *settings.TOKEN_KEYS]  # type: ignore[attr-defined]
    assert key_rotation.rotate_keys()["connections"] == 1
    settings.TOKEN_KEYS = ["the-new-key"]  # type: ignore[attr-defined]
    connection.refresh_from_db()
    assert json.loads(encryption.decrypt(connection.encrypted_tokens)) == ["access-0", "refresh-0"]


def test_encrypted_tokens_do_not_show_what_they_hold(connection: Connection) -> None:
    assert "access-0" not in connection.encrypted_tokens
