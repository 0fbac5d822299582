"""Nights over a change of clocks, however their stamps are written: each must begin, end and change stage as it did."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.providers.night_clock import Night, WallStage, fits, read_night, stage_starts

AMSTERDAM, LORD_HOWE = zoneinfo.ZoneInfo("Europe/Amsterdam"), zoneinfo.ZoneInfo("Australia/Lord_Howe")
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
# When the clocks change, UTC: in autumn and in spring, by an hour and by half an hour.
CHANGES = [
    (AMSTERDAM, "2026-10-25T01:00"),
    (AMSTERDAM, "2026-03-29T01:00"),
    (NEW_YORK, "2026-11-01T06:00"),
    (NEW_YORK, "2026-03-08T07:00"),
    (LORD_HOWE, "2026-04-04T15:00"),
    (LORD_HOWE, "2026-10-03T15:30"),
]
WALL, START = True, False


def _wall(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def _instant(text: str) -> dt.datetime:
    return _wall(text).replace(tzinfo=dt.UTC)


def _stamp(at: dt.datetime, zone: zoneinfo.ZoneInfo, starts_at: dt.datetime, style: bool) -> dt.datetime:
    """How a source of that style writes an instant of a night."""
    offset = (at if style == WALL else starts_at).astimezone(zone).utcoffset()
    assert offset is not None
    return (at + offset).replace(tzinfo=None)


def _read(
    zone: zoneinfo.ZoneInfo, begins: dt.datetime, lengths: list[tuple[int, int]], style: bool, *, told: bool
) -> tuple[Night, dt.datetime, list[int]]:
    """The night as read, its true end, and where its stages truly begin. `lengths`: minutes before a stage, and of it.

    `told`: the source states how long the night was.
    """
    at, walls, truth = begins, list[WallStage](), list[int]()
    for pause, lasts in lengths:
        at += dt.timedelta(minutes=pause)
        walls.append((_stamp(at, zone, begins, style), lasts * 60))
        truth.append(round((at - begins).total_seconds()))
        at += dt.timedelta(minutes=lasts)
    start, end = _stamp(begins, zone, begins, style), _stamp(at, zone, begins, style)
    return read_night(zone, start, end, walls, at - begins if told else None), at, truth


@pytest.mark.parametrize("told", [True, False], ids=["duration", "sum of stages"])
@pytest.mark.parametrize("style", [WALL, START], ids=["wall", "start"])
@pytest.mark.parametrize(("zone", "change"), CHANGES)
def test_a_night_is_as_long_as_it_was_whichever_clock_its_stamps_are_on(
    zone: zoneinfo.ZoneInfo, change: str, style: bool, told: bool
) -> None:
    begins = _instant(change) - dt.timedelta(hours=4)
    night, ends_at, stages = _read(zone, begins, [(0, 200), (0, 100), (0, 240)], style, told=told)
    assert (night.starts_at, night.ends_at, list(night.stages)) == (begins, ends_at, stages)


@pytest.mark.parametrize("style", [WALL, START], ids=["wall", "start"])
@pytest.mark.parametrize(("zone", "change"), CHANGES)
@pytest.mark.parametrize("gap", [30, 60])
def test_a_night_with_as_much_missing_as_the_clocks_change_does_not_move(
    zone: zoneinfo.ZoneInfo, change: str, style: bool, gap: int
) -> None:
    begins = _instant(change) - dt.timedelta(hours=4)
    night, ends_at, stages = _read(zone, begins, [(0, 60), (gap, 180), (0, 240 - gap)], style, told=True)
    assert (night.starts_at, night.ends_at, list(night.stages)) == (begins, ends_at, stages)


@given(
    begins=st.datetimes(_wall("2026-10-24T16:00"), _wall("2026-10-25T05:00")),
    lengths=st.lists(st.tuples(st.integers(0, 90), st.integers(5, 120)), min_size=1, max_size=8),
)
def test_on_the_wall_no_night_ends_elsewhere_than_its_stamps_say(
    begins: dt.datetime, lengths: list[tuple[int, int]]
) -> None:
    at = begins.replace(second=0, microsecond=0, tzinfo=dt.UTC)
    night, ends_at, _ = _read(AMSTERDAM, at, [(0, lengths[0][1]), *lengths[1:]], WALL, told=True)
    assert night.ends_at - night.starts_at == ends_at - at


@pytest.mark.parametrize("told", [True, False])
def test_a_night_without_a_change_keeps_an_hour_that_is_missing(told: bool) -> None:
    night, ends_at, stages = _read(AMSTERDAM, _instant("2026-06-01T21:00"), [(0, 120), (60, 240)], WALL, told=told)
    assert (night.ends_at, list(night.stages)) == (ends_at, stages)


def test_the_end_may_be_on_the_wall_and_the_stages_on_the_start_s_clock() -> None:
    start, end = _wall("2026-10-24T23:00"), _wall("2026-10-25T07:00")
    walls = [(start, 4 * 3600), (start + dt.timedelta(hours=4), 2 * 3600), (start + dt.timedelta(hours=6), 3 * 3600)]
    night = read_night(AMSTERDAM, start, end, walls, dt.timedelta(hours=9))
    assert night.ends_at == _instant("2026-10-25T06:00")
    assert night.stages == (0, 4 * 3600, 6 * 3600)


def test_without_a_length_the_clock_on_the_wall_is_read() -> None:
    night = read_night(AMSTERDAM, _wall("2026-10-24T23:00"), _wall("2026-10-25T07:00"))
    assert night.ends_at - night.starts_at == dt.timedelta(hours=9)


# --- which reading is taken, exactly ---------------------------------------------------------------------------------

HOUR, SECOND = 3600, dt.timedelta(seconds=1)


def _autumn(
    *stages: tuple[str, int], start: str = "24T23:00", end: str = "25T07:00", hours: float | None = None
) -> Night:
    """A night in Amsterdam when the clocks go back at 03:00 of 25 October; stamps are day and clock."""
    length = None if hours is None else dt.timedelta(hours=hours)
    walls = [(_wall(f"2026-10-{at}"), seconds) for at, seconds in stages]
    return read_night(AMSTERDAM, _wall(f"2026-10-{start}"), _wall(f"2026-10-{end}"), walls, length)


def _night(starts: str, ends: str, *stages: int, wall: bool) -> Night:
    return Night(_instant(f"2026-10-{starts}"), _instant(f"2026-10-{ends}"), stages, wall)


def test_where_no_clock_changes_stages_are_on_the_wall() -> None:
    start, end = _wall("2026-06-01T23:00"), _wall("2026-06-02T07:00")
    night = read_night(AMSTERDAM, start, end, [(start, 8 * HOUR)])
    assert night == Night(_instant("2026-06-01T21:00"), _instant("2026-06-02T05:00"), (0,), on_the_wall=True)


def test_the_end_on_the_start_s_clock_means_the_stages_too_and_where_both_fit_the_wall_s_is_taken() -> None:
    assert _autumn(hours=8) == _night("24T21:00", "25T05:00", wall=False)
    assert _autumn(hours=9) == _night("24T21:00", "25T06:00", wall=True)
    assert _autumn(hours=8.5) == _night("24T21:00", "25T06:00", wall=True)
    assert _autumn(hours=8.49) == _night("24T21:00", "25T05:00", wall=False)


@pytest.mark.parametrize(
    ("hours", "starts"), [(None, "25T00:30"), (6.5, "25T00:30"), (5.5, "25T01:30"), (5.9, "25T01:30")]
)
def test_a_start_in_the_repeated_hour_is_the_pass_that_fits_the_length_else_the_first(
    hours: float | None, starts: str
) -> None:
    assert _autumn(start="25T02:30", end="25T08:00", hours=hours) == _night(starts, "25T07:00", wall=True)


@pytest.mark.parametrize(("hours", "ends"), [(None, "25T00:30"), (3.5, "25T00:30"), (4.5, "25T01:30")])
def test_an_end_in_the_repeated_hour_is_the_pass_that_fits_the_length_else_the_first(
    hours: float | None, ends: str
) -> None:
    assert _autumn(end="25T02:30", hours=hours) == _night("24T21:00", ends, wall=True)


@pytest.mark.parametrize(
    ("start", "end", "starts", "ends"),
    [
        ("02:45", "02:15", "00:45", "01:15"),
        ("02:40", "02:26", "00:40", "01:26"),
        ("02:40", "02:39:59", "00:40", "01:39:59"),
        ("02:40", "02:40", "00:40", "00:40"),
        ("02:40", "02:50", "00:40", "00:50"),
    ],
)
def test_a_night_within_the_repeated_hour_does_not_end_before_it_begins(
    start: str, end: str, starts: str, ends: str
) -> None:
    assert _autumn(start=f"25T{start}", end=f"25T{end}") == _night(f"25T{starts}", f"25T{ends}", wall=True)


def test_a_night_whose_stamps_are_the_wrong_way_round_stays_so() -> None:
    night = read_night(AMSTERDAM, _wall("2026-06-02T02:00"), _wall("2026-06-02T01:50"))
    assert (night.starts_at, night.ends_at) == (_instant("2026-06-02T00:00"), _instant("2026-06-01T23:50"))


@pytest.mark.parametrize(("over", "wall"), [(899, True), (900, False)])
@pytest.mark.parametrize("before", [0, 1])
def test_stages_that_reach_a_quarter_of_an_hour_beyond_the_night_are_on_another_clock(
    over: int, before: int, wall: bool
) -> None:
    """`before`: seconds by which the first stage begins too early; they count with the rest."""
    first = "24T23:00" if not before else "24T22:59:59"
    night = _autumn((first, 2 * HOUR), ("25T04:00", 3 * HOUR + over - before), hours=9)
    assert night == _night("24T21:00", "25T06:00", -before, (6 if wall else 5) * HOUR, wall=wall)


@pytest.mark.parametrize(("over", "wall"), [(899, True), (900, False)])
def test_stages_that_lie_a_quarter_of_an_hour_on_each_other_are_on_another_clock(over: int, wall: bool) -> None:
    """In spring the wall's clock skips an hour: what stands at 03:00 follows on three hours, or on four."""
    start, end = _wall("2026-03-28T23:00"), _wall("2026-03-29T07:00")
    stages = [(start, 3 * HOUR + over), (_wall("2026-03-29T03:00"), HOUR), (_wall("2026-03-29T05:00"), HOUR // 2)]
    night = read_night(AMSTERDAM, start, end, stages, dt.timedelta(hours=7))
    found = (0, 3 * HOUR, 5 * HOUR) if wall else (0, 4 * HOUR, 6 * HOUR)
    assert night == Night(_instant("2026-03-28T22:00"), _instant("2026-03-29T05:00"), found, wall)


def _starts(start: str, fold: int, *stages: tuple[str, int], wall: bool = True) -> tuple[int, ...]:
    walls = [(_wall(f"2026-10-25T{at}"), seconds) for at, seconds in stages]
    begins = _wall(f"2026-10-25T{start}")
    instant = begins.replace(tzinfo=AMSTERDAM, fold=fold).astimezone(dt.UTC)
    return stage_starts(AMSTERDAM, begins, instant, walls, on_the_wall=wall)


def test_on_either_clock_stages_are_told_in_seconds_from_the_night_s_start() -> None:
    stages = ("01:00", 90 * 60), ("02:30", 90 * 60), ("04:00:00.6", HOUR)
    assert _starts("01:00", 0, *stages) == (0, 5400, 4 * HOUR + 1)
    assert _starts("01:00", 0, *stages, wall=False) == (0, 5400, 3 * HOUR + 1)


def test_a_stage_of_the_repeated_hour_is_the_second_pass_where_the_first_lies_before_what_came_last() -> None:
    assert _starts("01:30", 0, ("01:30", HOUR), ("02:30", HOUR)) == (0, HOUR)
    assert _starts("01:30", 0, ("01:30", HOUR + 1), ("02:30", HOUR)) == (0, 2 * HOUR)
    assert _starts("01:30", 0, ("01:30", 2 * HOUR), ("02:30", HOUR)) == (0, 2 * HOUR)
    # Neither pass lies behind what came last: stages that overlap.
    assert _starts("01:30", 0, ("01:30", 2 * HOUR + 1), ("02:30", HOUR)) == (0, HOUR)


def test_the_first_stage_of_a_night_that_begins_in_the_second_pass_is_of_it() -> None:
    assert _starts("02:30", 1, ("02:30", 60)) == (0,)
    assert _starts("02:30", 0, ("02:29:59", 60)) == (HOUR - 1,)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_night_fits_its_length_up_to_a_quarter_of_an_hour(sign: int) -> None:
    span = dt.timedelta(hours=8)
    assert fits(span, span + sign * 899 * SECOND)
    assert not fits(span, span + sign * 900 * SECOND)
    assert fits(span, None)
