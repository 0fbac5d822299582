"""A vendor that does not answer at all: nobody is marked, nothing is given up, and it is not asked all the time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.errors import BrokenResponse
from ingestion.sync.run import run_sync
from tests.ingestion.sync.fake import FakeVendor

MakeWindow = Callable[..., SyncWindow]


@pytest.mark.parametrize("code", ["connection_failed", "unavailable", "http_502"])
def test_the_first_silence_puts_everything_off(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, code: str
) -> None:
    windows = [window(hours=hours) for hours in (1, 2, 3)]
    vendor.script.append(BrokenResponse(code))
    outcome = run_sync(connection.pk)
    connection.refresh_from_db()
    assert len(vendor.requested) == 1
    assert (connection.status, outcome.note) == (Connection.Status.ACTIVE, code)
    assert connection.busy_until
    for one in windows:
        one.refresh_from_db()
        assert (one.state, one.attempts) == (SyncWindow.State.DUE, 0), "it is no window's fault"


def test_a_window_that_meets_silence_gives_way_to_the_others(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    first, second = window(hours=1), window(hours=3)
    vendor.script.append(BrokenResponse("unavailable"))
    run_sync(connection.pk)
    Connection.objects.update(busy_until=None)
    run_sync(connection.pk)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.error_code) == (SyncWindow.State.DUE, "unavailable")
    assert second.state == SyncWindow.State.DONE


def test_silence_between_answers_is_that_windows_own_fault(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    window(hours=1)
    second = window(hours=3)
    vendor.script.extend([None, BrokenResponse("unavailable")])
    run_sync(connection.pk)
    second.refresh_from_db()
    assert (second.state, second.attempts) == (SyncWindow.State.DUE, 1)
    connection.refresh_from_db()
    assert connection.busy_until is None


def test_after_an_hour_of_silence_it_is_asked_each_few_minutes_and_nothing_has_failed(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    mine = window()
    for _ in range(12):
        SyncWindow.objects.update(due_at=dt.datetime.now(dt.UTC) - dt.timedelta(hours=1))
        Connection.objects.update(busy_until=None)
        vendor.script.append(BrokenResponse("connection_failed"))
        outcome = run_sync(connection.pk)
        assert outcome.wait
        assert 0.4 * 300 < outcome.wait < 1.6 * 300
    mine.refresh_from_db()
    assert mine.state == SyncWindow.State.DUE
