"""What becomes of windows, whatever the vendor answers."""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection as database
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from ingestion.connections import services as connections_services
from ingestion.models import Connection, ConnectionEvent, SyncWindow
from ingestion.providers.base.errors import (
    AccessGone,
    BrokenResponse,
    ClientMisconfigured,
    TokenExpired,
    VendorBusy,
)
from ingestion.sync import claims, run
from ingestion.sync.run import run_sync
from ingestion.sync.run_state import Outcome
from metrics.models import DayRollup, ImplausibleCount, Measurement, OffsetPeriod, ParticipantDay, Revision
from participants.models import Participant
from tests.ingestion.sync.fake import FakeVendor

HOUR, DAY, MINUTE = dt.timedelta(hours=1), dt.timedelta(days=1), dt.timedelta(minutes=1)
MakeWindow = Callable[..., SyncWindow]


def sync_once(connection: Connection) -> Outcome:
    return run_sync(connection.pk)


def values() -> list[float]:
    return list(Measurement.objects.order_by("time").values_list("value", flat=True))


def meanwhile(model: type[Model], **fields: object) -> None:
    """What somebody else does to all rows of a table while the vendor is asked."""
    model._default_manager.update(**fields)


def fill(vendor: FakeVendor, window: SyncWindow, value: float = 60.0, every: int = 10) -> None:
    for minute in range(0, 60, every):
        vendor.points[window.data_type][window.starts_at + minute * MINUTE] = value


def test_a_window_is_read_stored_and_done(connection: Connection, vendor: FakeVendor, window: MakeWindow) -> None:
    mine = window()
    fill(vendor, mine)
    sync_once(connection)
    mine.refresh_from_db()
    assert (mine.state, mine.points, mine.requests, len(values())) == ("done", 6, 1, 6)


def test_the_connection_tells_how_far_its_data_reach(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    mine = window()
    fill(vendor, mine)
    sync_once(connection)
    connection.refresh_from_db()
    assert connection.last_data_at == mine.starts_at + 50 * MINUTE


def test_reading_again_changes_nothing(connection: Connection, vendor: FakeVendor, window: MakeWindow) -> None:
    mine = window()
    fill(vendor, mine)
    sync_once(connection)
    SyncWindow.objects.update(state="due")
    outcome = sync_once(connection)
    assert (outcome.counts.new, outcome.counts.unchanged + outcome.counts.repeated, len(values())) == (0, 6, 6)


def test_an_empty_answer_removes_what_the_vendor_withdrew(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    mine = window()
    fill(vendor, mine)
    sync_once(connection)
    vendor.points["pulse"].clear()
    SyncWindow.objects.update(state="due")
    assert (sync_once(connection).counts.removed, values(), Revision.objects.count()) == (6, [], 6)


def test_impossible_values_are_kept_and_not_worn_until_the_vendor_puts_them_right(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    mine = window()
    for turns, (value, worn) in enumerate(((3.0, 0), (60.0, 6), (255.0, 0))):
        fill(vendor, mine, value)
        SyncWindow.objects.update(state="due")
        outcome = sync_once(connection)
        assert (outcome.counts.flagged, values(), Revision.objects.count()) == (
            6 if not worn else 0,
            [value] * 6,
            6 * turns,
        )
        assert sum(ParticipantDay.objects.values_list("worn_minutes", flat=True)) == worn
        assert DayRollup.objects.exists() == bool(worn)
    vendor.points["pulse"].clear()
    SyncWindow.objects.update(state="due")
    assert (sync_once(connection).counts.removed, values(), ImplausibleCount.objects.count()) == (6, [], 0)


def test_an_error_removes_nothing(connection: Connection, vendor: FakeVendor, window: MakeWindow) -> None:
    mine = window()
    fill(vendor, mine)
    sync_once(connection)
    vendor.points["pulse"].clear()
    vendor.script.append(BrokenResponse("truncated"))
    SyncWindow.objects.update(state="due")
    sync_once(connection)
    assert len(values()) == 6


def test_busy_puts_everything_off_and_keeps_what_was_read(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    newer, older = window(hours=1), window(hours=2)
    fill(vendor, newer)
    vendor.script.extend([None, VendorBusy("rate_limit", 120)])
    outcome = sync_once(connection)
    newer.refresh_from_db()
    older.refresh_from_db()
    connection.refresh_from_db()
    assert (newer.state, older.state, older.attempts, len(values())) == ("done", "due", 0, 6)
    assert connection.busy_until is not None
    assert outcome.wait == 120


def test_while_the_vendor_is_busy_nothing_is_asked(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    window()
    Connection.objects.update(busy_until=dt.datetime.now(dt.UTC) + HOUR)
    sync_once(connection)
    assert vendor.requested == []


def test_a_broken_answer_is_tried_again_later(connection: Connection, vendor: FakeVendor, window: MakeWindow) -> None:
    mine = window()
    vendor.script.append(BrokenResponse("truncated"))
    sync_once(connection)
    mine.refresh_from_db()
    assert (mine.state, mine.attempts, mine.error_code) == ("due", 1, "truncated")
    assert mine.due_at > dt.datetime.now(dt.UTC)


def test_a_window_that_breaks_does_not_hold_up_the_others(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    newer, older = window(hours=1), window(hours=2)
    vendor.script.append(BrokenResponse("truncated"))
    sync_once(connection)
    newer.refresh_from_db()
    older.refresh_from_db()
    assert (newer.state, older.state) == ("due", "done")


def test_after_the_last_attempt_a_window_fails_visibly(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, settings: Settings
) -> None:
    mine = window(attempts=settings.SYNC_ATTEMPTS - 1)
    vendor.script.append(BrokenResponse("truncated"))
    assert sync_once(connection).failed == 1
    mine.refresh_from_db()
    assert (mine.state, mine.error_code) == ("failed", "truncated")


@pytest.mark.parametrize("code", [AccessGone.DENIED, AccessGone.ACCOUNT_NOT_LINKED])
def test_lost_access_ends_the_asking(connection: Connection, vendor: FakeVendor, window: MakeWindow, code: str) -> None:
    window(hours=1), window(hours=2)
    vendor.script.append(AccessGone(code))
    sync_once(connection)
    connection.refresh_from_db()
    assert (connection.status, connection.status_reason, len(vendor.requested)) == ("reconnect", code, 1)
    sync_once(connection)
    assert len(vendor.requested) == 1


def test_a_missing_scope_concerns_its_data_alone(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    pulse, walk = window(), window(data_type="walk", hours=20)
    vendor.script.append(AccessGone(AccessGone.SCOPE_MISSING))
    sync_once(connection)
    pulse.refresh_from_db()
    walk.refresh_from_db()
    connection.refresh_from_db()
    assert (pulse.state, pulse.error_code, walk.state) == ("failed", "scope_missing", "done")
    assert (connection.status, connection.scopes) == ("active", ["move"])
    assert ConnectionEvent.objects.get().reason == "scope_missing"


def test_credentials_of_ours_mark_nobody(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, caplog: pytest.LogCaptureFixture
) -> None:
    mine = window()
    vendor.script.append(ClientMisconfigured("invalid_client"))
    sync_once(connection)
    mine.refresh_from_db()
    connection.refresh_from_db()
    assert (connection.status, mine.state, mine.attempts) == ("active", "due", 0)
    assert [r.levelno for r in caplog.records if r.levelno >= logging.ERROR] == [logging.CRITICAL]


def test_tokens_that_no_key_opens_are_the_operators_affair(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    mine = window()
    settings.TOKEN_KEYS = ["another-key"]
    sync_once(connection)
    mine.refresh_from_db()
    connection.refresh_from_db()
    assert (connection.status, mine.state, vendor.requested) == ("active", "due", [])
    assert "put the old key back" in caplog.text


def test_a_token_that_ran_out_is_refreshed_once(connection: Connection, vendor: FakeVendor, window: MakeWindow) -> None:
    mine = window()
    vendor.token = "access-newer"
    sync_once(connection)
    mine.refresh_from_db()
    assert (vendor.refreshes, mine.state) == (1, "done")


def test_a_fresh_token_that_is_refused_too_means_lost_access(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    window()
    vendor.script.extend([TokenExpired("expired"), TokenExpired("expired")])
    sync_once(connection)
    connection.refresh_from_db()
    assert (connection.status, connection.status_reason, vendor.refreshes) == ("reconnect", "permission_denied", 1)


def test_a_dead_grant_needs_reconnecting(connection: Connection, vendor: FakeVendor, window: MakeWindow) -> None:
    mine = window()
    vendor.token, vendor.refresh_error = "access-newer", AccessGone(AccessGone.EXPIRED_GRANT)
    sync_once(connection)
    connection.refresh_from_db()
    mine.refresh_from_db()
    assert (connection.status_reason, mine.state) == ("expired_grant", "due")


def test_a_token_address_that_does_not_answer_is_asked_later(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    mine = window()
    Connection.objects.update(token_expires_at=None)
    vendor.refresh_error = BrokenResponse("connection_failed")
    sync_once(connection)
    connection.refresh_from_db()
    mine.refresh_from_db()
    assert (connection.status, mine.state, mine.attempts) == ("active", "due", 0)
    assert connection.busy_until is not None


def test_asked_again_while_being_read_it_is_read_once_more(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    mine = window()
    vendor.before = partial(meanwhile, SyncWindow, again=True)
    sync_once(connection)
    mine.refresh_from_db()
    vendor.before = lambda: None
    assert mine.state == "due"
    sync_once(connection)
    mine.refresh_from_db()
    assert (mine.state, len(vendor.requested)) == ("done", 2)


def test_a_killed_workers_claim_comes_back(connection: Connection, window: MakeWindow, now: dt.datetime) -> None:
    mine = window(state="claimed", claimed_at=now - HOUR)
    assert claims.release_stale(now) == 1
    mine.refresh_from_db()
    assert mine.state == "due"


def test_a_recent_claim_is_left_alone(connection: Connection, window: MakeWindow, now: dt.datetime) -> None:
    window(state="claimed", claimed_at=now - MINUTE)
    assert claims.release_stale(now) == 0


def test_a_claim_that_was_lost_while_reading_stores_nothing(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    mine = window()
    fill(vendor, mine)
    vendor.before = partial(meanwhile, SyncWindow, state="due", claimed_at=None)
    sync_once(connection)
    mine.refresh_from_db()
    assert (values(), mine.state) == ([], "due")


def test_a_claim_that_another_worker_took_meanwhile_stands_and_nothing_is_stored(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    mine, taken = window(), dt.datetime.now(dt.UTC) + MINUTE
    fill(vendor, mine)
    vendor.before = partial(meanwhile, SyncWindow, state="claimed", claimed_at=taken)
    sync_once(connection)
    mine.refresh_from_db()
    assert (values(), mine.state, mine.claimed_at, mine.finished_at) == ([], "claimed", taken, None)


def test_a_worker_that_dies_while_reading_leaves_claims_and_nothing_else(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    mine = window()
    fill(vendor, mine)
    connection.refresh_from_db()
    claims.claim(connection, dt.datetime.now(dt.UTC))
    assert values() == []
    SyncWindow.objects.update(claimed_at=mine.starts_at)
    claims.release_stale(dt.datetime.now(dt.UTC))
    sync_once(connection)
    assert len(values()) == 6


@pytest.mark.parametrize("status", ["withdrawn", "completed", "erased"])
def test_who_has_left_is_not_asked_about(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, status: str
) -> None:
    window()
    Participant.objects.update(status=status)
    sync_once(connection)
    assert vendor.requested == []


def test_from_the_moment_of_withdrawal_nothing_more_is_asked(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    window(hours=1), window(hours=2)
    monkeypatch.setattr(run, "RECHECK", 0.0)
    vendor.before = partial(meanwhile, Participant, status="withdrawn")
    sync_once(connection)
    assert len(vendor.requested) == 1


def test_nothing_from_before_the_monitoring_is_asked(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, now: dt.datetime
) -> None:
    Participant.objects.update(monitoring_starts_on=now.date())
    start = now.replace(hour=0, minute=0) - DAY
    window(data_type="walk", starts_at=start, ends_at=start + DAY)
    sync_once(connection)
    # Amsterdam is an hour ahead of UTC: the first day began on the UTC day before.
    assert [(a, b) for _, _, a, b in vendor.requested] == [(start + 23 * HOUR, start + DAY)]


def test_neighbours_of_a_light_type_are_asked_for_together(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    first = dt.datetime(2026, 11, 10, tzinfo=dt.UTC)
    Participant.objects.update(monitoring_starts_on=dt.date(2026, 11, 1))
    for day in (0, 1, 2, 5):
        window(data_type="walk", starts_at=first + day * DAY, ends_at=first + (day + 1) * DAY)
    sync_once(connection)
    assert [(b - a).days for _, _, a, b in vendor.requested] == [1, 3]


def test_windows_of_a_heavy_type_go_together_as_far_as_they_fit_an_answer(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy = dataclasses.replace(vendor.data_types["pulse"], answer=100)
    monkeypatch.setitem(vendor.data_types, "pulse", heavy)
    window(hours=20, state="done", points=30)
    windows = [window(hours=n) for n in range(1, 6)]
    for mine in windows:
        fill(vendor, mine)
    sync_once(connection)
    assert [(b - a) / HOUR for _, _, a, b in vendor.requested] == [3, 2]
    assert all(SyncWindow.objects.get(pk=mine.pk).points == 6 for mine in windows)


def test_where_the_density_is_unknown_two_windows_go_together(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy = dataclasses.replace(vendor.data_types["pulse"], answer=100)
    monkeypatch.setitem(vendor.data_types, "pulse", heavy)
    for n in range(1, 5):
        window(hours=n)
    sync_once(connection)
    assert [(b - a) / HOUR for _, _, a, b in vendor.requested] == [2, 2]


def test_after_a_broken_answer_a_window_goes_alone(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    first = dt.datetime(2026, 11, 10, tzinfo=dt.UTC)
    Participant.objects.update(monitoring_starts_on=dt.date(2026, 11, 1))
    for day in range(3):
        window(data_type="walk", starts_at=first + day * DAY, ends_at=first + (day + 1) * DAY, attempts=1)
    sync_once(connection)
    assert len(vendor.requested) == 3


def test_synthetic_data_in_a_real_trial_stop_the_asking(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    from metrics.batch import SourceKey
    from tests.ingestion.sync import fake

    monkeypatch.setattr(fake, "SOURCE", SourceKey("fake", synthetic=True))
    mine = window()
    fill(vendor, mine)
    sync_once(connection)
    mine.refresh_from_db()
    assert (values(), mine.state, "not a demo trial" in caplog.text) == ([], "due", True)


# --- journeys ----------------------------------------------------------------------------------------------------


def journey(vendor: FakeVendor, leaves: dt.datetime, returns: dt.datetime) -> None:
    """A point an hour for ten days, on a clock five hours behind UTC between two instants."""
    first = leaves - 3 * DAY
    for n in range(10 * 24):
        at = first + n * HOUR
        vendor.points["pulse"][at] = 60.0
        vendor.offsets.append((at, -18_000 if leaves <= at < returns else 3_600))
    for day in range(9):
        vendor.points["rest"][first + day * DAY + 20 * HOUR] = 50.0 + day


@pytest.mark.parametrize("backwards", [True, False])
def test_a_journey_gives_the_same_days_whichever_end_is_read_first(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, backwards: bool, now: dt.datetime
) -> None:
    leaves = dt.datetime(2026, 11, 10, 12, tzinfo=dt.UTC)
    journey(vendor, leaves, leaves + 3 * DAY)
    Participant.objects.update(monitoring_starts_on=dt.date(2026, 11, 7))
    first = leaves.replace(hour=0) - 2 * DAY
    for day in reversed(range(8)) if backwards else range(8):
        start = first + day * DAY
        for hour in range(24):
            window(starts_at=start + hour * HOUR, ends_at=start + (hour + 1) * HOUR)
        window(data_type="rest", starts_at=start, ends_at=start + DAY)
        while sync_once(connection).windows:
            pass
    days = DayRollup.objects.filter(metric_id=1).order_by("date")
    assert {str(one.date): one.n for one in days if dt.date(2026, 11, 9) <= one.date <= dt.date(2026, 11, 14)} == {
        "2026-11-09": 24, "2026-11-10": 30, "2026-11-11": 24, "2026-11-12": 24, "2026-11-13": 18, "2026-11-14": 24,
    }  # fmt: skip
    assert OffsetPeriod.objects.exists()
    daily = Measurement.objects.filter(metric__code="resting_heart_rate").order_by("time")
    assert [str(at.time())[:2] for at in daily.values_list("time", flat=True)][2:6] == ["23", "05", "05", "05"]


# --- disconnecting -----------------------------------------------------------------------------------------------


def test_disconnecting_ends_the_grant_and_what_was_due(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, now: dt.datetime
) -> None:
    window(), window(hours=5, state="done")
    assert connections_services.disconnect(connection, reason="participant", now=now)
    connection.refresh_from_db()
    assert (connection.status, connection.encrypted_tokens, vendor.revoked) == ("revoked", "", ["refresh-0"])
    assert list(SyncWindow.objects.values_list("state", flat=True)) == ["done"]


def test_a_sync_run_locks_its_own_rows_and_no_trial(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    """Who holds a trial's row makes all others of the trial wait, and what refers to it may deadlock with them."""
    fill(vendor, window())
    with CaptureQueriesContext(database) as requested:
        sync_once(connection)
    locking = [query["sql"] for query in requested if "FOR UPDATE" in query["sql"]]
    assert [sql for sql in locking if '"ingestion_syncwindow"' in sql]
    assert not [sql for sql in locking if " JOIN " in sql and "FOR UPDATE OF" not in sql]
