"""What is answered: asked for after it was over, and after the device had handed it over."""

from __future__ import annotations

import datetime as dt

from ingestion import answered
from ingestion.devices import Described
from ingestion.models import SyncWindow

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
START = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)


def at(hour: float) -> dt.datetime:
    return START + hour * HOUR


def window(first: float, asked: float | None, *, hours: float = 1, points: int = 0, **more: object) -> SyncWindow:
    fields = {"state": "done", "kind": "read", "reason": "scheduled", "due_at": at(first)}
    return SyncWindow(
        connection_id=1, starts_at=at(first), ends_at=at(first + hours), points=points,
        finished_at=None if asked is None else at(asked), **{**fields, **more},
    )  # fmt: skip


def device(known: float, synced: float, kind: str = "TRACKER", connection: int = 1) -> tuple[int, Described]:
    return connection, Described("d", "", kind, 50, "", at(synced), at(known))


def spans(windows: list[SyncWindow], *described: tuple[int, Described]) -> list[tuple[float, float]]:
    return [
        ((one.starts_at - START) / HOUR, (one.ends_at - START) / HOUR) for one in answered.stretches(windows, described)
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


def test_a_look_that_found_it_unchanged_is_an_answer() -> None:
    look = window(0, 30.1, hours=31, kind="look")
    assert spans([window(5, 6.1), look], device(6, 3), device(30, 29)) == [(5, 6)]


def test_a_look_says_nothing_of_what_waits_to_be_read_or_lies_beside_it() -> None:
    look = window(5.5, 30.1, hours=31, kind="look")
    due = window(7, 8.1, state="due")
    assert spans([window(5, 6.1), due, look], device(6, 3), device(30, 29)) == []


def test_a_look_at_what_is_past_reaches_to_the_days_that_are_watched() -> None:
    asked = 15 * 24 + 1  # then the watched days begin with the ninth day
    look = window(0, asked, hours=14 * 24, kind="look", reason="history")
    early, late = window(7 * 24, 7 * 24 + 1.1), window(8 * 24, 8 * 24 + 1.1)
    synced = device(asked - 1, asked - 2)
    first = device(7 * 24, 1)
    assert spans([early, late, look], first, synced) == [(7 * 24, 7 * 24 + 1)]


def test_failed_and_unread_windows_are_no_answers() -> None:
    assert spans([window(0, 1.1, state="failed"), window(1, None, state="due")]) == []
    assert spans([window(0, 1.1, error_code="unreadable")]) == []
