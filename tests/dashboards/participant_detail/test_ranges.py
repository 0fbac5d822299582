"""Which days a query string asks for."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from dashboards.participant_detail import date_range
from dashboards.participant_detail.date_range import BadRange, DayRange

END = dt.date(2026, 11, 23)
FIRST = dt.date(2026, 9, 1)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def chosen(**query: str) -> DayRange:
    return date_range.chosen({name.rstrip("_"): value for name, value in query.items()}, end=END, trial_first=FIRST)


@pytest.mark.parametrize(
    ("preset", "first"),
    [
        ("day", dt.date(2026, 11, 23)),
        ("week", dt.date(2026, 11, 17)),
        ("month", dt.date(2026, 10, 25)),
        ("quarter", dt.date(2026, 8, 26)),
        ("trial", FIRST),
    ],
)
def test_a_preset_ends_today(preset: str, first: dt.date) -> None:
    assert chosen(range=preset) == DayRange(first, END, preset)


def test_without_a_wish_it_is_a_week() -> None:
    assert chosen().preset == "week"


def test_a_preset_can_end_on_another_day() -> None:
    assert chosen(range="day", to="2026-10-01") == DayRange(dt.date(2026, 10, 1), dt.date(2026, 10, 1), "day")


def test_free_dates_include_both_ends() -> None:
    assert chosen(from_="2026-10-01", to="2026-10-03").days == 3


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"range": "fortnight"}, "range"),
        ({"to": "yesterday"}, "to"),
        ({"from_": "2026-13-01"}, "from"),
        ({"from_": "2026-11-02", "to": "2026-11-01"}, "from"),
        ({"from_": "2006-01-01", "to": "2026-11-01"}, "from"),
        ({"from_": "1970-01-01", "to": "2026-11-01"}, "from"),
    ],
)
def test_bad_dates_name_the_parameter(query: dict[str, str], parameter: str) -> None:
    with pytest.raises(BadRange) as caught:
        chosen(**query)
    assert caught.value.parameter == parameter


def test_steps_lead_to_the_days_just_before_and_after() -> None:
    week = chosen(range="week")
    assert week.shifted(-1) == DayRange(dt.date(2026, 11, 10), dt.date(2026, 11, 16), "week")
    assert week.shifted(-1).shifted(1) == week


def test_the_query_of_a_range_leads_back_to_it() -> None:
    for days in (chosen(range="month"), chosen(from_="2026-10-01", to="2026-10-03"), chosen().shifted(-1)):
        assert date_range.chosen(days.query(), end=END, trial_first=FIRST) == days


def test_presets_end_with_the_data_once_they_stopped_long_ago() -> None:
    assert date_range.anchor(dt.date(2016, 5, 12), END) == dt.date(2016, 5, 12)
    assert date_range.anchor(dt.date(2026, 11, 20), END) == END
    assert date_range.anchor(None, END) == END


def test_a_day_of_the_clock_change_has_its_own_length() -> None:
    autumn = dt.date(2026, 10, 25)
    start, end = (at.astimezone(dt.UTC) for at in DayRange(autumn, autumn).instants(AMSTERDAM))
    assert end - start == dt.timedelta(hours=25)


@pytest.mark.parametrize(
    ("text", "closing", "instant"),
    [
        ("2026-11-23", False, dt.datetime(2026, 11, 22, 23, tzinfo=dt.UTC)),
        ("2026-11-23", True, dt.datetime(2026, 11, 23, 23, tzinfo=dt.UTC)),
        ("2026-11-23T10:00", True, dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC)),
        ("2026-11-23T10:00:00Z", True, dt.datetime(2026, 11, 23, 10, tzinfo=dt.UTC)),
        ("2026-11-23T10:00:00 02:00", True, dt.datetime(2026, 11, 23, 8, tzinfo=dt.UTC)),
    ],
)
def test_instants_are_dates_or_iso_times(text: str, closing: bool, instant: dt.datetime) -> None:
    assert date_range.parse_instant("start", text, AMSTERDAM, closing=closing) == instant
