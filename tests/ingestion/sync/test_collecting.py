"""Nothing from outside the collection interval is planned or asked for, whoever does it; and all of what is inside."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable

import pytest

from ingestion.models import Connection, Fingerprint, SyncWindow
from ingestion.providers.base.live import Notification
from ingestion.sync import dispatch, notifications, planning
from ingestion.sync.run import run_sync
from participants.models import Participant, Pause, Protocol, Trial
from tests.ingestion.sync.fake import FakeVendor

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
AMSTERDAM = zoneinfo.ZoneInfo("Europe/Amsterdam")
MakeWindow = Callable[..., SyncWindow]


def midnight(now: dt.datetime, days_ago: int) -> dt.datetime:
    """The first instant of a local day, counted back from today's."""
    on = now.astimezone(AMSTERDAM).date() - days_ago * DAY
    return dt.datetime.combine(on, dt.time(), AMSTERDAM).astimezone(dt.UTC)


def on(now: dt.datetime, days_ago: int) -> dt.date:
    return now.astimezone(AMSTERDAM).date() - days_ago * DAY


def participant(**changes: object) -> None:
    Participant.objects.update(**changes)


def trial(**changes: object) -> None:
    Trial.objects.update(**changes)


def planned(data_type: str = "pulse", kind: str = "read") -> list[tuple[dt.datetime, dt.datetime]]:
    rows = SyncWindow.objects.filter(data_type=data_type, kind=kind).order_by("starts_at")
    return list(rows.values_list("starts_at", "ends_at"))


def hours(*stretches: tuple[dt.datetime, dt.datetime]) -> list[tuple[dt.datetime, dt.datetime]]:
    return [
        (at, at + HOUR) for start, end in stretches for at in (start + n * HOUR for n in range((end - start) // HOUR))
    ]


def read_all(connection: Connection) -> None:
    while run_sync(connection.pk).windows:
        pass


def requested(vendor: FakeVendor, data_type: str) -> list[tuple[dt.datetime, dt.datetime]]:
    return planning.merged((start, end) for _, code, start, end in vendor.requested if code == data_type)


# --- a regular pass ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whose", [participant, trial])
def test_the_last_day_is_asked_for_to_its_midnight(
    connection: Connection, now: dt.datetime, whose: Callable[..., None]
) -> None:
    whose(**{"monitoring_ends_on" if whose is participant else "ends_on": on(now, 3)})
    planning.plan_pass(connection, now)
    assert planned()[-1][1] == midnight(now, 2)


@pytest.mark.parametrize("whose", [participant, trial])
def test_the_first_day_is_asked_for_from_its_midnight(
    connection: Connection, now: dt.datetime, whose: Callable[..., None]
) -> None:
    whose(**{"monitoring_starts_on" if whose is participant else "starts_on": on(now, 10)})
    planning.plan_pass(connection, now)
    assert planned()[0][0] == midnight(now, 10)


def test_who_was_away_gets_nothing_from_before_the_first_day(connection: Connection, now: dt.datetime) -> None:
    participant(monitoring_starts_on=on(now, 10))
    connection.swept_at, connection.last_pull_at = None, now - 9 * DAY
    planning.plan_pass(connection, now)
    assert planned()[0][0] == midnight(now, 10)


def test_a_month_of_long_ago_is_all_that_is_asked_for(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    participant(monitoring_starts_on=dt.date(2016, 4, 12), monitoring_ends_on=dt.date(2016, 5, 11))
    start, end = dt.datetime(2016, 4, 11, 22, tzinfo=dt.UTC), dt.datetime(2016, 5, 11, 22, tzinfo=dt.UTC)
    dispatch.serve(connection.pk)
    assert planned() == hours((start, end))
    assert planned(kind="look") == []
    assert [a for a, _ in planned("walk")] == [start.replace(hour=0) + n * DAY for n in range(31)]
    read_all(connection)
    assert [requested(vendor, name) for name in ("pulse", "walk", "rest")] == [[(start, end)]] * 3


def test_monitoring_that_has_not_begun_asks_for_nothing(connection: Connection, now: dt.datetime) -> None:
    participant(monitoring_starts_on=on(now, -1))
    assert planning.plan_pass(connection, now) == 0


def test_without_dates_it_begins_with_the_days_watched_before_they_connected(
    connection: Connection, now: dt.datetime
) -> None:
    planning.plan_pass(connection, now)
    assert planned()[0][0] == midnight(now, 14 + 7)


def test_days_of_a_pause_are_left_out_where_the_protocol_does_not_collect_them(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    participant(monitoring_starts_on=on(now, 6))
    Pause.objects.create(participant=connection.participant, starts_on=on(now, 4), ends_on=on(now, 3), reason="away")
    Protocol.objects.update(collect_in_pauses=False)
    parts = [(midnight(now, 6), midnight(now, 4)), (midnight(now, 2), now)]
    planning.plan_pass(connection, now)
    read_all(connection)
    whole = (midnight(now, 2), now.replace(minute=0) + HOUR)
    assert planned() == hours(parts[0], whole)
    looks = [(start, end) for kind, _, start, end in vendor.requested if kind == "look"]
    assert sorted(looks) == [parts[0], whole]
    walked = requested(vendor, "walk")
    assert walked[0] == parts[0]
    assert walked[1][0] == parts[1][0]


def test_paused_days_are_asked_for_where_the_protocol_collects_them(connection: Connection, now: dt.datetime) -> None:
    participant(monitoring_starts_on=on(now, 6))
    Pause.objects.create(participant=connection.participant, starts_on=on(now, 4), ends_on=on(now, 3), reason="away")
    planning.plan_pass(connection, now)
    assert planned() == hours((midnight(now, 6), now.replace(minute=0) + HOUR))


def test_an_hour_that_may_be_had_in_part_is_read_and_not_checked(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    participant(time_zone="Asia/Kolkata", monitoring_starts_on=now.date() - 5 * DAY)
    begins = dt.datetime.combine(now.date() - 5 * DAY, dt.time(), zoneinfo.ZoneInfo("Asia/Kolkata")).astimezone(dt.UTC)
    dispatch.serve(connection.pk)
    read_all(connection)
    assert [start for kind, _, start, _ in vendor.requested if kind == "look"] == [begins + HOUR / 2]
    assert min(start for kind, code, start, _ in vendor.requested if (kind, code) == ("pull", "pulse")) == begins


def test_checks_of_later_intervals_keep_the_sums_of_earlier_ones(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    Pause.objects.create(participant=connection.participant, starts_on=on(now, 4), ends_on=on(now, 3), reason="away")
    Protocol.objects.update(collect_in_pauses=False)
    vendor.points["pulse"][midnight(now, 6)] = 60.0
    dispatch.serve(connection.pk)
    assert Fingerprint.objects.filter(hour=midnight(now, 6)).exists()


def test_a_closed_trial_is_not_asked_for(connection: Connection, vendor: FakeVendor, now: dt.datetime) -> None:
    trial(status=Trial.Status.CLOSED, closed_at=now)
    assert dispatch.due(now) == []
    assert dispatch.plan_if_due(connection.pk, now) == 0
    run_sync(connection.pk)
    assert (vendor.requested, SyncWindow.objects.count()) == ([], 0)


def test_a_check_under_way_is_left_alone(connection: Connection, window: MakeWindow, now: dt.datetime) -> None:
    held = window(kind="look", state="claimed", claimed_at=now)
    left = window(hours=5, kind="look")
    planning.plan_pass(connection, now)
    assert [SyncWindow.objects.filter(pk=one.pk).exists() for one in (held, left)] == [True, False]


# --- by hand, notices --------------------------------------------------------------------------------------------


def test_a_backfill_asks_for_nothing_outside(connection: Connection, now: dt.datetime) -> None:
    participant(monitoring_starts_on=on(now, 10), monitoring_ends_on=on(now, 8))
    planning.plan_backfill(connection, now - 30 * DAY, now)
    assert planned() == hours((midnight(now, 10), midnight(now, 7)))


def test_a_notice_of_days_outside_asks_for_what_is_inside(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    participant(monitoring_starts_on=on(now, 4), monitoring_ends_on=on(now, 3))
    vendor.notices = [Notification("user-1", "pulse", "UPSERT", now - 8 * DAY, now)]
    notifications.handle(notifications.receive("fake", b"{}", now).pk, now=now)
    assert planned() == hours((midnight(now, 4), midnight(now, 2)))


def test_days_that_moved_are_not_asked_for_outside(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    for days in (6, 3):
        SyncWindow.objects.create(
            connection=connection, data_type="rest", starts_at=midnight(now, days), ends_at=midnight(now, days - 1),
            due_at=now, reason="scheduled", state="done",
        )  # fmt: skip
    participant(monitoring_starts_on=on(now, 4))
    assert planning.days_moved(connection, vendor, now - 9 * DAY, now) == 1


# --- windows that were planned before ----------------------------------------------------------------------------


def test_of_a_window_across_both_bounds_only_the_inside_is_asked_for(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, now: dt.datetime
) -> None:
    participant(monitoring_starts_on=on(now, 5), monitoring_ends_on=on(now, 5))
    start = midnight(now, 5).replace(hour=0) - DAY
    window(data_type="walk", starts_at=start, ends_at=start + 4 * DAY)
    run_sync(connection.pk)
    assert requested(vendor, "walk") == [(midnight(now, 5), midnight(now, 4))]


def test_a_pause_inside_one_window_is_left_out_of_the_request(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, now: dt.datetime
) -> None:
    Pause.objects.create(participant=connection.participant, starts_on=on(now, 5), ends_on=on(now, 5), reason="away")
    Protocol.objects.update(collect_in_pauses=False)
    mine = window(data_type="walk", starts_at=midnight(now, 6), ends_at=midnight(now, 3))
    for days in (6, 5, 4):
        vendor.points["walk"][midnight(now, days) + 12 * HOUR] = 100.0
    run_sync(connection.pk)
    mine.refresh_from_db()
    assert [(a, b) for _, _, a, b in vendor.requested] == [
        (midnight(now, 6), midnight(now, 5)), (midnight(now, 4), midnight(now, 3)),
    ]  # fmt: skip
    assert (mine.state, mine.points, mine.requests, mine.bytes) == ("done", 2, 2, 200)


def test_a_window_that_the_interval_has_left_is_not_asked_for_and_was_not_answered(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, now: dt.datetime
) -> None:
    never = window(hours=100)
    before = window(hours=90, finished_at=now - DAY, points=5)
    participant(monitoring_starts_on=on(now, 1))
    run_sync(connection.pk)
    before.refresh_from_db()
    assert (vendor.requested, SyncWindow.objects.filter(pk=never.pk).exists()) == ([], False)
    assert (before.state, before.points, before.finished_at) == ("done", 5, now - DAY)
