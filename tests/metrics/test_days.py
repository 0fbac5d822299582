"""Local days and wall clocks, against the standard library and against known changes of clocks."""

from __future__ import annotations

import datetime as dt
import itertools
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from metrics.batch import MICROSECOND, instant, microseconds
from metrics.days import EPOCH, LocalCalendar, local_to_utc

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NEW_YORK = ZoneInfo("America/New_York")
# Half-hour changes of clocks, odd offsets, and a day that never was (Apia skipped 2011-12-30).
ZONES = ["Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC"]


def hours(calendar: LocalCalendar, date: dt.date) -> float:
    return sum(span.ends_at - span.starts_at for span in calendar.spans([date])) / MICROSECOND / 3600


def wall(text: str) -> int:
    return microseconds(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC))


@pytest.mark.parametrize("zone", ZONES)
def test_dates_agree_with_the_standard_library(zone: str) -> None:
    rng = np.random.default_rng(7)
    times = np.sort(rng.integers(wall("2011-06-01"), wall("2026-12-01"), 3000))
    dates = LocalCalendar(ZoneInfo(zone)).dates(times)
    expected = [(instant(t).astimezone(ZoneInfo(zone)).date() - EPOCH).days for t in times.tolist()]
    assert dates.tolist() == expected


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("fold", [0, 1])
def test_wall_clock_times_agree_with_the_standard_library(zone: str, fold: int) -> None:
    rng = np.random.default_rng(11)
    local = np.sort(rng.integers(wall("2011-06-01"), wall("2026-12-01"), 3000))
    utc, _, missing = local_to_utc(local, ZoneInfo(zone), np.full(len(local), bool(fold)))
    naive = [instant(t).replace(tzinfo=ZoneInfo(zone), fold=fold) for t in local.tolist()]
    expected = np.array([microseconds(at.astimezone(dt.UTC)) for at in naive])
    # In a skipped hour PEP 495 reads fold=1 with the later offset; ours always reads it with the earlier one.
    assert (utc == expected)[~missing].all()


def test_days_of_changed_clocks_last_23_and_25_hours() -> None:
    calendar = LocalCalendar(AMSTERDAM)
    assert hours(calendar, dt.date(2026, 3, 29)) == 23
    assert hours(calendar, dt.date(2026, 10, 25)) == 25
    assert hours(calendar, dt.date(2026, 6, 1)) == 24


@pytest.mark.parametrize(
    ("zone", "date", "first_hour"),
    [
        ("Pacific/Kiritimati", dt.date(2026, 5, 4), "2026-05-03T10:00"),
        ("Pacific/Auckland", dt.date(2026, 1, 12), "2026-01-11T11:00"),
        ("Pacific/Pago_Pago", dt.date(2026, 5, 4), "2026-05-04T11:00"),
        ("Asia/Kathmandu", dt.date(2026, 5, 4), "2026-05-03T18:15"),
    ],
)
def test_a_day_near_the_date_line_has_all_its_hours(zone: str, date: dt.date, first_hour: str) -> None:
    (span,) = LocalCalendar(ZoneInfo(zone)).spans([date])
    assert span.starts_at == wall(first_hour)
    assert span.ends_at - span.starts_at == 24 * 3600 * MICROSECOND


@pytest.mark.parametrize("zone", [*ZONES, "Pacific/Kiritimati", "Pacific/Auckland"])
def test_days_in_a_row_are_the_days_one_by_one(zone: str) -> None:
    calendar = LocalCalendar(ZoneInfo(zone), [(wall("2026-07-01"), -8 * 3600), (wall("2026-07-03T12"), None)])
    first, last = dt.date(2026, 3, 20), dt.date(2026, 10, 30)
    days = [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]
    (whole,) = calendar.stretches((first, last))
    one_by_one = sorted((span.starts_at, span.ends_at) for span in calendar.spans(days))
    assert sum(end - start for start, end in whole) == sum(end - start for start, end in one_by_one)
    assert (whole[0][0], whole[-1][1]) == (one_by_one[0][0], max(end for _, end in one_by_one))


def test_a_day_that_the_zone_skipped_has_no_span() -> None:
    assert LocalCalendar(ZoneInfo("Pacific/Apia")).spans([dt.date(2011, 12, 30)]) == []


def test_spans_of_neighbouring_days_meet() -> None:
    spans = LocalCalendar(NEW_YORK).spans(dt.date(2026, 10, 25) + dt.timedelta(days=i) for i in range(14))
    assert all(a.ends_at == b.starts_at for a, b in itertools.pairwise(spans))


def test_a_journey_west_makes_the_day_longer() -> None:
    lands = microseconds(dt.datetime(2026, 5, 10, 18, tzinfo=dt.UTC))
    calendar = LocalCalendar(AMSTERDAM, [(lands, -4 * 3600)])
    assert hours(calendar, dt.date(2026, 5, 10)) == 30
    assert calendar.date(dt.datetime(2026, 5, 11, 3, 30, tzinfo=dt.UTC)) == dt.date(2026, 5, 10)


def test_a_null_period_returns_to_the_own_zone() -> None:
    away, home = (microseconds(dt.datetime(2026, 5, day, tzinfo=dt.UTC)) for day in (10, 17))
    calendar = LocalCalendar(AMSTERDAM, [(away, -4 * 3600), (home, None)])
    assert calendar.date(dt.datetime(2026, 5, 12, 2, tzinfo=dt.UTC)) == dt.date(2026, 5, 11)
    assert calendar.date(dt.datetime(2026, 5, 20, 2, tzinfo=dt.UTC)) == dt.date(2026, 5, 20)


def test_the_repeated_hour_is_ambiguous_and_fold_chooses() -> None:
    local = np.array([wall("2026-10-25T02:30:00")] * 2)
    utc, ambiguous, missing = local_to_utc(local, AMSTERDAM, np.array([False, True]))
    assert [instant(t).isoformat() for t in utc] == ["2026-10-25T00:30:00+00:00", "2026-10-25T01:30:00+00:00"]
    assert ambiguous.all()
    assert not missing.any()


def test_the_skipped_hour_is_missing_and_read_with_the_offset_before() -> None:
    utc, ambiguous, missing = local_to_utc(np.array([wall("2026-03-29T02:30:00")]), AMSTERDAM)
    assert instant(utc[0]).isoformat() == "2026-03-29T01:30:00+00:00"
    assert missing.all()
    assert not ambiguous.any()
