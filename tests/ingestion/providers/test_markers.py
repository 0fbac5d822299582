"""Markers of "no value": which numbers are none, of which metric, in every format."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ingestion.models import ImportFile
from ingestion.providers.missing_values import HALF, MINUS_ONE, NO_VALUE, ZERO, present
from metrics.models import DayRollup, Measurement, ParticipantDay
from metrics.registry import METRICS, Metric
from participants.models import Trial
from tests.factories import TrialFactory
from tests.ingestion.conftest import Import

# What cannot be zero, what can, and what can lie below it.
NEVER_ZERO = {
    "heart_rate", "spo2", "hrv_rmssd", "hrv_sdnn", "respiratory_rate", "resting_heart_rate", "skin_temperature",
    "weight", "body_fat", "glucose", "respiratory_rate_instant", "energy_24h", "vo2_max", "spo2_24h", "hrv_rmssd_24h",
}  # fmt: skip
BELOW_ZERO = {"skin_temperature_deviation"}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.code)
def test_each_metric_has_its_markers(metric: Metric) -> None:
    skipped: Counter[str] = Counter()
    keep = present(metric.code, np.array([np.nan, 0.0, -0.0, -1.0, 50.0, 61.0]), skipped)
    zero, below = metric.code not in NEVER_ZERO, metric.code in BELOW_ZERO
    assert keep.tolist() == [False, zero, zero, below, metric.code != "spo2", True]
    expected = {
        NO_VALUE: 1,
        ZERO: 0 if zero else 2,
        MINUS_ONE: 0 if below else 1,
        HALF: int(metric.code == "spo2"),
    }
    assert skipped == {reason: n for reason, n in expected.items() if n}


def test_what_is_merely_impossible_is_no_marker() -> None:
    skipped: Counter[str] = Counter()
    values = np.array([-2.0, -0.5, 0.1, 3.0, 255.0, 65_535.0])
    assert present("heart_rate", values, skipped).all()
    assert not skipped


def test_markers_are_taken_before_any_factor() -> None:
    """49.9999 % is a bad reading, but no marker."""
    assert present("spo2", np.array([49.9999, 50.0001]), Counter()).all()


def test_what_is_skipped_adds_up_over_the_parts_of_a_file() -> None:
    skipped: Counter[str] = Counter()
    for values in ([0.0, -1.0, 61.0], [np.nan, 0.0, 0.0], [-1.0, -1.0]):
        present("heart_rate", np.array(values), skipped)
    assert skipped == {ZERO: 3, MINUS_ONE: 3, NO_VALUE: 1}


@pytest.fixture
def trial(db: None) -> Trial:
    return TrialFactory(code="MARKED", time_zone="Europe/Amsterdam")


STAMPS = [f"5/1/2024 8:0{n}:00 AM" for n in range(5)]
FITABASE = {
    "heartrate_seconds_merged.csv": (
        ["Id,Time,Value", *(f"P-1,{at},{v}" for at, v in zip(STAMPS, ("0", "-1", "NaN", "", "61"), strict=True))],
        {ZERO: 1, MINUS_ONE: 1, NO_VALUE: 2}, [61.0],
    ),
    "minuteStepsNarrow_merged.csv": (
        ["Id,ActivityMinute,Steps", *(f"P-1,{at},{v}" for at, v in zip(STAMPS, ("0", "-1", "", "7"), strict=False))],
        {MINUS_ONE: 1, NO_VALUE: 1}, [0.0, 7.0],
    ),
    "minuteStepsWide_merged.csv": (
        [
            "Id,ActivityHour," + ",".join(f"Steps{n:02}" for n in range(60)),
            "P-1,5/1/2024 8:00:00 AM,-1,,5," + ",".join(["0"] * 57),
        ],
        {MINUS_ONE: 1, NO_VALUE: 1}, [5.0, *[0.0] * 57],
    ),
    "dailyActivity_merged.csv": (
        [
            "Id,ActivityDate,TotalSteps,TotalDistance,Calories,SedentaryMinutes,LightlyActiveMinutes,"
            "FairlyActiveMinutes,VeryActiveMinutes",
            "P-1,5/1/2024,-1,0,0,,10,0,1440",
        ],
        {MINUS_ONE: 1, ZERO: 1, NO_VALUE: 1}, [0.0, 10.0, 0.0, 1440.0],
    ),
}  # fmt: skip
TAKEOUT = {
    "heart_rate-2024-05-01.json": (
        '[{"dateTime":"05/01/24 08:00:00","value":{"bpm":0,"confidence":3}},'
        '{"dateTime":"05/01/24 08:00:05","value":{"bpm":-1,"confidence":3}},'
        '{"dateTime":"05/01/24 08:00:10","value":{"bpm":61,"confidence":3}}]',
        {ZERO: 1, MINUS_ONE: 1}, [61.0],
    ),
    "steps-2024-05-01.json": (
        '[{"dateTime":"05/01/24 08:00:00","value":"-1"},{"dateTime":"05/01/24 08:01:00","value":"0"},'
        '{"dateTime":"05/01/24 08:02:00","value":null}]',
        {MINUS_ONE: 1, NO_VALUE: 1}, [0.0],
    ),
    "weight-2024-05-01.json": (
        '[{"logId":1,"weight":0,"date":"05/01/24","time":"08:00:00","fat":-1},'
        '{"logId":2,"weight":100,"date":"05/02/24","time":"08:00:00"}]',
        {ZERO: 1, MINUS_ONE: 1}, [45.359237],
    ),
    "heart_rate_2024-05-01.csv": (
        "timestamp,beats per minute,data source\n2024-05-01T08:00:00Z,0,\n2024-05-01T08:00:05Z,-1,\n"
        "2024-05-01T08:00:10Z,,\n2024-05-01T08:00:15Z,61,\n",
        {ZERO: 1, MINUS_ONE: 1, NO_VALUE: 1}, [61.0],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FITABASE)
def test_fitabase_s_markers_are_skipped_and_counted(
    trial: Trial, tmp_path: Path, import_data: Import, name: str
) -> None:
    rows, skipped, kept = FITABASE[name]
    (tmp_path / name).write_text("\n".join(rows) + "\n")
    outcome = import_data(trial, tmp_path / name)
    counts = ImportFile.objects.get().counts
    assert (counts["skipped"], counts["rejected"]) == (skipped, {}), outcome.text
    assert list(Measurement.objects.order_by("metric_id", "time").values_list("value", flat=True)) == kept


@pytest.mark.parametrize("name", TAKEOUT)
def test_an_account_export_s_markers_are_skipped_and_counted(
    trial: Trial, tmp_path: Path, import_data: Import, name: str
) -> None:
    text, skipped, kept = TAKEOUT[name]
    (tmp_path / name).write_text(text)
    outcome = import_data(trial, tmp_path / name, participant="P-1")
    counts = ImportFile.objects.get().counts
    assert (counts["skipped"], counts["rejected"]) == (skipped, {}), outcome.text
    assert list(Measurement.objects.order_by("metric_id", "time").values_list("value", flat=True)) == kept


@pytest.mark.parametrize(("value", "stored"), [(0, 0), (-1, 0), (3, 1440), (255, 1440)])
def test_a_day_of_no_pulse_is_not_worn(
    trial: Trial, tmp_path: Path, import_data: Import, value: int, stored: int
) -> None:
    """A day of a marker, or of what no heart does, between two that were worn."""
    clock = [f"{h % 12 or 12}:{m:02}:00 {'AM' if h < 12 else 'PM'}" for h in range(24) for m in range(60)]
    rows = [f"ZERO-1,11/{day}/2025 {at},{value if day == 10 else 70}" for day in (9, 10, 11) for at in clock]
    path = tmp_path / "heartrate_seconds_merged.csv"
    path.write_text("\n".join(["Id,Time,Value", *rows]) + "\n")
    import_data(trial, path)
    counts = ImportFile.objects.get().counts
    assert (counts["flagged"], sum(counts["skipped"].values())) == (stored, 1440 - stored)
    assert Measurement.objects.filter(value=value).count() == stored
    days = ParticipantDay.objects.order_by("date").values_list("status", "worn_minutes")
    assert list(days) == [("v", 1440), ("i", 0), ("v", 1440)]
    assert DayRollup.objects.count() == 2
