"""Local days and wall clocks, against the standard library and against known changes of clocks."""

from __future__ import annotations

import datetime as dt
import itertools
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from metrics.batch import MICROSECOND, instant, microseconds
from metrics.local_time import EPOCH, LocalCalendar, local_to_utc

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
    (whole,) = calendar.intervals((first, last))
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


def test_every_repeated_and_every_skipped_hour_of_several_years_is_told() -> None:
    repeated = np.array([wall("2025-10-26T02:30"), wall("2026-01-01"), wall("2026-10-25T02:30")])
    assert local_to_utc(repeated, AMSTERDAM)[1].tolist() == [True, False, True]
    skipped = np.array([wall("2025-03-30T02:30"), wall("2026-01-01"), wall("2026-03-29T02:30")])
    assert local_to_utc(skipped, AMSTERDAM)[2].tolist() == [True, False, True]


def test_the_skipped_hour_is_missing_and_read_with_the_offset_before() -> None:
    utc, ambiguous, missing = local_to_utc(np.array([wall("2026-03-29T02:30:00")]), AMSTERDAM)
    assert instant(utc[0]).isoformat() == "2026-03-29T01:30:00+00:00"
    assert missing.all()
    assert not ambiguous.any()


def test_a_change_of_clocks_at_midnight_does_not_cut_the_days_beside_it() -> None:
    calendar = LocalCalendar(ZoneInfo("America/Havana"))  # 2026-11-01 at 01:00 it is midnight again
    before, day = dt.date(2026, 10, 31), dt.date(2026, 11, 1)
    assert [(span.date, span.starts_at, span.ends_at) for span in calendar.spans([day, before])] == [
        (before, wall("2026-10-31T04:00"), wall("2026-11-01T04:00")),
        (day, wall("2026-11-01T04:00"), wall("2026-11-02T05:00")),
    ]


def test_a_clock_that_is_set_back_over_midnight_gives_two_days_two_intervals_each() -> None:
    calendar = LocalCalendar(ZoneInfo("UTC"), [(wall("2026-05-05T01:00"), -2 * 3600)])
    first, second = dt.date(2026, 5, 4), dt.date(2026, 5, 5)
    assert [(span.date, span.starts_at, span.ends_at) for span in calendar.spans([first, second, first])] == [
        (first, wall("2026-05-04"), wall("2026-05-05")),
        (first, wall("2026-05-05T01:00"), wall("2026-05-05T02:00")),
        (second, wall("2026-05-05"), wall("2026-05-05T01:00")),
        (second, wall("2026-05-05T02:00"), wall("2026-05-06T02:00")),
    ]
    assert calendar.midnight(first) == instant(wall("2026-05-04"))


def test_intervals_of_a_day_that_meet_are_one() -> None:
    back = [(wall("2026-05-05T01:00"), -2 * 3600), (wall("2026-05-05T01:30"), -9000)]
    calendar = LocalCalendar(ZoneInfo("UTC"), back)
    assert [(span.starts_at, span.ends_at) for span in calendar.spans([dt.date(2026, 5, 4)])] == [
        (wall("2026-05-04"), wall("2026-05-05")),
        (wall("2026-05-05T01:00"), wall("2026-05-05T02:30")),
    ]


def test_a_clock_is_set_from_the_instant_on_that_the_device_says() -> None:
    lands = wall("2026-05-10T18:00")
    calendar = LocalCalendar(AMSTERDAM, [(lands, -4 * 3600)])
    assert [calendar.offset(lands - 1), calendar.offset(lands)] == [2 * 3600, -4 * 3600]
    assert calendar.offsets(np.array([lands - 1, lands])).tolist() == [2 * 3600, -4 * 3600]
    assert calendar.offsets(np.array([lands, lands - 1, lands + 1])).tolist() == [-4 * 3600, 2 * 3600, -4 * 3600]


def test_a_zones_clock_changes_at_its_instant_also_in_the_first_and_last_hour_of_a_year() -> None:
    change = wall("2026-03-29T01:00")
    calendar = LocalCalendar(AMSTERDAM)
    assert calendar.offsets(np.array([change - 1, change])).tolist() == [3600, 2 * 3600]
    # Samoa left out a day at the end of a year, Dhaka set its clock back in its last hours, São Tomé in its first.
    for zone, change, offsets in (
        ("Pacific/Apia", wall("2011-12-30T10:00"), [-10 * 3600, 14 * 3600]),
        ("Asia/Dhaka", wall("2009-12-31T17:00"), [7 * 3600, 6 * 3600]),
        ("Africa/Sao_Tome", wall("2018-01-01T01:00"), [0, 3600]),
    ):
        calendar = LocalCalendar(ZoneInfo(zone))
        assert calendar.offsets(np.array([change - 1, change])).tolist() == offsets
        assert calendar.offsets(np.array([wall("2008-06-15"), change - 1, change])).tolist()[1:] == offsets


def test_of_no_instants_and_no_dates_there_is_nothing() -> None:
    calendar, none = LocalCalendar(AMSTERDAM), np.zeros(0, dtype=np.int64)
    assert (len(calendar.offsets(none)), len(calendar.dates(none))) == (0, 0)
    assert calendar.intervals() == []
    assert calendar.spans([]) == []
    assert [len(found) for found in local_to_utc(none, AMSTERDAM)] == [0, 0, 0]


@pytest.mark.parametrize("offset", [26, -26])
def test_a_clock_26_hours_off_has_whole_days(offset: int) -> None:
    calendar = LocalCalendar(AMSTERDAM, [(wall("2026-01-01"), offset * 3600)])
    (span,) = calendar.spans([dt.date(2026, 5, 4)])
    assert span.starts_at == wall("2026-05-04") - offset * 3600 * MICROSECOND
    assert span.ends_at - span.starts_at == 24 * 3600 * MICROSECOND


def test_a_day_begins_at_midnight_and_one_that_was_skipped_where_it_would_have() -> None:
    assert LocalCalendar(AMSTERDAM).midnight(dt.date(2026, 5, 4)) == dt.datetime(2026, 5, 3, 22, tzinfo=dt.UTC)
    apia = LocalCalendar(ZoneInfo("Pacific/Apia"))
    for skipped in (30, 31):  # what would have been the 30th is the 31st
        assert apia.midnight(dt.date(2011, 12, skipped)) == dt.datetime(2011, 12, 30, 10, tzinfo=dt.UTC)


def test_a_date_by_the_zone_is_what_it_is_whatever_the_device_said() -> None:
    calendar = LocalCalendar(AMSTERDAM, [(wall("2026-05-01"), -4 * 3600)])
    at = dt.datetime(2026, 5, 3, 22, tzinfo=dt.UTC)
    assert (calendar.date(at), calendar.zone_date(at)) == (dt.date(2026, 5, 3), dt.date(2026, 5, 4))
    assert calendar.zone_date(at - dt.timedelta(microseconds=1)) == dt.date(2026, 5, 3)


@pytest.mark.parametrize(
    ("zone", "skipped", "repeated"),
    [
        ("Europe/Amsterdam", ("2026-03-29T02:00", "2026-03-29T03:00"), ("2026-10-25T02:00", "2026-10-25T03:00")),
        ("America/New_York", ("2026-03-08T02:00", "2026-03-08T03:00"), ("2026-11-01T01:00", "2026-11-01T02:00")),
        ("Australia/Lord_Howe", ("2026-10-04T02:00", "2026-10-04T02:30"), ("2026-04-05T01:30", "2026-04-05T02:00")),
    ],
)
@pytest.mark.parametrize("whole_year", [True, False])
def test_the_skipped_and_the_repeated_hour_have_both_their_bounds(
    zone: str, skipped: tuple[str, str], repeated: tuple[str, str], whole_year: bool
) -> None:
    for (first, last), ambiguous in ((skipped, False), (repeated, True)):
        local = np.array([wall(first) - 1, wall(first), wall(last) - 1, wall(last)])
        if whole_year:
            local = np.concatenate([local, [wall("2026-01-01T12:00"), wall("2026-12-31T12:00")]])
        for fold in (None, np.ones(len(local), dtype=bool)):
            utc, twice, missing = local_to_utc(local, ZoneInfo(zone), fold)
            assert (twice if ambiguous else missing).tolist()[:4] == [False, True, True, False]
            assert not (missing if ambiguous else twice).any()
            expected = [
                instant(one).replace(tzinfo=ZoneInfo(zone), fold=int(ambiguous and fold is not None))
                for one in local.tolist()
            ]
            assert utc.tolist() == [microseconds(one.astimezone(dt.UTC)) for one in expected]


def test_wall_clock_times_at_the_turn_of_a_year_are_read_with_the_clock_of_their_side() -> None:
    # Dhaka set its clock back by an hour at the end of 2009.
    local = np.array([wall("2009-12-31T22:59:59"), wall("2009-12-31T23:30"), wall("2010-01-01T00:00")])
    utc, twice, missing = local_to_utc(local, ZoneInfo("Asia/Dhaka"))
    assert utc.tolist() == [wall("2009-12-31T15:59:59"), wall("2009-12-31T16:30"), wall("2009-12-31T18:00")]
    assert twice.tolist() == [False, True, False]
    assert not missing.any()
