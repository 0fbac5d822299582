"""Who does which window, and which windows are asked for together."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping

import pytest
from pytest_django import Settings

from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.live import DataType
from ingestion.sync import claims
from tests.ingestion.sync.conftest import connect
from tests.ingestion.sync.fake import TYPES, FakeVendor

HOUR, DAY, MINUTE = dt.timedelta(hours=1), dt.timedelta(days=1), dt.timedelta(minutes=1)
MICRO = dt.timedelta(microseconds=1)
START = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
MakeWindow = Callable[..., SyncWindow]


@pytest.fixture
def other(connection: Connection, now: dt.datetime) -> Connection:
    """Another participant of the same vendor."""
    return connect(now, user="user-2")


# --- taking ------------------------------------------------------------------------------------------------------


def test_what_is_claimed_is_being_read_by_whoever_knows_the_instant(
    connection: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    window(attempts=1, again=True)
    (mine,) = claims.claim(connection, now)
    stored = SyncWindow.objects.get()
    assert (mine.state, mine.attempts) == (stored.state, stored.attempts) == ("claimed", 2)
    assert mine.claimed_at == stored.claimed_at is not None
    assert not stored.again


def test_what_is_due_now_of_this_connection_is_claimed_and_nothing_else(
    connection: Connection, other: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    due = [window(hours=1, due_at=now - DAY), window(hours=2, due_at=now)]
    later = window(hours=3, due_at=now + MICRO)
    away = [window(hours=4, state="done"), window(hours=5, state="failed")]
    held = window(hours=6, state="claimed", claimed_at=now - MINUTE)
    theirs = window(hours=7)
    SyncWindow.objects.filter(pk=theirs.pk).update(connection=other)
    assert {one.pk for one in claims.claim(connection, now)} == {one.pk for one in due}
    rows = SyncWindow.objects.in_bulk()
    assert [rows[one.pk].state for one in (later, *away, theirs)] == ["due", "done", "failed", "due"]
    assert (rows[held.pk].claimed_at, rows[held.pk].attempts) == (now - MINUTE, 0)
    assert (rows[later.pk].claimed_at, rows[later.pk].attempts) == (None, 0)


def test_checks_come_first_then_fresh_data_then_what_yields_each_the_newest_first(
    connection: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    order = [
        window(hours=19, kind="look"),
        window(hours=20, kind="look"),
        window(hours=12, data_type="pulse"),
        window(hours=12, data_type="rest", reason="webhook"),
        window(hours=13, data_type="pulse"),
        window(hours=3, reason="history", kind="look"),
        window(hours=4, reason="backfill"),
        window(hours=15, reason="backfill"),
    ]
    assert [one.pk for one in claims.claim(connection, now)] == [one.pk for one in order]


def test_no_more_are_claimed_than_are_wanted(connection: Connection, window: MakeWindow, now: dt.datetime) -> None:
    windows = [window(hours=n) for n in (1, 2, 3)]
    assert [one.pk for one in claims.claim(connection, now, 2)] == [one.pk for one in windows[:2]]
    assert [one.pk for one in claims.claim(connection, now, 2)] == [windows[2].pk]
    assert claims.claim(connection, now, 2) == []


def test_four_days_of_hours_are_claimed_at_once(connection: Connection, window: MakeWindow, now: dt.datetime) -> None:
    for n in range(97):
        window(hours=n + 1)
    assert len(claims.claim(connection, now)) == 96


def test_a_claim_holds_its_windows_until_they_are_released_or_another_s(
    connection: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    for n in (1, 2, 3, 4):
        window(hours=n)
    mine = claims.claim(connection, now, 3)
    beside = claims.claim(connection, now)
    SyncWindow.objects.filter(pk=beside[0].pk).update(claimed_at=mine[0].claimed_at)
    assert {one.pk for one in claims.held(mine)} == {one.pk for one in mine}
    SyncWindow.objects.filter(pk=mine[0].pk).update(state="due")
    SyncWindow.objects.filter(pk=mine[1].pk).update(claimed_at=now)
    assert [one.pk for one in claims.held(mine)] == [mine[2].pk]


def test_a_claim_of_one_window_holds_it(connection: Connection, window: MakeWindow, now: dt.datetime) -> None:
    window()
    mine = claims.claim(connection, now)
    assert list(claims.held(mine)) == mine


@pytest.mark.parametrize(("age", "released"), [(10 * MINUTE, False), (10 * MINUTE + MICRO, True)])
def test_a_claim_that_is_too_old_is_given_up(
    window: MakeWindow, now: dt.datetime, settings: Settings, age: dt.timedelta, released: bool
) -> None:
    settings.SYNC_CLAIM_MINUTES = 10.0
    mine = window(state="claimed", claimed_at=now - age, attempts=2)
    done = window(hours=3, state="done", claimed_at=now - DAY)
    assert claims.release_stale(now) == int(released)
    mine.refresh_from_db()
    done.refresh_from_db()
    assert (mine.state, mine.claimed_at) == (("due", None) if released else ("claimed", now - age))
    assert (mine.attempts, done.state, done.claimed_at) == (2, "done", now - DAY)


def test_claims_that_came_to_nothing_are_due_again_and_that_attempt_does_not_count(
    connection: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    window(hours=2, attempts=1)
    window(hours=3)
    mine = claims.claim(connection, now)
    SyncWindow.objects.filter(pk=mine[1].pk).update(claimed_at=now + HOUR)  # another worker's by now
    claims.release(mine)
    first, second = (SyncWindow.objects.get(pk=one.pk) for one in mine)
    assert (first.state, first.claimed_at, first.attempts) == ("due", None, 1)
    assert (second.state, second.claimed_at, second.attempts) == ("claimed", now + HOUR, 1)


def test_no_claims_are_released_without_a_query() -> None:
    claims.release([])


def test_claims_are_released_to_nobody_where_the_consent_was_taken_back(
    connection: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    window(hours=2)
    kept = window(hours=3, state="done")
    mine = claims.claim(connection, now)
    Connection.objects.update(status="revoked")
    claims.release(mine)
    assert [one.pk for one in SyncWindow.objects.all()] == [kept.pk]


def test_claims_outside_the_collection_are_dropped_and_do_not_count_as_answered(
    connection: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    window(hours=2)
    answered, others = window(hours=3, finished_at=now - DAY, again=True), window(hours=4)
    mine = claims.claim(connection, now)
    SyncWindow.objects.filter(pk__in=[answered.pk, others.pk]).update(again=True)
    SyncWindow.objects.filter(pk=others.pk).update(claimed_at=now + HOUR)
    claims.drop(mine)
    rows = SyncWindow.objects.in_bulk()
    assert set(rows) == {answered.pk, others.pk}
    done, held = rows[answered.pk], rows[others.pk]
    assert (done.state, done.again, done.claimed_at, done.finished_at) == ("done", False, None, now - DAY)
    assert (held.state, held.again, held.claimed_at) == ("claimed", True, now + HOUR)


def test_the_next_window_is_so_many_seconds_away(
    connection: Connection, other: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    window(state="claimed", due_at=now - HOUR)
    theirs = window(hours=3, due_at=now - HOUR)
    SyncWindow.objects.filter(pk=theirs.pk).update(connection=other)
    assert claims.seconds_to_next(connection, now) is None
    window(hours=4, due_at=now + 5 * MINUTE)
    window(hours=5, due_at=now + 3 * MINUTE)
    assert claims.seconds_to_next(connection, now) == 180
    assert claims.seconds_to_next(connection, now + 3 * MINUTE) == 0
    assert claims.seconds_to_next(connection, now + HOUR) == 0


def test_what_recent_windows_of_each_type_held_tells_how_much_one_holds(
    connection: Connection, other: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    window(hours=2, points=30)
    window(hours=3, points=40)
    window(hours=4, points=9, data_type="walk")
    window(hours=5, points=0, data_type="rest")
    window(hours=6, points=80, kind="look")
    window(starts_at=now - 14 * DAY - MICRO, ends_at=now, points=90)
    theirs = window(hours=7, points=70)
    SyncWindow.objects.filter(pk=theirs.pk).update(connection=other)
    assert claims.window_points(connection, now) == {"pulse": 40, "walk": 9}
    window(starts_at=now - 14 * DAY, ends_at=now - 13 * DAY, points=1, data_type="rest")
    assert claims.window_points(connection, now)["rest"] == 1


def test_one_lively_hour_does_not_make_all_others_go_alone(
    connection: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    for hours, points in ((2, 10), (3, 10), (4, 70)):
        window(hours=hours, points=points)
    assert claims.window_points(connection, now) == {"pulse": pytest.approx(1.4 * 30)}


# --- together ----------------------------------------------------------------------------------------------------


class Weighty(FakeVendor):
    """The same vendor, of whose pulse one answer holds so many points."""

    def __init__(self, answer: int) -> None:
        super().__init__()
        self.types = {**TYPES, "pulse": dataclasses.replace(TYPES["pulse"], answer=answer)}

    @property
    def data_types(self) -> Mapping[str, DataType]:
        return self.types


def hour(first: float, data_type: str = "pulse", *, hours: float = 1, **more: object) -> SyncWindow:
    fields = {"kind": "read", "reason": "scheduled", "attempts": 1, **more}
    begins = START + first * HOUR
    return SyncWindow(data_type=data_type, starts_at=begins, ends_at=begins + hours * HOUR, **fields)


def day(first: int, data_type: str = "walk", *, days: int = 1, **more: object) -> SyncWindow:
    return hour(24 * first, data_type, hours=24 * days, **more)


def grouped(
    windows: list[SyncWindow], points: Mapping[str, int] | None = None, *, answer: int = 100
) -> list[list[tuple[str, float]]]:
    """By group, each window's type and when it begins, in hours."""
    found = claims.groups(windows, Weighty(answer), points or {})
    return [[(one.data_type, (one.starts_at - START) / HOUR) for one in group] for group in found]


def pulses(*groups: list[float]) -> list[list[tuple[str, float]]]:
    return [[("pulse", first) for first in group] for group in groups]


def test_neighbours_go_together_in_order_of_time_the_newest_group_first() -> None:
    windows = [hour(n) for n in (9, 7, 6, 8, 3, 1, 0)]
    assert grouped(windows, {"pulse": 10}) == pulses([6, 7, 8, 9], [3], [0, 1])


def test_a_light_type_goes_at_once_however_much_it_is() -> None:
    assert grouped([day(n) for n in range(40)], {"walk": 1000}) == [[("walk", 24 * n) for n in range(40)]]


@pytest.mark.parametrize(
    ("points", "together"), [(9, 10), (10, 9), (11, 8), (45, 2), (46, 1), (90, 1), (91, 1), (1000, 1)]
)
def test_a_heavy_type_goes_as_far_as_its_points_fill_nine_tenths_of_an_answer(points: int, together: int) -> None:
    found = grouped([hour(n) for n in range(12)], {"pulse": points, "walk": 1})
    assert [len(group) for group in found] == [
        min(together, 12 - n) for n in range(0, 12, together)
    ]  # fmt: skip


@pytest.mark.parametrize(("answer", "together"), [(1, 1), (2, 1), (4, 2), (100, 2)])
def test_two_windows_go_together_where_it_is_not_known_how_much_they_hold(answer: int, together: int) -> None:
    found = grouped([hour(n) for n in range(4)], answer=answer)
    assert [len(group) for group in found] == [together] * (4 // together)


def test_what_a_group_held_decides_how_large_the_next_is() -> None:
    points: dict[str, float] = {}
    sizes = []
    for group in claims.groups([hour(n) for n in range(12)], Weighty(100), points):
        sizes.append(len(group))
        points["pulse"] = 15.0
    assert sizes == [2, 6, 4]


def test_checks_and_what_met_a_broken_answer_go_alone_and_first() -> None:
    windows = [hour(5), hour(4, kind="look"), hour(3, attempts=2), hour(4), hour(2, kind="look", attempts=3)]
    assert grouped(windows, {"pulse": 10}) == pulses([4], [3], [2], [4, 5])


def test_windows_of_a_sweep_go_alone_and_last() -> None:
    windows = [day(14, days=14), day(30), day(29), hour(9), day(0, days=14), hour(8, hours=1.25)]
    assert grouped(windows, {"pulse": 10}) == [
        [("walk", 24 * 29), ("walk", 24 * 30)],
        [("pulse", 9)],
        [("walk", 24 * 14)],
        [("walk", 0)],
        [("pulse", 8)],
    ]


def test_types_are_pulled_in_the_order_of_their_claim() -> None:
    windows = [day(1, "rest"), hour(3), day(1), hour(2), day(0, "rest")]
    assert grouped(windows, {"pulse": 10}) == [
        [("rest", 0), ("rest", 24)],
        [("pulse", 2), ("pulse", 3)],
        [("walk", 24)],
    ]


def test_nothing_makes_no_group() -> None:
    assert grouped([]) == []
