"""What is asked for, and when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from pytest_django import Settings

from ingestion.models import Connection, SyncWindow
from ingestion.sync import plan
from participants.models import Participant
from tests.sync.fake import TYPES, FakeVendor

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
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
    hours = plan.aligned(TYPES["pulse"], start, start + HOUR)
    days = plan.aligned(TYPES["walk"], start, start + HOUR)
    assert [(a.hour, b.hour) for a, b in hours] == [(13, 14), (14, 15)]
    assert days == [(dt.datetime(2026, 11, 20, tzinfo=dt.UTC), dt.datetime(2026, 11, 21, tzinfo=dt.UTC))]


def test_a_first_pass_reads_the_watched_week_in_full(connection: Connection, now: dt.datetime) -> None:
    plan.plan_pass(connection, now)
    newest = [w for w in reads("pulse") if w.reason == "sweep"]
    assert newest[0].starts_at <= now - 7 * DAY < newest[0].ends_at
    assert newest[-1].starts_at <= now < newest[-1].ends_at


def test_what_lies_before_the_week_comes_as_backfill(connection: Connection, now: dt.datetime) -> None:
    Participant.objects.update(monitoring_starts_on=(now - 10 * DAY).date())
    connection.refresh_from_db()
    plan.plan_pass(connection, now)
    older = [w for w in reads("walk") if w.reason == "backfill"]
    assert older[0].starts_at <= now - 10 * DAY + DAY
    assert older[-1].ends_at <= now - 6 * DAY


def test_a_later_pass_reads_the_recent_hours_and_looks_at_the_rest(connection: Connection, now: dt.datetime) -> None:
    swept(connection, now)
    plan.plan_pass(connection, now)
    assert reads("pulse")[0].ends_at > now - 36 * HOUR
    look = SyncWindow.objects.get(kind="look")
    assert (look.data_type, look.starts_at <= now - 7 * DAY) == ("pulse", True)


def test_what_cannot_be_fingerprinted_is_read_for_the_whole_week(connection: Connection, now: dt.datetime) -> None:
    swept(connection, now)
    plan.plan_pass(connection, now)
    assert reads("walk")[0].starts_at <= now - 7 * DAY


def test_the_whole_week_is_read_again_after_a_week(connection: Connection, now: dt.datetime) -> None:
    connection.swept_at, connection.last_pull_at = now - 8 * DAY, now - HOUR
    plan.plan_pass(connection, now)
    assert reads("pulse")[0].starts_at <= now - 7 * DAY


def test_who_was_away_for_weeks_gets_what_she_missed(connection: Connection, now: dt.datetime) -> None:
    Participant.objects.update(monitoring_starts_on=(now - 60 * DAY).date())
    connection.refresh_from_db()
    connection.swept_at, connection.last_pull_at = None, now - 20 * DAY
    plan.plan_pass(connection, now)
    first = reads("walk")[0].starts_at
    assert now - 28 * DAY <= first <= now - 27 * DAY + HOUR


def test_a_consent_not_given_is_not_planned(connection: Connection, now: dt.datetime) -> None:
    connection.scopes = ["move"]
    plan.plan_pass(connection, now)
    assert set(SyncWindow.objects.values_list("data_type", flat=True)) == {"walk"}


def test_nothing_after_her_monitoring_is_planned(connection: Connection, now: dt.datetime) -> None:
    Participant.objects.update(monitoring_ends_on=(now - 3 * DAY).date())
    connection.refresh_from_db()
    plan.plan_pass(connection, now)
    assert max(w.starts_at for w in SyncWindow.objects.all()) < now - 2 * DAY


def test_the_next_pass_is_an_interval_away(connection: Connection, now: dt.datetime, settings: Settings) -> None:
    settings.SYNC_EVERY_MINUTES, settings.SYNC_JITTER_MINUTES = 60, 10
    assert now + HOUR <= plan.next_pass(connection, now) <= now + 70 * dt.timedelta(minutes=1)


def test_the_next_pass_comes_once_a_day_at_the_time_set(connection: Connection, settings: Settings) -> None:
    settings.SYNC_AT, settings.SYNC_JITTER_MINUTES = dt.time(6), 0
    early, late = dt.datetime(2026, 11, 20, 5, tzinfo=dt.UTC), dt.datetime(2026, 11, 20, 7, tzinfo=dt.UTC)
    assert plan.next_pass(connection, early) == dt.datetime(2026, 11, 20, 6, tzinfo=dt.UTC)
    assert plan.next_pass(connection, late) == dt.datetime(2026, 11, 21, 6, tzinfo=dt.UTC)


def test_a_connections_jitter_is_always_the_same(connection: Connection, now: dt.datetime) -> None:
    assert plan.next_pass(connection, now) == plan.next_pass(connection, now)


def test_asking_for_what_is_being_read_has_it_read_once_more(
    connection: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    held = window(state="claimed", claimed_at=now)
    plan.ask(connection, "pulse", [(held.starts_at, held.ends_at)], reason="webhook", due_at=now)
    held.refresh_from_db()
    assert (held.state, held.again) == ("claimed", True)


def test_asking_for_what_is_done_makes_it_due(connection: Connection, window: MakeWindow, now: dt.datetime) -> None:
    done = window(state="done")
    plan.ask(connection, "pulse", [(done.starts_at, done.ends_at)], reason="webhook", due_at=now)
    done.refresh_from_db()
    assert (done.state, done.reason) == ("due", "webhook")


def test_fresh_interest_lifts_a_window_out_of_the_backfill(
    connection: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    old = window(reason="backfill")
    plan.ask(connection, "pulse", [(old.starts_at, old.ends_at)], reason="webhook", due_at=now)
    old.refresh_from_db()
    assert old.reason == "webhook"


def test_a_backfill_asks_for_everything_whatever_was_answered(
    connection: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    answered, failed = window(hours=3, state="done"), window(hours=2, state="failed")
    count = plan.plan_backfill(connection, now - 4 * HOUR, now)
    assert count == SyncWindow.objects.count()
    assert {(one.state, one.reason) for one in reads("pulse")} == {("due", "backfill")}
    assert {answered.pk, failed.pk} < {one.pk for one in reads("pulse")}
    assert reads("pulse")[0].starts_at <= now - 4 * HOUR < reads("pulse")[0].ends_at


def test_failed_windows_come_back_with_all_their_attempts(
    connection: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    failed = window(state="failed", attempts=6)
    assert plan.requeue_failed(connection, now) == 1
    failed.refresh_from_db()
    assert (failed.state, failed.attempts) == ("due", 0)


@pytest.mark.parametrize(("state", "kept"), [("failed", False), ("done", True)])
def test_when_it_was_read_is_evidence_and_when_it_was_given_up_is_not(
    connection: Connection, window: MakeWindow, now: dt.datetime, state: str, kept: bool
) -> None:
    mine = window(state=state, finished_at=now - HOUR, error_code="" if kept else "timeout")
    plan.ask(connection, "pulse", [(mine.starts_at, mine.ends_at)], reason="webhook", due_at=now)
    mine.refresh_from_db()
    assert (mine.state, mine.finished_at) == ("due", now - HOUR if kept else None)


@pytest.mark.usefixtures("vendor")
def test_spans_that_touch_are_joined() -> None:
    at = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    spans = [(at + HOUR, at + 2 * HOUR), (at, at + HOUR), (at + 5 * HOUR, at + 6 * HOUR)]
    assert plan.merged(spans) == [(at, at + 2 * HOUR), (at + 5 * HOUR, at + 6 * HOUR)]


def test_a_vendor_stands_for_its_protocol(vendor: FakeVendor) -> None:
    from ingestion.providers.base import LiveProvider

    live: LiveProvider = vendor
    assert live.slug == "fake"
