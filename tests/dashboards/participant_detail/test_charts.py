"""Shaping of series for charts and tables: gaps, words, columns."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pytest

from dashboards.participant_detail.charts import series as charts_series
from metrics.batch import MICROSECOND, microseconds
from metrics.models import Source
from metrics.reading.queries import DayRow, ReadFrom, Series
from metrics.registry import BY_CODE, HEART_RATE, STEPS, Metric

START = dt.datetime(2026, 11, 18, tzinfo=dt.UTC)
END = START + dt.timedelta(hours=1)
LATER = END + dt.timedelta(days=1)
ZONE = ZoneInfo("Europe/Amsterdam")
MS = microseconds(START) // 1000


def series(seconds: list[int], *, width: int = 60, metric: Metric = HEART_RATE) -> Series:
    """Points at so many seconds after START, each with the value of its place."""
    time = microseconds(START) + np.array(seconds, dtype=np.int64) * MICROSECOND
    value = np.arange(len(seconds), dtype=float)
    return Series(1, metric, [], [], width, time, value, value - 1, value + 1, value * 2, np.full(len(seconds), 2))


def test_consecutive_buckets_are_joined() -> None:
    assert not charts_series.breaks(series([0, 60, 120])).any()


def test_a_missing_bucket_breaks_the_line() -> None:
    assert charts_series.breaks(series([0, 60, 180])).tolist() == [False, True]


def test_buckets_exactly_one_and_a_half_widths_apart_are_joined() -> None:
    assert charts_series.breaks(series([0, 90])).tolist() == [False]


def test_raw_samples_up_to_a_minute_apart_are_joined() -> None:
    assert charts_series.breaks(series([0, 1, 2, 3, 63, 124], width=0)).tolist() == [False] * 4 + [True]


def test_sparse_raw_samples_have_a_gap_only_past_five_usual_steps() -> None:
    assert charts_series.breaks(series([0, 300, 600, 900, 2400, 3901], width=0)).tolist() == [False] * 4 + [True]


def test_one_point_and_none_have_no_breaks() -> None:
    assert charts_series.breaks(series([0])).tolist() == charts_series.breaks(series([])).tolist() == []


def test_a_gap_puts_a_null_into_every_column() -> None:
    columns = orjson.loads(
        orjson.dumps(
            charts_series.columns(series([0, 60, 300]), broken_by_null=True), option=orjson.OPT_SERIALIZE_NUMPY
        )
    )
    assert columns["t"] == [MS, MS + 60_000, MS + 60_001, MS + 300_000]
    assert columns["mean"] == [0, 1, None, 2]
    assert columns["low"] == [-1, 0, None, 1]
    assert columns["total"] == [0, 2, None, 4]
    assert columns["n"] == [2, 2, 0, 2]


def test_bars_need_no_nulls() -> None:
    assert len(charts_series.columns(series([0, 60, 300]), broken_by_null=False)["t"]) == 3


def test_gaps_lie_between_the_end_of_a_bucket_and_the_next() -> None:
    found = charts_series.gaps(series([0, 60, 300, 3540]), START, END, LATER)
    assert found == [(MS + 120_000, MS + 300_000), (MS + 360_000, MS + 3_540_000)]


def test_gaps_reach_to_both_ends_of_the_range() -> None:
    assert charts_series.gaps(series([600]), START, END, LATER) == [(MS, MS + 600_000), (MS + 660_000, MS + 3_600_000)]


def test_the_future_is_no_gap() -> None:
    now = START + dt.timedelta(minutes=10)
    assert charts_series.gaps(series([0, 60, 120, 180, 240, 300, 360, 420, 480, 540]), START, END, now) == []


def test_a_range_without_data_is_one_gap() -> None:
    assert charts_series.gaps(series([]), START, END, LATER) == [(MS, MS + 3_600_000)]


@pytest.mark.parametrize(
    ("code", "chart"), [("heart_rate", "line"), ("steps", "bars"), ("resting_heart_rate", "points"), ("spo2", "line")]
)
def test_each_metric_has_its_kind_of_chart(code: str, chart: str) -> None:
    assert charts_series.kind_of_chart(BY_CODE[code]) == chart


@pytest.mark.parametrize(
    ("metric", "width", "words"),
    [
        (HEART_RATE, 0, "every value as recorded"),
        (HEART_RATE, 15, "1 point = 15 s"),
        (HEART_RATE, 600, "1 point = 10 min"),
        (HEART_RATE, 86_400, "1 point = 1 day"),
        (STEPS, 3600, "1 bar = 1 h"),
        (STEPS, 172_800, "1 bar = 2 days"),
        (BY_CODE["resting_heart_rate"], 86_400, "1 value a day"),
    ],
)
def test_the_resolution_is_given_as_text(metric: Metric, width: int, words: str) -> None:
    assert charts_series.resolution_text(metric, width).replace("\u00a0", " ") == words


def test_the_payload_names_unit_zone_and_resolution() -> None:
    meta = charts_series.payload(series([0, 60]), zone=ZONE, start=START, end=END, now=LATER)["meta"]
    assert (meta["unit"], meta["ucum"], meta["zone"], meta["width_seconds"]) == ("bpm", "/min", "Europe/Amsterdam", 60)


def test_every_colour_of_a_metric_is_a_token_of_the_stylesheet(stylesheet: str) -> None:
    for colour in {*charts_series.COLOURS.values(), "compare"}:
        assert f"--vis-{colour}:" in stylesheet


def test_a_day_without_data_shows_a_dash_and_not_zero() -> None:
    day = dt.date(2026, 11, 18)
    row = DayRow(day, n=10, minutes=125, mean=71.6, low=50.0, high=120.0, total=716.0)
    table = charts_series.day_rows([row], HEART_RATE, day - dt.timedelta(days=1), day)
    assert table.heads == ["Day", "Mean, bpm", "Lowest", "Highest", "Measured"]
    assert table.rows[0][1:] == ["72", "50", "120", "2\u00a0h\u00a005"]
    assert table.rows[1] == ["Tue 17 Nov 2026", "–", "–", "–", "–"]


def test_a_long_table_is_cut_and_says_by_how_much() -> None:
    table = charts_series.day_rows([], STEPS, dt.date(2025, 1, 1), dt.date(2026, 11, 18))
    assert len(table.rows) == charts_series.MAX_ROWS
    assert table.cut == 687 - charts_series.MAX_ROWS


def test_buckets_are_listed_in_local_time_newest_first() -> None:
    table = charts_series.bucket_rows(series([0, 60]), ZONE)
    assert [row[0] for row in table.rows] == ["Wed 18 Nov, 01:01", "Wed 18 Nov, 01:00"]


def sourced(*models: str) -> Series:
    """A series whose source changes every day."""
    found = series([0])
    found.sources = [
        ReadFrom(0, dt.date(2026, 11, 1 + n), Source(pk=n, provider="vendor", device_model=model))
        for n, model in enumerate(models)
    ]
    return found


def test_a_change_of_source_is_said_with_its_day() -> None:
    assert charts_series.source_text(series([0])) is None
    assert charts_series.source_text(sourced("Charge 6")) == "vendor · Charge 6"
    assert charts_series.source_text(sourced("Charge 6", "Sense 2")) == (
        "vendor · Charge 6 from 1 Nov 2026, vendor · Sense 2 from 2 Nov 2026"
    )
    assert str(charts_series.source_text(sourced(*"ABCDEF"))).endswith("vendor · D from 4 Nov 2026, and 2 more changes")
