"""Wall-clock times through the changes of clocks, in two zones."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import numpy as np
import pytest

from ingestion.providers.local_time import (
    MISSING,
    REPEATED,
    UNTOLD,
    WallClock,
    day_lengths,
    departures,
    zone_of_clock,
)
from metrics.batch import OffsetChange, microseconds

AMSTERDAM, NEW_YORK = zoneinfo.ZoneInfo("Europe/Amsterdam"), zoneinfo.ZoneInfo("America/New_York")


def _local(*times: str) -> np.ndarray:
    return np.array(times, "datetime64[us]").astype(np.int64)


def _texts(times: np.ndarray) -> list[str]:
    return [str(time)[:16] for time in times.view("datetime64[us]")]


@pytest.mark.parametrize(
    ("zone", "day", "hour", "first", "second"),
    [
        (AMSTERDAM, "2023-10-29", "02", "2023-10-29T00:30", "2023-10-29T01:30"),
        (NEW_YORK, "2023-11-05", "01", "2023-11-05T05:30", "2023-11-05T06:30"),
    ],
)
def test_the_repeated_hour_is_told_apart_by_the_order_of_the_rows(
    zone: zoneinfo.ZoneInfo, day: str, hour: str, first: str, second: str
) -> None:
    clock = WallClock(zone)
    times = clock.utc(_local(f"{day}T{hour}:30", f"{day}T{hour}:59", f"{day}T{hour}:00", f"{day}T{hour}:30"))
    assert [_texts(times)[0], _texts(times)[3]] == [first, second]
    assert (np.diff(times) > 0).all()
    assert clock.noted[REPEATED] == 4


def test_the_second_pass_is_remembered_across_chunks() -> None:
    clock = WallClock(AMSTERDAM)
    clock.utc(_local("2023-10-29T02:30"))
    clock.utc(_local("2023-10-29T02:10"))
    assert _texts(clock.utc(_local("2023-10-29T02:50"))) == ["2023-10-29T01:50"]


def test_where_the_clock_runs_back_twice_the_order_tells_nothing() -> None:
    clock = WallClock(AMSTERDAM)
    times = clock.utc(_local("2023-10-29T02:50", "2023-10-29T02:40", "2023-10-29T02:30"))
    assert _texts(times) == ["2023-10-29T00:50", "2023-10-29T00:40", "2023-10-29T00:30"]
    assert clock.noted[UNTOLD] == 3


def test_the_same_minute_again_is_a_repeat_but_the_same_hour_again_the_second_pass() -> None:
    twice = _local("2023-10-29T02:00", "2023-10-29T02:00")
    assert _texts(WallClock(AMSTERDAM).utc(twice)) == ["2023-10-29T00:00", "2023-10-29T00:00"]
    assert _texts(WallClock(AMSTERDAM, whole_hours=True).utc(twice)) == ["2023-10-29T00:00", "2023-10-29T01:00"]


@pytest.mark.parametrize(
    ("zone", "time", "instant"),
    [(AMSTERDAM, "2024-03-31T02:30", "2024-03-31T01:30"), (NEW_YORK, "2024-03-10T02:30", "2024-03-10T07:30")],
)
def test_times_of_the_skipped_hour_are_kept_and_counted(zone: zoneinfo.ZoneInfo, time: str, instant: str) -> None:
    clock = WallClock(zone)
    assert _texts(clock.utc(_local(time))) == [instant]
    assert clock.noted[MISSING] == 1


def test_a_day_is_as_long_as_the_clocks_made_it() -> None:
    days = _local("2024-03-31", "2024-04-01", "2024-10-27")
    begins, seconds = day_lengths(WallClock(AMSTERDAM), days)
    assert (seconds // 3600).tolist() == [23, 24, 25]
    assert _texts(begins) == ["2024-03-30T23:00", "2024-03-31T22:00", "2024-10-26T22:00"]


def test_what_is_noted_adds_up_over_the_file() -> None:
    clock = WallClock(AMSTERDAM)
    for day in ("2024-03-31", "2025-03-30"):
        clock.utc(_local(f"{day}T02:10", f"{day}T02:20", f"{day}T03:00"))
    for day in ("2024-10-27", "2025-10-26"):
        clock.utc(_local(f"{day}T01:59", f"{day}T02:10", f"{day}T02:59", f"{day}T03:00"))
    assert clock.noted == {MISSING: 4, REPEATED: 4}
    for day in ("2022-10-30", "2023-10-29"):
        clock.utc(_local(f"{day}T02:50", f"{day}T02:40", f"{day}T02:30"))
    assert clock.noted == {MISSING: 4, REPEATED: 4, UNTOLD: 6}


def test_while_the_clock_runs_on_over_chunks_it_is_the_first_pass() -> None:
    clock = WallClock(AMSTERDAM)
    found = [_texts(clock.utc(_local(f"2023-10-29T02:{at}")))[0] for at in ("10", "20", "20", "30")]
    assert found == [f"2023-10-29T00:{at}" for at in ("10", "20", "20", "30")]


def test_a_chunk_begins_behind_the_last_row_of_the_one_before() -> None:
    clock = WallClock(AMSTERDAM)
    clock.utc(_local("2023-10-29T02:10", "2023-10-29T02:50"))
    assert _texts(clock.utc(_local("2023-10-29T02:30"))) == ["2023-10-29T01:30"]


def test_a_clock_that_runs_back_in_its_second_pass_tells_nothing() -> None:
    clock = WallClock(AMSTERDAM)
    clock.utc(_local("2023-10-29T02:30", "2023-10-29T02:10"))
    assert _texts(clock.utc(_local("2023-10-29T02:05"))) == ["2023-10-29T00:05"]
    assert clock.noted == {REPEATED: 2, UNTOLD: 1}


def test_each_autumn_has_passes_of_its_own() -> None:
    clock = WallClock(AMSTERDAM)
    times = clock.utc(_local("2023-10-29T02:30", "2023-10-29T02:10", "2024-10-27T02:05", "2024-10-27T02:40"))
    assert _texts(times) == ["2023-10-29T00:30", "2023-10-29T01:10", "2024-10-27T00:05", "2024-10-27T00:40"]


# --- whose clock it is ---------------------------------------------------------------------------------------------

SUMMER, WINTER = dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC), dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def _syncs(*told: tuple[dt.datetime, int]) -> list[tuple[int, int]]:
    return [(microseconds(at), seconds) for at, seconds in told]


def _zone(*told: tuple[dt.datetime, int], first: str) -> tuple[str, int] | None:
    found = zone_of_clock(_syncs(*told), first=zoneinfo.ZoneInfo(first))
    return (found[0].key, found[1]) if found else None


@pytest.mark.parametrize(
    ("told", "first", "expected"),
    [
        # As the first one has it, though a well-known one has it too.
        ([(SUMMER, 7200), (WINTER, 3600)], "Europe/Amsterdam", "Europe/Amsterdam"),
        ([(SUMMER, 7200), (WINTER, 3600)], "America/New_York", "Europe/Berlin"),
        ([(SUMMER, -14400), (WINTER, -18000)], "Europe/Amsterdam", "America/New_York"),
        # Of those with no summer time, Phoenix; of those with it, Denver.
        ([(SUMMER, -25200), (WINTER, -25200)], "Europe/Amsterdam", "America/Phoenix"),
        ([(SUMMER, -21600), (WINTER, -25200)], "Europe/Amsterdam", "America/Denver"),
        # Where few people live: the first by name.
        ([(SUMMER, 20700), (WINTER, 20700)], "Europe/Amsterdam", "Asia/Kathmandu"),
    ],
)
def test_the_zone_is_the_first_one_whose_clock_stood_as_was_told(
    told: list[tuple[dt.datetime, int]], first: str, expected: str
) -> None:
    assert _zone(*told, first=first) == (expected, 2)


def test_one_sync_is_enough_where_it_fits_somewhere_and_a_clock_of_nowhere_is_of_no_zone() -> None:
    assert _zone((SUMMER, 32400), first="Europe/Amsterdam") == ("Asia/Tokyo", 1)
    assert _zone((SUMMER, 1234), first="Europe/Amsterdam") is None


@pytest.mark.parametrize(("fit", "of", "enough"), [(4, 5, False), (5, 6, True), (8, 10, False), (9, 10, True)])
def test_more_than_four_fifths_of_the_syncs_must_fit(fit: int, of: int, enough: bool) -> None:
    told = [(SUMMER + n * DAY, 7200 if n < fit else 1234) for n in range(of)]
    assert _zone(*told, first="Europe/Amsterdam") == (("Europe/Amsterdam", fit) if enough else None)


def test_of_a_day_s_syncs_with_one_offset_the_first_stands_for_all() -> None:
    """A device goes by the old clock until it is next told the time."""
    before, after = dt.datetime(2024, 3, 31, 0, 30, tzinfo=dt.UTC), dt.datetime(2024, 3, 31, 2, tzinfo=dt.UTC)
    told = [(before, 3600), (after, 3600), (SUMMER, 7200)]
    assert _zone(*told, first="Europe/Amsterdam") == ("Europe/Amsterdam", 3)


def test_departures_are_told_where_the_clock_leaves_its_owner_s_zone_and_where_it_comes_back() -> None:
    stated = [(SUMMER + n * DAY, seconds) for n, seconds in enumerate((7200, -14400, -14400, -18000, 7200, 7200))]
    assert departures([*reversed(stated), (WINTER, 3600)], AMSTERDAM) == [
        OffsetChange(SUMMER + DAY, -14400),
        OffsetChange(SUMMER + 3 * DAY, -18000),
        OffsetChange(SUMMER + 4 * DAY, None),
    ]


def test_a_clock_that_did_not_follow_summer_time_departs() -> None:
    assert departures([(WINTER, 3600), (SUMMER, 3600)], AMSTERDAM) == [OffsetChange(SUMMER, 3600)]
    assert departures([], AMSTERDAM) == []
