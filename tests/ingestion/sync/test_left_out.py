"""Records that cannot be read, and sessions that still go on: the rest is stored, and the window says so."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.live import Pulled
from ingestion.sync import planning
from ingestion.sync.run import run_sync
from metrics.batch import microseconds
from metrics.local_time import LocalCalendar
from metrics.models import Cause, ExerciseSession, Gap, Measurement
from tests.conftest import SetUpProviders
from tests.ingestion.sync.fake import FakeVendor
from tests.ingestion.sync.test_engine import fill
from tests.ingestion.sync.test_exercise import Outings

HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)
MakeWindow = Callable[..., SyncWindow]


def test_the_rest_of_an_answer_is_stored_and_the_window_says_what_was_not(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, caplog: pytest.LogCaptureFixture
) -> None:
    mine = window()
    fill(vendor, mine)
    vendor.unreadable["not_a_time"] = 2
    with caplog.at_level(logging.WARNING):
        outcome = run_sync(connection.pk)
    mine.refresh_from_db()
    assert (mine.state, mine.points, mine.unreadable, mine.error_code) == ("done", 6, 2, "")
    assert (Measurement.objects.count(), outcome.unreadable) == (6, 2)
    assert f"connection {connection.pk}: 2 records of pulse could not be read: not_a_time" in caplog.text


def test_the_next_answer_that_can_be_read_clears_the_count(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    mine = window()
    fill(vendor, mine)
    vendor.unreadable["not_a_time"] = 9
    run_sync(connection.pk)
    mine.refresh_from_db()
    assert (mine.unreadable, mine.error_code) == (9, "unreadable")
    vendor.unreadable.clear()
    SyncWindow.objects.update(state="due")
    run_sync(connection.pk)
    mine.refresh_from_db()
    assert (mine.unreadable, mine.error_code) == (0, "")


def test_what_is_not_in_an_answer_that_could_not_be_read_whole_stays(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    mine = window()
    fill(vendor, mine)
    run_sync(connection.pk)
    vendor.points["pulse"].popitem()
    vendor.unreadable["unexpected_shape"] = 1
    SyncWindow.objects.update(state="due")
    assert run_sync(connection.pk).counts.removed == 0
    vendor.unreadable.clear()
    SyncWindow.objects.update(state="due")
    assert run_sync(connection.pk).counts.removed == 1


@pytest.mark.parametrize(("unreadable", "ours"), [(5, False), (6, True)])
def test_what_is_missing_because_most_could_not_be_read_is_nobodys_fault_but_ours(
    connection: Connection,
    vendor: FakeVendor,
    window: MakeWindow,
    settings: Settings,
    unreadable: int,
    ours: bool,
) -> None:
    settings.LIVE_PROVIDERS = {"fake": {}}
    fill(vendor, window(hours=2))
    run_sync(connection.pk)
    connection.participant.monitoring_starts_on = Measurement.objects.earliest("time").time.date()
    connection.participant.save()
    earlier = window(hours=4)
    for minute in range(0, 60, 10):
        vendor.points["pulse"][earlier.starts_at + minute * MINUTE / 10] = 60.0
    vendor.unreadable["not_a_time"] = unreadable
    run_sync(connection.pk)
    late = earlier.starts_at + 40 * MINUTE
    gap = Gap.objects.get(starts_at__lte=late, ends_at__gt=late)
    assert (gap.cause == Cause.PLATFORM) is ours
    assert gap.evidence.get("code") == ("unreadable" if ours else None)


# --- sessions that still go on -------------------------------------------------------------------------------------


class Ongoing(Outings):
    """Tells of an outing that still goes on, however old the stretch that it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.since: dt.datetime | None = None

    def pull(
        self, access_token: str, data_type: str, start: dt.datetime, end: dt.datetime, calendar: LocalCalendar
    ) -> Pulled:
        found = super().pull(access_token, data_type, start, end, calendar)
        found.unfinished = [microseconds(self.since)] if self.since else []
        return found


@pytest.fixture
def ongoing(vendor: FakeVendor, set_up_providers: SetUpProviders) -> Ongoing:
    made = Ongoing()
    set_up_providers(made)
    return made


def test_a_session_that_still_goes_on_is_counted_where_it_may_end(
    connection: Connection, ongoing: Ongoing, window: MakeWindow
) -> None:
    before, first, second = (window(hours=n, data_type="outing") for n in (4, 3, 2))
    ongoing.points["outing"] = {before.starts_at: 1}
    ongoing.since = first.starts_at + 30 * MINUTE
    outcome = run_sync(connection.pk)
    counts = [SyncWindow.objects.get(pk=one.pk).unfinished for one in (before, first, second)]
    assert (counts, outcome.unfinished, ExerciseSession.objects.count()) == ([0, 1, 1], 1, 1)


def test_it_is_asked_for_again_at_the_next_pass_and_stored_when_it_is_over(
    connection: Connection, ongoing: Ongoing, now: dt.datetime
) -> None:
    began = now - 3 * HOUR
    ongoing.since = began
    planning.plan_pass(connection, now)
    serve(connection, now)
    assert not ExerciseSession.objects.exists()
    ongoing.since, ongoing.points["outing"] = None, {began: 1}
    planning.plan_pass(connection, now + HOUR)
    serve(connection, now + HOUR)
    assert ExerciseSession.objects.get().starts_at == began
    assert not SyncWindow.objects.exclude(unfinished=0).exists()


def test_what_is_stored_of_it_stays_while_it_goes_on(
    connection: Connection, ongoing: Ongoing, window: MakeWindow
) -> None:
    """A night that somebody goes on with: it was there with an end, and is there without one."""
    mine = window(data_type="outing")
    ongoing.points["outing"] = {mine.starts_at: 1}
    run_sync(connection.pk)
    ongoing.points["outing"], ongoing.since = {}, mine.starts_at
    SyncWindow.objects.update(state="due")
    assert run_sync(connection.pk).counts.exercise_removed == 0


def serve(connection: Connection, now: dt.datetime) -> None:
    """Take turns until nothing is due."""
    while run_sync(connection.pk, now=now).wait == 0:
        pass


def test_the_admin_and_the_api_tell_of_both() -> None:
    from ingestion.admin.connections import SyncWindowAdmin
    from ingestion.api.windows import SyncWindowSerializer

    shown: tuple[Any, ...] = (SyncWindowAdmin.list_display, SyncWindowSerializer.Meta.fields)
    assert all({"unreadable", "unfinished"} <= set(fields) for fields in shown)
