"""Requests that are on their way at once: what comes in which order, and what goes out no more."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.errors import VendorBusy
from ingestion.sync import ahead
from ingestion.sync.ahead import Request
from ingestion.sync.run import run_sync
from metrics.models import Measurement
from tests.ingestion.sync.fake import FakeVendor

Fetch = Callable[[str], object]
MakeWindow = Callable[..., SyncWindow]
SECONDS = 20  # until a wait that should end has failed


def requests(*fetches: Fetch) -> Iterator[Request[object]]:
    return (Request([], fetch, f"token-{number}") for number, fetch in enumerate(fetches))


def results(fetches: Iterator[Request[object]], at_once: int) -> list[object]:
    return [sent.result() for sent in ahead.sent(fetches, at_once)]


@pytest.mark.parametrize("at_once", [1, 2, 4, 9])
def test_results_come_in_the_order_of_the_requests(at_once: int) -> None:
    assert results(requests(*[str.upper] * 6), at_once) == [f"TOKEN-{number}" for number in range(6)]


def test_so_many_are_on_their_way_at_once() -> None:
    meeting = threading.Barrier(3)
    assert results(requests(*[lambda _: meeting.wait(SECONDS) >= 0] * 6), 3) == [True] * 6


def test_one_at_once_goes_out_when_its_result_is_taken() -> None:
    gone: list[str] = []
    under_way = ahead.sent(requests(gone.append, gone.append), 1)
    first = next(under_way)
    assert gone == []
    first.result()
    assert gone == ["token-0"]


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_refusal_is_raised_where_its_result_is_taken_and_the_others_stay(at_once: int) -> None:
    def refused(_: str) -> None:
        raise LookupError

    under_way = list(ahead.sent(requests(str.upper, refused, str.upper), at_once))
    assert (under_way[0].result(), under_way[2].result()) == ("TOKEN-0", "TOKEN-2")
    with pytest.raises(LookupError):
        under_way[1].result()


@pytest.mark.parametrize("at_once", [1, 2, 8])
def test_what_is_on_its_way_comes_before_what_keeps_the_next_from_going_out(at_once: int) -> None:
    def limited() -> Iterator[Request[object]]:
        yield from requests(str.upper, str.upper, str.upper)
        raise PermissionError

    taken: list[object] = []
    with pytest.raises(PermissionError):
        taken.extend(sent.result() for sent in ahead.sent(limited(), at_once))
    assert taken == ["TOKEN-0", "TOKEN-1", "TOKEN-2"]


def test_who_stops_early_waits_for_what_is_on_its_way_and_nothing_more_goes_out() -> None:
    ended: list[str] = []
    begun, released = threading.Event(), threading.Event()

    def slow(token: str) -> None:
        begun.set()
        released.wait(SECONDS)
        ended.append(token)

    under_way = ahead.sent(requests(str.upper, slow, *[ended.append] * 9), 2)
    next(under_way).result()
    assert begun.wait(SECONDS)
    threading.Timer(0.05, released.set).start()
    under_way.close()
    assert ended == ["token-1"]


@pytest.fixture
def four(settings: Settings, vendor: FakeVendor) -> FakeVendor:
    """The scripted vendor, with four requests of a run on their way at once."""
    settings.SYNC_REQUESTS_AT_ONCE = 4
    return vendor


def test_what_comes_at_once_is_stored_as_what_comes_one_by_one(
    connection: Connection, four: FakeVendor, window: MakeWindow
) -> None:
    for hours in range(2, 12):
        four.points["pulse"][window(hours=hours).starts_at] = 60.0 + hours
    outcome = run_sync(connection.pk)
    assert (outcome.windows, outcome.requests, outcome.counts.new, outcome.wait) == (10, 10, 10, None)
    assert list(Measurement.objects.order_by("-time").values_list("value", flat=True)) == [
        60.0 + n for n in range(2, 12)
    ]


def test_no_read_goes_out_before_all_checks_are_answered(
    connection: Connection, four: FakeVendor, window: MakeWindow
) -> None:
    for hours in range(2, 12):
        window(hours=hours, kind="look" if hours % 2 else "read")
    answered: list[str] = []
    slow = four.fingerprints

    def fingerprints(token: str, code: str, start: dt.datetime, end: dt.datetime) -> object:
        threading.Event().wait(0.02)
        sums = slow(token, code, start, end)
        answered.append("check")
        return sums

    four.fingerprints = fingerprints  # type: ignore[assignment,method-assign]
    four.before = lambda: answered.append("out")
    run_sync(connection.pk)
    assert answered[-5:] == ["out"] * 5
    assert answered.count("check") == 5


def test_a_token_that_has_run_out_is_refreshed_once_for_all_that_are_on_their_way(
    connection: Connection, four: FakeVendor, window: MakeWindow
) -> None:
    for hours in range(2, 12):
        window(hours=hours)
    four.token = "another"
    outcome = run_sync(connection.pk)
    assert (four.refreshes, outcome.windows) == (1, 10)


def test_what_was_answered_before_the_vendor_had_enough_is_stored(
    connection: Connection, four: FakeVendor, window: MakeWindow
) -> None:
    for hours in range(2, 12):
        window(hours=hours)
    four.script.extend([None, None, VendorBusy("rate_limited", 60.0)])
    outcome = run_sync(connection.pk)
    states = sorted(SyncWindow.objects.values_list("state", flat=True))
    assert (states.count("due") + states.count("done"), outcome.windows) == (10, states.count("done"))
    assert outcome.windows < 10
    connection.refresh_from_db()
    assert connection.busy_until is not None
