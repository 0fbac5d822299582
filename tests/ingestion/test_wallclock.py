"""Wall-clock times through the changes of clocks, in two zones."""

from __future__ import annotations

import zoneinfo

import numpy as np
import pytest

from ingestion.providers.wallclock import MISSING, REPEATED, UNTOLD, WallClock, day_lengths

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
