"""Nights, exercise and the resources that Observations refer to."""

from __future__ import annotations

import datetime as dt

import pytest

from metrics.exchange.resources import resource_lines
from metrics.exchange.sessions import fhir_exercise, fhir_sleep, omh_exercise, omh_sleep
from metrics.models import ExerciseSession, SleepSession, Source
from participants.models import Participant, Trial
from tests.metrics.exchange.made import AMSTERDAM, MADE_UP, TRACKER, fhir, omh
from tests.metrics.exchange.test_fhir import luhn

SOURCE = Source(provider="google_health", platform="fitbit", device_model="Charge 6")
NIGHT = SleepSession(
    source=SOURCE, external_id="n1", starts_at=dt.datetime(2026, 3, 28, 22, 30, tzinfo=dt.UTC),
    ends_at=dt.datetime(2026, 3, 29, 5, 0, tzinfo=dt.UTC), date=dt.date(2026, 3, 29), is_main=True,
    stages=[[0, 1800, "light"], [1800, 600, "awake"]], asleep_minutes=350, awake_minutes=40, light_minutes=200,
    deep_minutes=90, rem_minutes=60,
)  # fmt: skip
WALK = ExerciseSession(
    source=SOURCE, external_id="w1", starts_at=dt.datetime(2026, 5, 4, 10, tzinfo=dt.UTC),
    ends_at=dt.datetime(2026, 5, 4, 10, 30, tzinfo=dt.UTC), date=dt.date(2026, 5, 4), activity="Walk",
    active_seconds=1700, distance_m=2100.5, steps=2900,
)  # fmt: skip


def test_a_night_is_an_observation_with_its_stages() -> None:
    (night,) = fhir(fhir_sleep("KNEE", "P-001", [NIGHT], AMSTERDAM))
    assert night["valueQuantity"]["value"] == 350
    assert night["effectivePeriod"] == {"start": "2026-03-28T23:30:00+01:00", "end": "2026-03-29T07:00:00+02:00"}
    parts = {part["code"]["coding"][0]["code"]: part for part in night["component"]}
    assert parts["93831-6"]["valueQuantity"]["value"] == 90
    assert parts["sleep-course"]["valueString"] == "0 1800 light,1800 600 awake"
    assert parts["main-sleep"]["valueBoolean"] is True
    assert "restless" not in parts


def test_an_exercise_is_an_observation_with_what_its_source_knows() -> None:
    (walk,) = fhir(fhir_exercise("KNEE", "P-001", [WALK], AMSTERDAM))
    assert walk["valueCodeableConcept"]["text"] == "Walk"
    assert [part["valueQuantity"]["value"] for part in walk["component"]] == [1700, 2100.5, 2900]


def test_nights_and_exercise_are_data_points() -> None:
    (night,) = omh(omh_sleep("KNEE", "P-001", [NIGHT], AMSTERDAM))
    (walk,) = omh(omh_exercise("KNEE", "P-001", [WALK], AMSTERDAM))
    assert night["body"]["total_sleep_time"] == {"value": 350, "unit": "min"}
    assert night["body"]["is_main_sleep"] is True
    assert walk["body"]["activity_name"] == "Walk"
    assert walk["body"]["distance"] == {"value": 2100.5, "unit": "m"}


@pytest.mark.parametrize("code", ["93832-4", "93829-0", "93830-8", "93831-6", "73985-4", "55411-3", "2708-6"])
def test_loinc_codes_of_sessions_have_the_right_check_digit(code: str) -> None:
    number, check = code.split("-")
    assert luhn(number) == int(check)


def test_the_study_its_subjects_and_devices_stand_beside_the_observations() -> None:
    trial = Trial(code="KNEE", title="Walking", status=Trial.Status.RUNNING, starts_on=dt.date(2026, 1, 1))
    people = [Participant(study_id=f"P-{n}", trial=trial, status=status) for n, status in enumerate(Participant.Status)]
    found = fhir(resource_lines(trial, people, [TRACKER, MADE_UP]))
    kinds = [one["resourceType"] for one in found]
    assert kinds == ["ResearchStudy"] + ["ResearchSubject"] * (len(people) - 1) + ["Device"] * 2
    (night,) = fhir(fhir_sleep("KNEE", "P-0", [NIGHT], AMSTERDAM))
    assert found[1]["subject"] == night["subject"]
    assert found[-2]["identifier"] == [night["device"]["identifier"]]
    assert found[0]["identifier"][0] == night["extension"][0]["valueReference"]["identifier"]
    assert found[-1]["meta"]["security"][0]["code"] == "HTEST"
