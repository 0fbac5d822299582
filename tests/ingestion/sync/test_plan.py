"""What is asked for, and when."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import zoneinfo
from collections.abc import Callable

import pytest
from pytest_django import Settings

from ingestion import live_providers
from ingestion.models import Connection, SyncWindow
from ingestion.sync import planning
from participants.models import Participant, Pause, Protocol, Trial
from tests.ingestion.sync.conftest import connect
from tests.ingestion.sync.fake import TYPES, FakeVendor

HOUR, DAY, MICRO = dt.timedelta(hours=1), dt.timedelta(days=1), dt.timedelta(microseconds=1)
# A Friday in Amsterdam, an hour ahead of UTC, in the middle of a minute.
NOW = dt.datetime(2026, 11, 20, 13, 20, 30, 5, tzinfo=dt.UTC)
MakeWindow = Callable[..., SyncWindow]


def reads(data_type: str) -> list[SyncWindow]:
    mine = SyncWindow.objects.filter(data_type=data_type, kind="read").exclude(reason="history")
    return list(mine.order_by("starts_at"))


def swept(connection: Connection, now: dt.datetime) -> None:
    """As after a first pass of an hour ago."""
    connection.swept_at = connection.last_pull_at = now - HOUR
    connection.save()


def test_windows_lie_on_whole_hours_and_days(now: dt.datetime) -> None:
    start = dt.datetime(2026, 11, 20, 13, 20, tzinfo=dt.UTC)
    hours = planning.aligned(TYPES["pulse"], start, start + HOUR)
    days = planning.aligned(TYPES["walk"], start, start + HOUR)
    assert [(a.hour, b.hour) for a, b in hours] == [(13, 14), (14, 15)]
    assert days == [(dt.datetime(2026, 11, 20, tzinfo=dt.UTC), dt.datetime(2026, 11, 21, tzinfo=dt.UTC))]


def test_a_first_pass_reads_the_watched_week_in_full(connection: Connection, now: dt.datetime) -> None:
    planning.plan_pass(connection, now)
    newest = [w for w in reads("pulse") if w.reason == "sweep"]
    assert newest[0].starts_at <= now - 7 * DAY < newest[0].ends_at
    assert newest[-1].starts_at <= now < newest[-1].ends_at


def test_what_lies_before_the_week_comes_as_backfill(connection: Connection, now: dt.datetime) -> None:
    Participant.objects.update(monitoring_starts_on=(now - 10 * DAY).date())
    connection.refresh_from_db()
    planning.plan_pass(connection, now)
    older = [w for w in reads("walk") if w.reason == "backfill"]
    assert older[0].starts_at <= now - 10 * DAY + DAY
    assert older[-1].ends_at <= now - 6 * DAY


def test_a_later_pass_reads_the_recent_hours_and_checks_the_rest(connection: Connection, now: dt.datetime) -> None:
    swept(connection, now)
    planning.plan_pass(connection, now)
    assert reads("pulse")[0].ends_at > now - 36 * HOUR
    look = SyncWindow.objects.get(kind="look")
    assert (look.data_type, look.starts_at <= now - 7 * DAY) == ("pulse", True)


def test_what_cannot_be_fingerprinted_is_read_for_the_whole_week(connection: Connection, now: dt.datetime) -> None:
    swept(connection, now)
    planning.plan_pass(connection, now)
    assert reads("walk")[0].starts_at <= now - 7 * DAY


def test_the_whole_week_is_read_again_after_a_week(connection: Connection, now: dt.datetime) -> None:
    connection.swept_at, connection.last_pull_at = now - 8 * DAY, now - HOUR
    planning.plan_pass(connection, now)
    assert reads("pulse")[0].starts_at <= now - 7 * DAY


def test_who_was_away_for_weeks_gets_what_they_missed(connection: Connection, now: dt.datetime) -> None:
    Participant.objects.update(monitoring_starts_on=(now - 60 * DAY).date())
    connection.refresh_from_db()
    connection.swept_at, connection.last_pull_at = None, now - 20 * DAY
    planning.plan_pass(connection, now)
    first = reads("walk")[0].starts_at
    assert now - 28 * DAY <= first <= now - 27 * DAY + HOUR


def test_a_consent_not_given_is_not_planned(connection: Connection, now: dt.datetime) -> None:
    connection.scopes = ["move"]
    planning.plan_pass(connection, now)
    assert set(SyncWindow.objects.values_list("data_type", flat=True)) == {"walk"}


def test_nothing_after_the_monitoring_is_planned(connection: Connection, now: dt.datetime) -> None:
    Participant.objects.update(monitoring_ends_on=(now - 3 * DAY).date())
    connection.refresh_from_db()
    planning.plan_pass(connection, now)
    assert max(w.starts_at for w in SyncWindow.objects.all()) < now - 2 * DAY


def test_the_next_pass_is_an_interval_away(connection: Connection, now: dt.datetime, settings: Settings) -> None:
    settings.SYNC_EVERY_MINUTES, settings.SYNC_JITTER_MINUTES = 60, 10
    assert now + HOUR <= planning.next_pass(connection, now) <= now + 70 * dt.timedelta(minutes=1)


def test_the_next_pass_comes_once_a_day_at_the_time_set(connection: Connection, settings: Settings) -> None:
    settings.SYNC_AT, settings.SYNC_JITTER_MINUTES = dt.time(6), 0
    early, late = dt.datetime(2026, 11, 20, 5, tzinfo=dt.UTC), dt.datetime(2026, 11, 20, 7, tzinfo=dt.UTC)
    assert planning.next_pass(connection, early) == dt.datetime(2026, 11, 20, 6, tzinfo=dt.UTC)
    assert planning.next_pass(connection, late) == dt.datetime(2026, 11, 21, 6, tzinfo=dt.UTC)


def test_a_connections_jitter_is_always_the_same(connection: Connection, now: dt.datetime) -> None:
    assert planning.next_pass(connection, now) == planning.next_pass(connection, now)


def test_asking_for_what_is_being_read_has_it_read_once_more(
    connection: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    held = window(state="claimed", claimed_at=now)
    planning.make_due(connection, "pulse", [(held.starts_at, held.ends_at)], reason="webhook", due_at=now)
    held.refresh_from_db()
    assert (held.state, held.again) == ("claimed", True)


def test_asking_for_what_is_done_makes_it_due(connection: Connection, window: MakeWindow, now: dt.datetime) -> None:
    done = window(state="done")
    planning.make_due(connection, "pulse", [(done.starts_at, done.ends_at)], reason="webhook", due_at=now)
    done.refresh_from_db()
    assert (done.state, done.reason) == ("due", "webhook")


def test_fresh_interest_lifts_a_window_out_of_the_backfill(
    connection: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    old = window(reason="backfill")
    planning.make_due(connection, "pulse", [(old.starts_at, old.ends_at)], reason="webhook", due_at=now)
    old.refresh_from_db()
    assert old.reason == "webhook"


def test_a_backfill_asks_for_everything_whatever_was_answered(
    connection: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    answered, failed = window(hours=3, state="done"), window(hours=2, state="failed")
    count = planning.plan_backfill(connection, now - 4 * HOUR, now)
    assert count == SyncWindow.objects.count()
    assert {(one.state, one.reason) for one in reads("pulse")} == {("due", "backfill")}
    assert {answered.pk, failed.pk} < {one.pk for one in reads("pulse")}
    assert reads("pulse")[0].starts_at <= now - 4 * HOUR < reads("pulse")[0].ends_at


def test_failed_windows_come_back_with_all_their_attempts(
    connection: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    failed = window(state="failed", attempts=6)
    assert planning.requeue_failed(connection, now) == 1
    failed.refresh_from_db()
    assert (failed.state, failed.attempts) == ("due", 0)


@pytest.mark.parametrize(("state", "kept"), [("failed", False), ("done", True)])
def test_when_it_was_read_is_evidence_and_when_it_was_given_up_is_not(
    connection: Connection, window: MakeWindow, now: dt.datetime, state: str, kept: bool
) -> None:
    mine = window(state=state, finished_at=now - HOUR, error_code="" if kept else "timeout")
    planning.make_due(connection, "pulse", [(mine.starts_at, mine.ends_at)], reason="webhook", due_at=now)
    mine.refresh_from_db()
    assert (mine.state, mine.finished_at) == ("due", now - HOUR if kept else None)


@pytest.mark.usefixtures("vendor")
def test_spans_that_touch_are_joined() -> None:
    at = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    spans = [(at + HOUR, at + 2 * HOUR), (at, at + HOUR), (at + 5 * HOUR, at + 6 * HOUR)]
    assert planning.merged(spans) == [(at, at + 2 * HOUR), (at + 5 * HOUR, at + 6 * HOUR)]


def test_a_vendor_stands_for_its_protocol(vendor: FakeVendor) -> None:
    from ingestion.providers.base.live import LiveProvider

    live: LiveProvider = vendor
    assert live.slug == "fake"


# --- the grid, and stretches of time --------------------------------------------------------------------------------


def at(hour: float, day: int = 20) -> dt.datetime:
    return dt.datetime(2026, 11, day, tzinfo=dt.UTC) + hour * HOUR


def utc(year: int, month: int, day: int) -> dt.datetime:
    return dt.datetime(year, month, day, tzinfo=dt.UTC)


def test_what_ends_on_the_grid_asks_for_no_window_more() -> None:
    assert planning.aligned(TYPES["pulse"], at(13), at(15)) == [(at(13), at(14)), (at(14), at(15))]
    assert planning.aligned(TYPES["pulse"], at(13), at(14) + MICRO) == [(at(13), at(14)), (at(14), at(15))]
    assert planning.aligned(TYPES["pulse"], at(13), at(13)) == []


def test_windows_of_two_weeks_lie_on_the_same_dates_whatever_is_asked_for() -> None:
    begins = utc(2026, 11, 14)
    assert planning.aligned(TYPES["walk"], begins, begins + MICRO, width=14 * DAY) == [(begins, begins + 14 * DAY)]
    before = begins - MICRO
    assert planning.aligned(TYPES["walk"], before, begins, width=14 * DAY) == [(begins - 14 * DAY, begins)]


def test_spans_are_joined_where_they_touch_overlap_or_hold_each_other_in_any_order() -> None:
    spans = [(at(0), at(2)), (at(3), at(6)), (at(4), at(5)), (at(6), at(7)), (at(9), at(10)), (at(9.5), at(11))]
    for order in itertools.permutations(spans):
        assert planning.merged(order) == [(at(0), at(2)), (at(3), at(7)), (at(9), at(11))]


def test_of_a_interval_the_parts_that_lie_within_others_are_left() -> None:
    allowed = [(at(1), at(3)), (at(4), at(6)), (at(6), at(7)), (at(8), at(9))]
    assert planning.within(allowed, at(2), at(8)) == [(at(2), at(3)), (at(4), at(6)), (at(6), at(7))]
    assert planning.within(allowed, at(0), at(1)) == planning.within(allowed, at(3), at(4)) == []
    assert planning.within(allowed, at(4.25), at(4.5)) == [(at(4.25), at(4.5))]


def test_a_window_that_two_intervals_touch_comes_once() -> None:
    stretches = [(at(14.5), at(15)), (at(13), at(14.25))]
    assert planning.windows_of(TYPES["pulse"], stretches) == [(at(13), at(14)), (at(14), at(15))]


@pytest.mark.parametrize(
    ("allowed", "start", "end", "expected"),
    [
        ((at(0), at(24)), at(10), at(12), (at(10), at(12))),
        ((at(0), at(24)), at(10) + MICRO, at(12) + MICRO, (at(10), at(13))),
        ((at(0), at(24)), at(11) - MICRO, at(12) - MICRO, (at(10), at(12))),
        # An hour of which the beginning, or the end, may not be had.
        ((at(10), at(12)), at(0), at(24), (at(10), at(12))),
        ((at(10) + MICRO, at(13) - MICRO), at(0), at(24), (at(11), at(12))),
        ((at(10) + MICRO, at(12) - MICRO), at(0), at(24), None),
        ((at(10.5), at(10.75)), at(0), at(24), None),
        # Of the hour that is going on there is nothing after now.
        ((at(10), NOW), at(0), NOW, (at(10), at(14))),
        ((at(10), NOW), at(0), at(12), (at(10), at(12))),
        ((at(10), NOW - MICRO), at(0), NOW, (at(10), at(13))),
    ],
)
def test_whole_hours_are_checked(
    allowed: tuple[dt.datetime, dt.datetime], start: dt.datetime, end: dt.datetime, expected: object
) -> None:
    assert planning.whole_hours([allowed], start, end, NOW) == ([expected] if expected else [])


def test_whole_hours_of_each_interval_are_checked() -> None:
    found = planning.whole_hours([(at(1), at(3)), (at(4.5), at(4.75)), (at(6), at(8))], at(0), at(24), NOW)
    assert found == [(at(1), at(3)), (at(6), at(8))]


def test_passes_check_hours_from_the_midnight_before_the_watched_days(settings: Settings) -> None:
    settings.SYNC_WATCH_DAYS = 7
    assert planning.fingerprinted_from(NOW) == planning.fingerprinted_from(at(0)) == at(0, 13)
    assert planning.fingerprinted_from(at(0) - MICRO) == at(0, 12)


# --- asking ------------------------------------------------------------------------------------------------------


@pytest.fixture
def connected(vendor: FakeVendor, db: None) -> Connection:
    """Somebody connected two weeks before NOW."""
    return connect(NOW)


@pytest.fixture
def other(connected: Connection) -> Connection:
    """Another participant of the same vendor."""
    return connect(NOW, user="user-2")


def make(connection: Connection, hour: float = 10, **more: object) -> SyncWindow:
    """An hour of pulse, due for an hour."""
    begins = more.get("starts_at", at(hour))
    assert isinstance(begins, dt.datetime)
    fields = {"starts_at": begins, "ends_at": begins + HOUR, "due_at": NOW - HOUR}
    known = {"data_type": "pulse", "reason": "scheduled"}
    return SyncWindow.objects.create(connection=connection, **{**fields, **known, **more})


def ask(connection: Connection, hour: float = 10, *, reason: str = "webhook", due_at: dt.datetime = NOW) -> int:
    return planning.make_due(connection, "pulse", [(at(hour), at(hour + 1))], reason=reason, due_at=due_at)


def test_asking_for_nothing_makes_nothing(connected: Connection) -> None:
    assert (planning.make_all_due(connected, [], due_at=NOW), SyncWindow.objects.count()) == (0, 0)


def test_what_was_never_asked_for_is_due_as_it_is_wanted(connected: Connection) -> None:
    wanted = [
        planning.WindowRequest("pulse", at(10), at(11), "webhook"),
        planning.WindowRequest("pulse", at(10), at(14), "history", "look"),
        planning.WindowRequest("walk", at(0), at(24), "backfill"),
    ]
    assert planning.make_all_due(connected, wanted, due_at=NOW + HOUR) == 3
    names = ("connection", "data_type", "kind", "starts_at", "ends_at", "reason", "state", "due_at", "attempts")
    assert set(SyncWindow.objects.values_list(*names)) == {
        (connected.pk, "pulse", "read", at(10), at(11), "webhook", "due", NOW + HOUR, 0),
        (connected.pk, "pulse", "look", at(10), at(14), "history", "due", NOW + HOUR, 0),
        (connected.pk, "walk", "read", at(0), at(24), "backfill", "due", NOW + HOUR, 0),
    }


def test_a_window_is_known_by_its_type_its_kind_and_both_its_ends(connected: Connection) -> None:
    mine = make(connected, state="done")
    wanted = [
        planning.WindowRequest("rest", at(10), at(11), "webhook"),
        planning.WindowRequest("pulse", at(10), at(11), "webhook", "look"),
        planning.WindowRequest("pulse", at(10), at(12), "webhook"),
        planning.WindowRequest("pulse", at(9), at(11), "webhook"),
    ]
    planning.make_all_due(connected, wanted, due_at=NOW)
    mine.refresh_from_db()
    assert (mine.state, SyncWindow.objects.count()) == ("done", 5)


def test_the_same_interval_wanted_twice_at_once_is_one_window(connected: Connection) -> None:
    planning.make_all_due(connected, [planning.WindowRequest("pulse", at(10), at(11), "webhook")] * 2, due_at=NOW)
    assert SyncWindow.objects.count() == 1


def test_asking_for_what_is_answered_begins_anew_with_all_attempts(connected: Connection) -> None:
    mine = make(connected, state="failed", attempts=6, error_code="timeout")
    assert ask(connected, due_at=NOW + HOUR) == 1
    mine.refresh_from_db()
    assert (mine.state, mine.reason, mine.due_at, mine.attempts, mine.error_code, mine.again) == (
        "due", "webhook", NOW + HOUR, 0, "", False,
    )  # fmt: skip


def test_what_is_being_read_keeps_its_claim_and_what_it_is_read_for(connected: Connection) -> None:
    mine = make(connected, state="claimed", claimed_at=NOW, attempts=1, reason="backfill")
    ask(connected)
    mine.refresh_from_db()
    assert (mine.state, mine.claimed_at, mine.attempts, mine.reason, mine.due_at, mine.again) == (
        "claimed", NOW, 1, "backfill", NOW - HOUR, True,
    )  # fmt: skip


def test_what_is_due_already_stays_as_it_is(connected: Connection) -> None:
    mine = make(connected, due_at=NOW + 2 * HOUR, attempts=2, error_code="timeout")
    ask(connected, due_at=NOW)
    mine.refresh_from_db()
    assert (mine.reason, mine.due_at, mine.attempts, mine.error_code, mine.again) == (
        "scheduled", NOW + 2 * HOUR, 2, "timeout", False,
    )  # fmt: skip


@pytest.mark.parametrize("before", ["backfill", "history"])
@pytest.mark.parametrize(("reason", "lifted"), [("webhook", True), ("backfill", False), ("history", False)])
def test_what_yields_is_brought_forward_by_what_does_not(
    connected: Connection, before: str, reason: str, lifted: bool
) -> None:
    mine = make(connected, reason=before, due_at=NOW + 2 * HOUR)
    ask(connected, reason=reason, due_at=NOW)
    mine.refresh_from_db()
    assert (mine.reason, mine.due_at) == ((reason, NOW) if lifted else (before, NOW + 2 * HOUR))


@pytest.mark.parametrize("state", ["done", "failed", "claimed", "due"])
def test_asking_changes_no_window_beside_those_asked_for(connected: Connection, other: Connection, state: str) -> None:
    make(connected)
    beside = [make(connected, 9), make(other), make(connected, data_type="walk")]
    SyncWindow.objects.filter(pk__in=[one.pk for one in beside]).update(state=state, reason="backfill", attempts=3)
    ask(connected)
    rows = SyncWindow.objects.filter(pk__in=[one.pk for one in beside])
    assert set(rows.values_list("state", "reason", "attempts", "again")) == {(state, "backfill", 3, False)}


def test_each_connection_has_windows_of_its_own(connected: Connection, other: Connection) -> None:
    mine = make(connected, state="done")
    assert ask(other) == 1
    mine.refresh_from_db()
    assert mine.state == "done"
    assert list(SyncWindow.objects.filter(state="due").values_list("connection", flat=True)) == [other.pk]


# --- what may be asked for -------------------------------------------------------------------------------------------


def monitored(connection: Connection, starts: dt.date | None, ends: dt.date | None = None) -> None:
    Participant.objects.filter(pk=connection.participant_id).update(
        monitoring_starts_on=starts, monitoring_ends_on=ends
    )


def test_dates_of_monitoring_are_the_bounds_whenever_they_connected(connected: Connection) -> None:
    monitored(connected, dt.date(2026, 1, 10), dt.date(2026, 11, 18))
    assert planning.collectable(connected, NOW) == [(utc(2026, 1, 9) + 23 * HOUR, at(23, 18))]


def test_nothing_after_now_may_be_asked_for(connected: Connection) -> None:
    monitored(connected, dt.date(2026, 11, 10), dt.date(2026, 12, 1))
    assert planning.collectable(connected, NOW) == [(at(23, 9), NOW)]


# The first of the days watched before they connected, from its local midnight.
WATCHED_FROM = utc(2026, 10, 29) + 23 * HOUR


def test_without_a_first_day_the_days_watched_before_they_connected_are_the_first(
    connected: Connection, settings: Settings
) -> None:
    settings.SYNC_WATCH_DAYS = 5
    monitored(connected, None)
    assert planning.collectable(connected, NOW) == [(utc(2026, 10, 31) + 23 * HOUR, NOW)]
    connected.connected_at = None
    assert planning.collectable(connected, NOW) == [(utc(1999, 12, 26) + 23 * HOUR, NOW)]


def test_a_pause_does_not_make_a_first_day(connected: Connection) -> None:
    pause = dt.date(2026, 11, 10)
    Pause.objects.create(participant=connected.participant, starts_on=pause, ends_on=pause, reason="away")
    Protocol.objects.update(collect_in_pauses=False)
    assert planning.collectable(connected, NOW) == [(WATCHED_FROM, at(23, 9)), (at(23, 10), NOW)]


def test_of_an_account_that_was_changed_nothing_is_asked_from_before(connected: Connection) -> None:
    connected.account_since = at(9, 12)
    assert planning.collectable(connected, NOW) == [(at(9, 12), NOW)]
    connected.account_since = NOW - 60 * DAY
    assert planning.collectable(connected, NOW) == [(WATCHED_FROM, NOW)]


def test_of_who_begins_after_the_trial_s_last_day_nothing_may_be_asked_for(connected: Connection) -> None:
    monitored(connected, dt.date(2026, 11, 10))
    Trial.objects.update(ends_on=dt.date(2026, 11, 9))
    assert planning.collectable(connected, NOW) == []
    assert planning.plan_pass(connected, NOW) == 0


# --- a pass, exactly ---------------------------------------------------------------------------------------------


def planned(connection: Connection, data_type: str, reason: str, kind: str = "read") -> list[planning.Interval]:
    mine = SyncWindow.objects.filter(connection=connection, data_type=data_type, reason=reason, kind=kind)
    return list(mine.order_by("starts_at").values_list("starts_at", "ends_at"))


def grid(start: dt.datetime, end: dt.datetime, width: dt.timedelta = HOUR) -> list[planning.Interval]:
    return [(start + n * width, start + (n + 1) * width) for n in range((end - start) // width)]


def passed(connection: Connection, *, swept: dt.timedelta | None, pulled: dt.timedelta | None) -> None:
    """As it stands before a pass at NOW: when the last sweep was, and when the last pull."""
    connection.swept_at = None if swept is None else NOW - swept
    connection.last_pull_at = None if pulled is None else NOW - pulled
    connection.save()


@pytest.fixture
def month(connected: Connection, settings: Settings) -> Connection:
    """Monitored since the midnight of 20 October."""
    settings.SYNC_WATCH_DAYS, settings.SYNC_FRESH_HOURS, settings.SYNC_SWEEP_DAYS = 7, 36, 7
    monitored(connected, dt.date(2026, 10, 20))
    return connected


FIRST = utc(2026, 10, 19) + 22 * HOUR
WATCHED_DAYS = grid(at(0, 13), at(24), DAY)


def test_a_regular_pass_reads_fresh_hours_checks_the_watched_and_reads_days_in_full(month: Connection) -> None:
    passed(month, swept=HOUR, pulled=HOUR)
    count = planning.plan_pass(month, NOW)
    assert planned(month, "pulse", "scheduled") == grid(at(1, 19), at(14))
    assert planned(month, "pulse", "scheduled", "look") == [(at(0, 13), at(14))]
    assert planned(month, "walk", "scheduled") == planned(month, "rest", "scheduled") == WATCHED_DAYS
    assert count == SyncWindow.objects.count() == 37 + 1 + 8 + 8
    assert set(SyncWindow.objects.values_list("due_at", "state")) == {(NOW, "due")}


def test_a_first_pass_is_a_sweep_with_all_that_is_past_as_backfill(month: Connection) -> None:
    passed(month, swept=None, pulled=None)
    planning.plan_pass(month, NOW)
    # The hour, and the day, in which the watched ones begin is theirs.
    assert planned(month, "pulse", "backfill") == grid(FIRST, at(13, 13))
    assert planned(month, "pulse", "sweep") == grid(at(13, 13), at(14))
    assert planned(month, "walk", "backfill") == grid(utc(2026, 10, 19), at(0, 13), DAY)
    assert planned(month, "walk", "sweep") == planned(month, "rest", "sweep") == WATCHED_DAYS
    assert planned(month, "pulse", "scheduled", "look") == [(at(0, 13), at(14))]
    assert not SyncWindow.objects.filter(reason="history").exists()


def test_a_sweep_reads_the_watched_days_and_checks_all_that_is_past(month: Connection) -> None:
    passed(month, swept=8 * DAY, pulled=HOUR)
    planning.plan_pass(month, NOW)
    fortnights = grid(utc(2026, 10, 17), at(0, 14), 14 * DAY)
    assert planned(month, "pulse", "sweep") == grid(at(13, 13), at(14))
    assert planned(month, "pulse", "history", "look") == fortnights
    assert planned(month, "walk", "history") == planned(month, "rest", "history") == fortnights
    assert planned(month, "pulse", "history") == planned(month, "pulse", "backfill") == []
    assert month.swept_at == NOW


def test_what_is_past_ends_where_the_checks_of_passes_begin(month: Connection) -> None:
    """Hours of the UTC day in which the watched days begin are looked at by each pass; days are read from then on."""
    passed(month, swept=8 * DAY, pulled=HOUR)
    Participant.objects.update(time_zone="America/New_York")
    month.participant.refresh_from_db()
    monitored(month, dt.date(2026, 11, 13))  # from 05:00 UTC on; from 13:20 on they are watched
    planning.plan_pass(month, NOW)
    assert planned(month, "pulse", "history", "look") == []
    assert planned(month, "walk", "history") == [(utc(2026, 10, 31), at(0, 14))]
    SyncWindow.objects.all().delete()
    monitored(month, dt.date(2026, 11, 12))
    passed(month, swept=8 * DAY, pulled=HOUR)
    planning.plan_pass(month, NOW)
    assert planned(month, "pulse", "history", "look") == [(utc(2026, 10, 31), at(0, 14))]


def test_a_pass_by_hand_is_a_sweep_whenever_the_last_one_was(month: Connection) -> None:
    passed(month, swept=HOUR, pulled=HOUR)
    planning.plan_pass(month, NOW, reason="manual")
    assert planned(month, "pulse", "manual") == grid(at(13, 13), at(14))
    assert planned(month, "pulse", "manual", "look") == [(at(0, 13), at(14))]
    assert len(planned(month, "walk", "history")) == 2
    assert not SyncWindow.objects.filter(reason="sweep").exists()
    assert month.swept_at == NOW


@pytest.mark.parametrize(("since", "sweeps"), [(7 * DAY - MICRO, False), (7 * DAY, True)])
def test_a_sweep_comes_when_its_days_are_over(month: Connection, since: dt.timedelta, sweeps: bool) -> None:
    passed(month, swept=since, pulled=HOUR)
    planning.plan_pass(month, NOW)
    assert SyncWindow.objects.filter(reason="sweep").exists() is sweeps
    month.refresh_from_db()
    assert month.swept_at == (NOW if sweeps else NOW - since)


@pytest.mark.parametrize(("away", "missed"), [(7 * DAY, []), (7 * DAY + MICRO, grid(at(13, 6), at(14, 13)))])
def test_who_was_away_for_longer_than_days_are_watched_has_the_days_before_that_read(
    month: Connection, away: dt.timedelta, missed: list[planning.Interval]
) -> None:
    passed(month, swept=HOUR, pulled=away)
    planning.plan_pass(month, NOW)
    assert planned(month, "pulse", "backfill") == missed


def test_a_sweep_after_they_were_away_checks_what_was_read_before(month: Connection) -> None:
    passed(month, swept=None, pulled=20 * DAY)
    planning.plan_pass(month, NOW)
    # Twenty days ago the days from 24 October, 13:20 on were watched.
    assert planned(month, "pulse", "backfill")[0] == (utc(2026, 10, 24) + 13 * HOUR, utc(2026, 10, 24) + 14 * HOUR)
    assert planned(month, "pulse", "history", "look") == grid(utc(2026, 10, 17), utc(2026, 10, 31), 14 * DAY)


def test_a_pass_does_away_with_checks_not_begun_and_with_nothing_else(month: Connection, other: Connection) -> None:
    passed(month, swept=HOUR, pulled=HOUR)
    gone = [make(month, kind="look", state=state, ends_at=at(hour)) for state, hour in (("due", 12), ("failed", 13))]
    kept = [
        make(month, kind="look", state="claimed", ends_at=at(14)),
        make(month, kind="look", state="done", ends_at=at(15)),
        make(month, kind="look", reason="history", ends_at=at(16)),
        make(month, kind="look", reason="history", state="failed", ends_at=at(17)),
        make(month, kind="read", reason="webhook", state="due", starts_at=at(0, 3)),
        make(month, kind="read", reason="webhook", state="failed", starts_at=at(1, 3)),
        make(other, kind="look"),
    ]
    planning.plan_pass(month, NOW)
    left = set(SyncWindow.objects.values_list("pk", flat=True))
    assert left & {one.pk for one in gone + kept} == {one.pk for one in kept}


def test_a_pass_sets_the_next(month: Connection) -> None:
    passed(month, swept=HOUR, pulled=HOUR)
    planning.plan_pass(month, NOW)
    month.refresh_from_db()
    assert month.next_due_at == planning.next_pass(month, NOW) > NOW


# --- when ----------------------------------------------------------------------------------------------------------


def numbered(pk: int, provider: str = "fake") -> Connection:
    return Connection(pk=pk, provider=provider)


@pytest.mark.parametrize(
    ("connection", "seconds"),
    [(numbered(1), 572), (numbered(2), 307), (numbered(3), 154), (numbered(1, "google_health"), 568)],
)
def test_each_connection_has_a_jitter_of_its_own(connection: Connection, seconds: int, settings: Settings) -> None:
    settings.SYNC_AT, settings.SYNC_EVERY_MINUTES, settings.SYNC_JITTER_MINUTES = None, 60, 10
    assert planning.next_pass(connection, NOW) - NOW == HOUR + seconds * dt.timedelta(seconds=1)
    settings.SYNC_AT = dt.time(18)
    assert planning.next_pass(connection, NOW) == at(18) + seconds * dt.timedelta(seconds=1)


def test_jitter_reaches_its_minutes_and_no_further(settings: Settings) -> None:
    settings.SYNC_AT, settings.SYNC_EVERY_MINUTES, settings.SYNC_JITTER_MINUTES = None, 60, 1
    found = {(planning.next_pass(numbered(pk), NOW) - NOW - HOUR).total_seconds() for pk in range(2000)}
    assert found == set(range(61))


@pytest.mark.parametrize(("now", "expected"), [(at(6) - MICRO, at(6)), (at(6), at(6, 21)), (at(6) + MICRO, at(6, 21))])
def test_at_the_time_set_the_next_pass_is_tomorrow_s(
    now: dt.datetime, expected: dt.datetime, settings: Settings
) -> None:
    settings.SYNC_AT, settings.SYNC_JITTER_MINUTES = dt.time(6), 0
    assert planning.next_pass(numbered(1), now) == expected


def test_the_time_set_is_of_the_day_in_utc(settings: Settings) -> None:
    settings.SYNC_AT, settings.SYNC_JITTER_MINUTES = dt.time(6), 0
    there = at(4, 21).astimezone(zoneinfo.ZoneInfo("America/New_York"))
    assert planning.next_pass(numbered(1), there) == at(6, 21)


# --- what happens between passes ------------------------------------------------------------------------------------


def test_a_device_that_synced_after_a_silence_has_the_days_since_read_up_to_those_that_are_watched(
    month: Connection, other: Connection
) -> None:
    for one in (month, other):
        passed(one, swept=HOUR, pulled=HOUR)
    count = planning.uploaded(month, at(9, 10), NOW)
    # Their local day began at 23:00 UTC of the day before.
    assert planned(month, "pulse", "uploaded") == grid(at(23, 9), at(14, 13))
    assert planned(month, "walk", "uploaded") == planned(month, "rest", "uploaded") == grid(at(0, 9), at(24, 13), DAY)
    assert count == SyncWindow.objects.count()
    assert set(SyncWindow.objects.values_list("due_at", flat=True)) == {NOW}
    swept_at = dict(Connection.objects.values_list("pk", "swept_at"))
    assert swept_at == {month.pk: None, other.pk: NOW - HOUR}


def test_a_device_that_was_silent_for_less_than_days_are_watched_has_nothing_read_again(month: Connection) -> None:
    passed(month, swept=HOUR, pulled=HOUR)
    assert planning.uploaded(month, at(23, 13), NOW) == 0
    month.refresh_from_db()
    assert (month.swept_at, SyncWindow.objects.count()) == (NOW - HOUR, 0)


def test_a_backfill_asks_for_all_types_from_the_instant_to_now(month: Connection) -> None:
    count = planning.plan_backfill(month, at(11.5), NOW)
    assert planned(month, "pulse", "backfill") == grid(at(11), at(14))
    assert planned(month, "walk", "backfill") == planned(month, "rest", "backfill") == [(at(0), at(24))]
    assert count == SyncWindow.objects.count() == 5
    assert set(SyncWindow.objects.values_list("due_at", flat=True)) == {NOW}


def test_what_stands_for_days_that_moved_is_read_again(month: Connection, other: Connection) -> None:
    since = at(9, 15)

    def day(begins: dt.datetime, ends: dt.datetime, **more: object) -> SyncWindow:
        fields = {"connection": month, "data_type": "rest", "state": "done", **more}
        return SyncWindow.objects.create(
            starts_at=begins, ends_at=ends, reason="scheduled", due_at=NOW - HOUR, **fields
        )

    again = [day(since - 2 * DAY, since - DAY), day(at(0, 17), at(24, 17))]
    under_way = day(at(0, 18), at(24, 18), state="claimed")
    left = [
        day(since - 2 * DAY, since - DAY - MICRO),
        day(at(0), at(24), kind="look"),
        day(at(0, 17), at(24, 17), data_type="walk"),
        day(at(0, 16), at(24, 16), state="failed"),
        day(at(0, 18), at(24, 18), connection=other),
        day(at(24), at(48)),  # what has not begun
    ]
    before = {one.pk: (one.state, one.reason) for one in left}
    assert planning.days_moved(month, live_providers.provider("fake"), since, NOW) == 3
    rows = SyncWindow.objects.in_bulk()
    assert {(rows[one.pk].state, rows[one.pk].reason, rows[one.pk].due_at) for one in again} == {
        ("due", "restated", NOW)
    }
    assert (rows[under_way.pk].state, rows[under_way.pk].again) == ("claimed", True)
    assert {pk: (rows[pk].state, rows[pk].reason) for pk in before} == before


def test_days_that_moved_of_all_types_are_counted(
    month: Connection, vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TYPES, "weigh", dataclasses.replace(TYPES["rest"], code="weigh"))
    for name in ("rest", "weigh"):
        make(month, data_type=name, state="done", starts_at=at(0, 17), ends_at=at(24, 17))
    assert planning.days_moved(month, vendor, at(0, 17), NOW) == 2


def test_what_was_given_up_comes_back_and_nothing_else(connected: Connection, other: Connection) -> None:
    mine = make(connected, state="failed", attempts=6, finished_at=NOW - HOUR, reason="backfill")
    beside = [make(other, state="failed"), make(connected, 9, state="done"), make(connected, 8, state="claimed")]
    assert planning.requeue_failed(connected, NOW) == 1
    mine.refresh_from_db()
    assert (mine.state, mine.reason, mine.due_at, mine.attempts, mine.finished_at) == ("due", "manual", NOW, 0, None)
    rows = SyncWindow.objects.in_bulk()
    assert [rows[one.pk].state for one in beside] == ["failed", "done", "claimed"]
