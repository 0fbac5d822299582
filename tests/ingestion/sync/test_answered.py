"""What is answered: asked for after it was over, and after the device had handed it over."""

from __future__ import annotations

import datetime as dt

import pytest

from ingestion.connections.devices import Described
from ingestion.models import SyncWindow
from ingestion.sync import window_coverage

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
START = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)


def at(hour: float) -> dt.datetime:
    return START + hour * HOUR


def window(first: float, requested: float | None, *, hours: float = 1, points: int = 0, **more: object) -> SyncWindow:
    fields = {"state": "done", "kind": "read", "reason": "scheduled", "due_at": at(first)}
    return SyncWindow(
        connection_id=1, starts_at=at(first), ends_at=at(first + hours), points=points,
        finished_at=None if requested is None else at(requested), **{**fields, **more},
    )  # fmt: skip


def device(known: float, synced: float | None, kind: str = "TRACKER", connection: int = 1) -> tuple[int, Described]:
    return connection, Described("d", "", kind, 50, "", None if synced is None else at(synced), at(known))


def spans(windows: list[SyncWindow], *described: tuple[int, Described]) -> list[tuple[float, float]]:
    return [
        ((one.starts_at - START) / HOUR, (one.ends_at - START) / HOUR)
        for one in window_coverage.covered_intervals(windows, described)
    ]


def test_where_nothing_tells_of_uploads_what_was_asked_is_answered() -> None:
    assert spans([window(0, 1.1), window(1, 2.1), window(5, 6.1)]) == [(0, 2), (5, 6)]


def test_an_hour_asked_for_before_it_was_over_is_answered_up_to_then() -> None:
    assert spans([window(0, 0.5)]) == [(0, 0.5)]


def test_what_was_asked_for_after_the_upload_is_answered() -> None:
    assert spans([window(0, 2.1)], device(2, 1.5)) == [(0, 1)]


def test_what_was_asked_for_before_the_upload_that_brought_it_is_not() -> None:
    assert spans([window(5, 6.1)], device(6, 3), device(30, 29)) == []


def test_of_an_hour_in_which_the_upload_ended_the_first_part_is() -> None:
    assert spans([window(5, 6.1)], device(6, 5.5), device(30, 29)) == [(5, 5.5)]


def test_while_the_device_is_silent_the_answer_stands() -> None:
    assert spans([window(5, 6.1)], device(6, 3)) == [(5, 6)]


def test_what_lies_after_the_last_upload_stays_answered_beside_what_it_brought() -> None:
    assert spans([window(5, 6.1)], device(6, 3), device(8, 5.5)) == [(5.5, 6)]


def test_asked_again_after_the_upload_it_is_answered() -> None:
    assert spans([window(5, 30.1)], device(6, 3), device(30, 29)) == [(5, 6)]


def test_data_that_came_show_an_upload_as_a_sync_does() -> None:
    assert spans([window(5, 6.1), window(7, 30, points=9)]) == [(7, 8)]
    assert spans([window(5, 30.1), window(7, 30, points=9)]) == [(5, 6), (7, 8)]


def test_a_scale_that_syncs_is_no_upload_of_the_watch() -> None:
    assert spans([window(5, 6.1)], device(6, 3, "SCALE"), device(30, 29, "SCALE")) == [(5, 6)]


def test_the_device_of_another_connection_says_nothing() -> None:
    assert spans([window(5, 6.1)], device(6, 3, connection=2), device(30, 29, connection=2)) == [(5, 6)]


def test_a_check_that_found_it_unchanged_is_an_answer() -> None:
    look = window(0, 30.1, hours=31, kind="look")
    assert spans([window(5, 6.1), look], device(6, 3), device(30, 29)) == [(5, 6)]


def test_a_check_says_nothing_of_what_waits_to_be_read_or_lies_beside_it() -> None:
    look = window(5.5, 30.1, hours=31, kind="look")
    due = window(7, 8.1, state="due")
    assert spans([window(5, 6.1), due, look], device(6, 3), device(30, 29)) == []


def test_a_check_of_what_is_past_reaches_to_the_days_that_are_watched() -> None:
    requested = 15 * 24 + 1  # then the watched days begin with the ninth day
    look = window(0, requested, hours=14 * 24, kind="look", reason="history")
    early, late = window(7 * 24, 7 * 24 + 1.1), window(8 * 24, 8 * 24 + 1.1)
    synced = device(requested - 1, requested - 2)
    first = device(7 * 24, 1)
    assert spans([early, late, look], first, synced) == [(7 * 24, 7 * 24 + 1)]


def test_failed_and_unread_windows_are_no_answers() -> None:
    assert spans([window(0, 1.1, state="failed"), window(1, None, state="due")]) == []
    assert spans([window(0, 1.1, error_code="unreadable")]) == []


def test_a_device_that_tells_no_sync_tells_of_no_upload() -> None:
    assert spans([window(5, 6.1)], device(6, None)) == [(5, 6)]
    assert spans([window(5, 6.1)], device(6, 3), device(30, 29), device(31, None)) == []


def test_what_was_never_asked_for_is_not_answered_however_long_it_has_been_due() -> None:
    assert spans([window(1, None, state="due", due_at=at(9))]) == []
    assert spans([window(1, None, state="claimed", due_at=at(9))]) == []


def test_what_was_answered_and_is_due_again_was_answered_when_it_was() -> None:
    assert spans([window(5, 6.1, state="due", due_at=at(40))], device(6, 3), device(30, 29)) == []
    assert spans([window(5, 30.1, state="due", due_at=at(40))], device(6, 3), device(30, 29)) == [(5, 6)]


@pytest.mark.parametrize(
    ("state", "error", "expected"),
    [("done", "unreadable", True), ("done", "", False), ("done", "timeout", False), ("due", "unreadable", False)],
)
def test_an_answer_is_spoilt_that_could_not_be_read(state: str, error: str, expected: bool) -> None:
    assert window_coverage.spoilt(window(0, 1.1, state=state, error_code=error)) is expected


@pytest.mark.parametrize(
    ("first", "hours", "expected"),
    [
        (5, 1, [(5, 6)]),
        (4.9, 1.1, [(5, 6)]),
        (5, 1.1, [(5, 6)]),
        (5.1, 0.9, []),
        (5, 0.9, []),
        (5.1, 2, []),
        (3, 2, []),
    ],
)
def test_a_check_answers_the_windows_that_lie_in_it_to_their_edges(
    first: float, hours: float, expected: list[tuple[float, float]]
) -> None:
    look = window(first, 30.1, hours=hours, kind="look")
    assert spans([window(5, 6.1), look], device(6, 3), device(30, 29)) == expected


@pytest.mark.parametrize(("requested", "expected"), [(5, []), (5.5, [(5, 5.5)]), (6, [(5, 6)])])
def test_what_was_asked_for_when_it_began_is_not_answered(
    requested: float, expected: list[tuple[float, float]]
) -> None:
    assert spans([window(5, requested)]) == expected
    assert spans([window(5, requested)], device(requested, 5)) == expected


def test_an_upload_counts_from_the_instant_at_which_it_is_known() -> None:
    assert spans([window(5, 8)], device(8, 7), device(30, 29)) == [(5, 6)]
    assert spans([window(5, 7.9)], device(8, 7), device(30, 29)) == []


def test_of_uploads_the_furthest_known_by_then_counts_whatever_was_described_last() -> None:
    assert spans([window(5, 9)], device(7, 6), device(8, 2), device(30, 29)) == [(5, 6)]


def test_data_show_how_far_an_upload_reached_by_their_window_s_end_or_the_asking() -> None:
    assert spans([window(5, 6.1), window(7, 7.5, points=9)]) == [(7, 7.5)]
    assert spans([window(5, 6.1), window(7, 9, points=9), window(8, 8.5)]) == [(7, 8.5)]


def test_answers_that_touch_or_overlap_are_one_beside_others() -> None:
    windows = [window(9, 20), window(0, 20), window(3, 20, hours=3), window(4, 20), window(6, 20), window(12, 20)]
    assert spans(windows) == [(0, 1), (3, 7), (9, 10), (12, 13)]


def test_windows_of_several_connections_are_answered_together() -> None:
    mine, other = window(0, 1.1), window(1, 2.1)
    other.connection_id = 2
    assert spans([mine, other], device(2, 0, connection=2), device(30, 29, connection=2)) == [(0, 1)]
    assert spans([mine, other]) == [(0, 2)]
