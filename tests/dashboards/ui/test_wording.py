"""How instants and numbers are told."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from dashboards.ui import formatting

NOW = dt.datetime(2026, 11, 23, 8, 12, tzinfo=dt.UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (dt.timedelta(seconds=-20), "just now"),
        (dt.timedelta(seconds=59), "just now"),
        (dt.timedelta(minutes=41), "41 min ago"),
        (dt.timedelta(hours=3, minutes=59), "3 h ago"),
        (dt.timedelta(days=2, hours=15), "2 d 15 h ago"),
        (dt.timedelta(days=2), "2 d ago"),
        (dt.timedelta(days=3800, hours=3), "3,800 d ago"),
    ],
)
def test_ago(before: dt.timedelta, words: str) -> None:
    assert formatting.ago(NOW - before, NOW).replace("\u00a0", " ") == words


@pytest.mark.parametrize(
    ("instant", "words"),
    [
        (dt.datetime(2026, 11, 22, 23, 30, tzinfo=dt.UTC), "today, 00:30"),
        (dt.datetime(2026, 11, 22, 20, 40, tzinfo=dt.UTC), "Sun 21:40"),
        (dt.datetime(2026, 11, 14, 7, 10, tzinfo=dt.UTC), "14 Nov, 08:10"),
        (dt.datetime(2016, 5, 12, 7, 10, tzinfo=dt.UTC), "12 May 2016, 09:10"),
    ],
)
def test_clock_times_are_local(instant: dt.datetime, words: str) -> None:
    assert formatting.clock(instant, NOW, AMSTERDAM) == words


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ((2026, 11, 17), (2026, 11, 23), "17–23 Nov 2026"),
        ((2026, 10, 30), (2026, 11, 3), "30 Oct – 3 Nov 2026"),
        ((2025, 12, 28), (2026, 1, 3), "28 Dec 2025 – 3 Jan 2026"),
        ((2026, 11, 23), (2026, 11, 23), "Mon 23 Nov 2026"),
    ],
)
def test_spans_of_dates(first: tuple[int, int, int], last: tuple[int, int, int], words: str) -> None:
    assert formatting.date_span(dt.date(*first), dt.date(*last)) == words


def test_a_missing_number_is_a_dash() -> None:
    assert [formatting.number(v) for v in (None, float("nan"), 0.0, 12345.6)] == ["–", "–", "0", "12,346"]


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Amsterdam", "Europe/Amsterdam, UTC+1"),
        ("Asia/Kolkata", "Asia/Kolkata, UTC+5:30"),
        ("America/New_York", "America/New_York, UTC−5"),
        ("UTC", "UTC"),
    ],
)
def test_zones_are_named_with_their_offset(zone: str, words: str) -> None:
    assert formatting.zone_text(ZoneInfo(zone), NOW) == words
