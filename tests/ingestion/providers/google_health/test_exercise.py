"""Exercise as sessions; times and values are invented."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from ingestion.providers.base.errors import BrokenResponse
from ingestion.providers.google_health.exercise import assemble_exercise, exercise_page
from metrics.batch import ExerciseRecord, SourceKey, microseconds
from tests.ingestion.providers.google_health.points import CHARGE, ORIGIN, body

START = dt.datetime(2026, 11, 20, 17, 5, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
SUMMARY = {
    "caloriesKcal": 251.5,
    "distanceMillimeters": 3120500,
    "steps": "4200",
    "averageHeartRateBeatsPerMinute": "104",
    "activeZoneMinutes": "12",
}


def session(name: str = "77", summary: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    interval = {
        "startTime": "2026-11-20T17:05:00Z",
        "startUtcOffset": "3600s",
        "endTime": "2026-11-20T17:45:30.500Z",
        "endUtcOffset": "3600s",
    }
    exercise: dict[str, Any] = {"interval": interval, "exerciseType": "TRAIL_RUN", "splits": []} | more
    if summary is not None:
        exercise["metricsSummary"] = summary
    return {"name": f"users/71/dataTypes/exercise/dataPoints/{name}", "dataSource": CHARGE, "exercise": exercise}


def only(point: dict[str, Any]) -> ExerciseRecord:
    ((record, _),) = exercise_page(body(point), ORIGIN).sessions
    return record


def test_a_session_keeps_its_id_its_source_and_its_numbers() -> None:
    assert only(session(summary=SUMMARY, displayName="Evening run", activeDuration="2300s")) == ExerciseRecord(
        SourceKey("google_health", "FITBIT", "Charge 6"),
        "77",
        START,
        START + dt.timedelta(minutes=40, seconds=30.5),
        "trail_run",
        "Evening run",
        active_seconds=2300,
        distance_m=3120.5,
        energy_kcal=251.5,
        steps=4200,
        mean_heart_rate=104.0,
    )


def test_numbers_that_are_left_out_are_not_known() -> None:
    record = only(session())
    assert (record.active_seconds, record.distance_m, record.energy_kcal, record.steps) == (None,) * 4


@pytest.mark.parametrize("rate", ["0", "-1"])
def test_a_mean_heart_rate_of_zero_or_less_was_not_computed(rate: str) -> None:
    assert only(session(summary={"averageHeartRateBeatsPerMinute": rate})).mean_heart_rate is None


def test_an_activity_that_is_not_told_is_empty() -> None:
    assert only(session(exerciseType="EXERCISE_TYPE_UNSPECIFIED")).activity == ""


def test_a_name_without_an_id_is_no_id() -> None:
    assert only(session(name="")).external_id == str(microseconds(START))


def test_exercise_that_starts_outside_the_window_is_left_to_its_own() -> None:
    page = exercise_page(body(session()), ORIGIN)
    assert assemble_exercise([page], START - DAY, START).payload.exercise == []
    assert len(assemble_exercise([page], START, START + DAY).payload.exercise) == 1


def test_exercise_that_comes_on_two_pages_is_one() -> None:
    pages = [exercise_page(body(session(displayName=name)), ORIGIN) for name in ("before", "after")]
    (record,) = assemble_exercise(pages, START, START + DAY).payload.exercise
    assert record.name == "after"


def test_exercise_tells_the_clock_of_its_device() -> None:
    page = exercise_page(body(session()), ORIGIN)
    assert assemble_exercise([page], START, START + DAY).offsets == [(microseconds(START), 3600)]


@pytest.mark.parametrize("broken", [b'{"dataPoints":[{"exercise":{}}]}', b'{"error":{}}', b'{"dataPoints":[{"exer'])
def test_what_is_no_page_of_exercise_is_never_an_empty_one(broken: bytes) -> None:
    with pytest.raises(BrokenResponse):
        exercise_page(broken, ORIGIN)


def test_a_page_of_exercise_that_ends_before_it_starts_is_none() -> None:
    point = session()
    point["exercise"]["interval"]["endTime"] = "2026-11-20T17:04:00Z"
    with pytest.raises(BrokenResponse, match="interval_ends_before_it_starts"):
        exercise_page(body(point), ORIGIN)
