"""The timeline of wear and gaps: what is joined, what is worn, where it stands, and how many days are drawn."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from dashboards.participant_detail.charts.timeline import joined, summary, timeline, worn_intervals
from dashboards.participant_detail.charts.timeline_days import longest_causes
from dashboards.participant_detail.date_range import DayRange
from dashboards.ui.timeline_geometry import Day, Missing
from participants.user_input import midnight

ZONE = ZoneInfo("Europe/Amsterdam")
MONDAY = dt.date(2026, 11, 16)
LATER = dt.datetime(2026, 12, 24, tzinfo=dt.UTC)


def at(clock: str, day: int = 0) -> dt.datetime:
    return dt.datetime.combine(MONDAY + dt.timedelta(days=day), dt.time.fromisoformat(clock), ZONE)


def days(*status: str) -> list[Day]:
    return [Day(MONDAY + dt.timedelta(days=i), s, "", 800 if s == "v" else 100, 1440) for i, s in enumerate(status)]


def test_gaps_of_one_cause_that_touch_at_midnight_are_one() -> None:
    night = [Missing(at("21:40"), at("00:00", 1), "off_wrist"), Missing(at("00:00", 1), at("06:00", 1), "off_wrist")]
    assert joined(night, LATER) == [Missing(at("21:40"), at("06:00", 1), "off_wrist")]


def test_gaps_of_two_causes_stay_two() -> None:
    two = [Missing(at("21:40"), at("22:00"), "off_wrist"), Missing(at("22:00"), at("23:00"), "battery_flat")]
    assert joined(two, LATER) == two


def test_the_last_gap_ends_now() -> None:
    assert joined([Missing(at("06:00"), at("00:00", 1), "not_synced")], at("09:00"))[0].ends_at == at("09:00")


def test_worn_is_the_day_minus_its_gaps_joined_over_midnight() -> None:
    gap = Missing(at("10:00"), at("12:00"), "off_wrist")
    assert worn_intervals(days("v", "v"), [gap], ZONE, LATER) == [
        (at("00:00"), at("10:00")),
        (at("12:00"), at("00:00", 2)),
    ]


@pytest.mark.parametrize(
    "day",
    [
        Day(MONDAY, "v", "", 800, 1440, evaluated=False),
        Day(MONDAY, "x", "paused", 800, 1440),
        Day(MONDAY, "l", "", 0, 1440),
    ],
)
def test_nothing_is_drawn_as_worn_on_a_day_that_nobody_watches(day: Day) -> None:
    assert worn_intervals([day], [], ZONE, LATER) == []


def test_the_long_day_of_october_fills_its_own_width() -> None:
    sunday = DayRange(dt.date(2026, 10, 25), dt.date(2026, 10, 25))
    start = midnight(sunday.first, ZONE)
    noon = dt.datetime(2026, 10, 25, 12, tzinfo=ZONE)
    drawn = timeline([Day(sunday.first, "v", "", 800, 1500)], [Missing(start, noon, "off_wrist")], sunday, ZONE, LATER)
    assert drawn.gaps[0].width == "52.000%"  # 13 of 25 hours


def test_a_week_has_intervals_marks_with_hours_and_a_label_a_day() -> None:
    gap = Missing(at("10:00"), at("12:00"), "battery_flat")
    drawn = timeline(days("v", "i", "p"), [gap], DayRange(MONDAY, MONDAY + dt.timedelta(days=6)), ZONE, at("09:00", 2))
    assert drawn.fine
    assert [m.text.replace("\u00a0", " ") for m in drawn.marks] == ["13 h 20", "1 h 40", "pending"]
    assert [b.classes for b in drawn.gaps] == ["cause-flat"]
    assert [label.text for label in drawn.labels][:2] == ["Mon 16", "Tue 17"]
    assert drawn.legend == [("worn", "Worn"), ("cause-flat", "Battery flat")]
    assert drawn.now


def test_a_month_has_a_bar_for_the_hours_and_a_mark_for_each_day() -> None:
    drawn = timeline(days(*"viv"), [], DayRange(MONDAY, MONDAY + dt.timedelta(days=29)), ZONE, LATER)
    assert not drawn.fine
    assert (len(drawn.worn), len(drawn.marks), drawn.runs) == (3, 3, [])


def test_a_year_joins_days_of_one_status_into_runs() -> None:
    shown = days(*("v" * 200 + "l" * 30 + "v" * 135))
    drawn = timeline(shown, [], DayRange(MONDAY, MONDAY + dt.timedelta(days=364)), ZONE, at("00:00", 400))
    assert [run.classes for run in drawn.runs] == ["run-valid", "run-lost", "run-valid"]


def test_ten_years_are_drawn_with_no_more_marks_than_fit() -> None:
    shown = days(*("vi" * 1826))
    drawn = timeline(shown, [], DayRange(MONDAY, MONDAY + dt.timedelta(days=3651)), ZONE, at("00:00", 4000))
    assert len(drawn.worn) <= 400


def test_the_cause_of_a_day_is_the_one_that_misses_most_of_it() -> None:
    gaps = [Missing(at("08:00"), at("10:00"), "off_wrist"), Missing(at("12:00"), at("20:00"), "not_synced")]
    assert longest_causes(gaps, ZONE) == {MONDAY: (480, "not_synced")}


def test_a_shower_names_no_cause() -> None:
    assert longest_causes([Missing(at("08:00"), at("08:20"), "off_wrist")], ZONE) == {}


def test_the_summary_counts_what_was_decided() -> None:
    assert summary(days(*"vvivp")) == "4 days assessed: 3 valid, 1 invalid; 1 pending"
    assert summary([]) == "No day assessed yet"
