"""Wherever time is drawn, a shape is as long as the time it stands for: however short, over midnights and clocks."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.heatmap import day_detail
from dashboards.participant_detail.charts import series as charts_series
from dashboards.participant_detail.charts import sleep as charts_sleep
from dashboards.participant_detail.charts.timeline import timeline
from dashboards.participant_detail.date_range import DayRange
from dashboards.ui.timeline_geometry import HAIR_PERCENT, Day, Extent, Missing, Scale, extent
from metrics.models import Cause, Gap, SleepSession
from metrics.reading.queries import Series
from metrics.registry import BY_CODE
from participants.user_input import midnight

# Half a unit of the last decimal, percent of the picture.
ROUNDED = 0.0011
ZONES = st.sampled_from([ZoneInfo(name) for name in ("UTC", "Europe/Amsterdam", "Australia/Lord_Howe", "Pacific/Apia")])
# Among them days of 23, 24, 24.5 and 25 hours, and one that Apia leapt over.
DAYS = st.sampled_from([dt.date.fromisoformat(d) for d in ("2026-03-29", "2026-10-25", "2026-10-04", "2026-11-20")])
LATER = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


def percent(text: str) -> float:
    assert text.endswith("%")
    return float(text[:-1])


def seconds(start: dt.datetime, end: dt.datetime) -> float:
    return end.timestamp() - start.timestamp()


@st.composite
def cut(draw: st.DrawFn, parts: int = 12) -> list[float]:
    """Edges between 0 and 1 that cut a day into stretches, some of them very short."""
    edges = draw(st.lists(st.one_of(st.floats(0, 1), st.integers(0, 86_400).map(lambda s: s / 86_400)), max_size=parts))
    return sorted({0.0, *edges, 1.0})


@given(day=DAYS, zone=ZONES, edges=cut(), passed=st.floats(0.01, 1))
def test_a_gap_of_the_heat_maps_day_is_as_wide_as_its_minutes(
    day: dt.date, zone: ZoneInfo, edges: list[float], passed: float
) -> None:
    start, end = midnight(day, zone), midnight(day + dt.timedelta(days=1), zone)
    whole = seconds(start, end)
    now = dt.datetime.fromtimestamp(start.timestamp() + whole * passed, dt.UTC)
    for first, last in zip(edges[::2], edges[1::2], strict=False):
        gap = Gap(
            starts_at=dt.datetime.fromtimestamp(start.timestamp() + whole * first, dt.UTC),
            ends_at=dt.datetime.fromtimestamp(start.timestamp() + whole * last, dt.UTC),
            cause=Cause.OFF_WRIST,
        )
        drawn = day_detail.missing_interval(gap, day, zone, now)
        length = max(seconds(gap.starts_at, min(gap.ends_at, now)), 0)
        if drawn is None:
            assert length == 0
            continue
        assert percent(drawn.width) / 100 * whole == pytest.approx(length, abs=ROUNDED / 100 * whole)
        assert percent(drawn.x) / 100 * whole == pytest.approx(seconds(start, gap.starts_at), abs=ROUNDED / 100 * whole)


@given(first=DAYS, zone=ZONES, edges=cut(), count=st.integers(1, 14))
def test_worn_and_missing_intervals_of_the_timeline_are_as_wide_as_their_minutes(
    first: dt.date, zone: ZoneInfo, edges: list[float], count: int
) -> None:
    days = DayRange(first, first + dt.timedelta(days=count - 1))
    start, end = days.instants(zone)
    whole = seconds(start, end)
    at = [dt.datetime.fromtimestamp(round(start.timestamp() + whole * edge), dt.UTC) for edge in edges]
    causes = [Cause.OFF_WRIST, Cause.BATTERY_FLAT]
    gaps = [
        Missing(low, high, causes[i % 2])
        for i, (low, high) in enumerate(zip(at[::2], at[1::2], strict=False))
        if high > low
    ]
    shown = [Day(first + dt.timedelta(days=i), "v", "", 800, 1440) for i in range(count)]
    drawn = timeline(shown, gaps, days, zone, LATER)
    missing = sum(seconds(gap.starts_at, gap.ends_at) for gap in gaps)
    allowed = ROUNDED / 100 * whole * (len(edges) + count)
    assert sum(percent(b.width) for b in drawn.gaps) / 100 * whole == pytest.approx(missing, abs=allowed)
    assert sum(percent(b.width) for b in drawn.worn) / 100 * whole == pytest.approx(whole - missing, abs=allowed)
    for block, gap in zip(drawn.gaps, gaps, strict=False):
        assert percent(block.width) / 100 * whole == pytest.approx(
            seconds(gap.starts_at, gap.ends_at), abs=ROUNDED / 100 * whole
        )


@given(first=DAYS, zone=ZONES, count=st.integers(15, 500))
def test_marks_of_many_days_are_as_wide_as_their_days(first: dt.date, zone: ZoneInfo, count: int) -> None:
    days = DayRange(first, first + dt.timedelta(days=count - 1))
    start, end = days.instants(zone)
    shown = [Day(first + dt.timedelta(days=i), "vi"[i // 3 % 2], "", 800, 1440) for i in range(count)]
    gaps = [Missing(start, end, Cause.OFF_WRIST)]
    drawn = timeline(shown, gaps, days, zone, LATER)
    assert sum(percent(block.width) for block in drawn.gaps) == pytest.approx(100, abs=0.01)
    if drawn.runs:
        assert sum(percent(block.width) for block in drawn.runs) == pytest.approx(100, abs=ROUNDED * count)


@given(lengths=st.lists(st.integers(1, 4 * 3600), min_size=1, max_size=60))
def test_a_stage_is_as_wide_as_its_seconds(lengths: list[int]) -> None:
    starts = dt.datetime(2026, 11, 19, 22, tzinfo=dt.UTC)
    offsets = np.cumsum([0, *lengths]).tolist()
    names = ("light", "deep", "rem", "awake")
    stages = [[at, length, names[i % 4]] for i, (at, length) in enumerate(zip(offsets, lengths, strict=False))]
    whole = offsets[-1]
    session = SleepSession(
        starts_at=starts,
        ends_at=starts + dt.timedelta(seconds=whole),
        date=dt.date(2026, 11, 20),
        stages=stages,
        asleep_minutes=whole // 60,
    )
    drawn = charts_sleep.hypnogram(session, ZoneInfo("UTC"))
    for piece, length in zip(drawn.pieces, lengths, strict=True):
        assert percent(piece.width) / 100 * whole == pytest.approx(length, abs=ROUNDED / 100 * whole)
        assert piece.thin == (percent(piece.width) < HAIR_PERCENT)
    assert sum(percent(piece.width) for piece in drawn.pieces) == pytest.approx(100, abs=ROUNDED * len(lengths))


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(1, 800)), min_size=1, max_size=7))
def test_a_night_is_as_high_as_its_minutes(found: list[tuple[int, int]]) -> None:
    first, zone = dt.date(2026, 11, 16), ZoneInfo("UTC")
    sessions = []
    for i, (begins, length) in enumerate(found):
        date = first + dt.timedelta(days=i)
        starts = dt.datetime.combine(date, dt.time(), zone) - dt.timedelta(hours=6) + dt.timedelta(minutes=begins)
        ends = starts + dt.timedelta(minutes=length)
        sessions.append(SleepSession(starts_at=starts, ends_at=ends, date=date, is_main=True, asleep_minutes=length))
    last = first + dt.timedelta(days=len(found) - 1)
    drawn = charts_sleep.nights(sessions, first, last, zone, chosen=None, pending=frozenset(), until=last)
    (top, _), *_, (bottom, _) = drawn.clock
    low = min(begins for begins, _ in found) // 120 * 120
    high = -(-max(begins + length for begins, length in found) // 120) * 120
    assert bottom - top <= charts_sleep.HEIGHT
    for bar, (_, length) in zip(drawn.bars, found, strict=True):
        assert bar.height / charts_sleep.HEIGHT * (high - low) == pytest.approx(length, abs=0.06 * (high - low) / 100)
        assert bar.height > 0


@given(st.sets(st.integers(0, 200), min_size=1, max_size=60), st.sampled_from([60, 600, 3600]))
def test_gaps_of_a_chart_are_the_buckets_without_data(places: set[int], width: int) -> None:
    start = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)
    end = start + dt.timedelta(seconds=201 * width)
    time = np.array(sorted(places), np.int64) * width * 1_000_000 + int(start.timestamp()) * 1_000_000
    one = np.ones(len(time))
    series = Series(
        participant_id=1,
        metric=BY_CODE["heart_rate"],
        sources=[],
        others=[],
        width=width,
        time=time,
        mean=one,
        low=one,
        high=one,
        total=one,
        n=np.ones(len(time), np.int64),
    )
    found = charts_series.gaps(series, start, end, LATER)
    assert sum(last - first for first, last in found) == (201 - len(places)) * width * 1000


def test_an_interval_too_short_to_be_seen_has_a_hairline_and_keeps_its_width() -> None:
    scale = Scale(dt.datetime(2026, 11, 16, tzinfo=dt.UTC), dt.datetime(2026, 11, 17, tzinfo=dt.UTC))
    short = Extent(*scale.span(scale.start, scale.start + dt.timedelta(minutes=1)))
    assert (short.width, short.thin) == ("0.069%", True)
    assert not Extent(*extent(0, HAIR_PERCENT)).thin
