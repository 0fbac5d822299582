"""Nights over a change of clocks, however their stamps are written: each must begin, end and change stage as it did."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.providers.night_clock import Night, WallStage, read_night

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
