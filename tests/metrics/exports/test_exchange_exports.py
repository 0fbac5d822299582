"""Exports for FHIR and Open mHealth: read by other systems' readers, complete, the same when written again."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from typing import Any

import pytest

from metrics.exchange.mappings import LEFT_OUT
from metrics.exports import store
from metrics.models import Export, Measurement, ParticipantDay, SleepSession, Source
from participants.models import Participant, Trial, User
from tests.metrics.exchange.made import fhir, omh
from tests.metrics.exports.scene import exported

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _night(trial: Trial) -> None:
    SleepSession.objects.create(
        participant=Participant.objects.get(study_id="AX-1"),
        source=Source.objects.order_by("pk")[0],
        external_id="n1",
        starts_at=dt.datetime(2026, 10, 24, 22, tzinfo=dt.UTC),
        ends_at=dt.datetime(2026, 10, 25, 6, tzinfo=dt.UTC),
        date=dt.date(2026, 10, 25),
        asleep_minutes=400,
        awake_minutes=80,
        stages=[[0, 600, "light"]],
    )


def lines(export: Export) -> dict[str, list[bytes]]:
    """By file, the lines of what is not manifest or read-me."""
    found = {}
    for file in export.files.filter(rows__gt=0):
        text = store.open_file(export, file.path).read()
        text = gzip.decompress(text) if file.path.endswith(".gz") else text
        found[file.path] = text.splitlines(keepends=True)
        assert len(found[file.path]) == file.rows
    return found


def manifest(export: Export) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(store.open_file(export, "manifest.json").read())
    return found


def test_every_line_is_a_valid_resource_and_no_sample_is_lost(trial: Trial, manager: User) -> None:
    files = lines(exported(manager, trial, format="fhir", compressed=False))
    rates = [one for path, found in files.items() if path.startswith("heart_rate/") for one in fhir(found)]
    samples = sum(len(one["component"][0]["valueSampledData"]["data"].split()) for one in rates)
    assert samples == Measurement.objects.filter(metric__code="heart_rate").count()
    steps = [one for path, found in files.items() if path.startswith("steps/") for one in fhir(found)]
    # The phone counted some of the same steps: of the day the watch counts.
    assert len(steps) == Measurement.objects.filter(metric__code="steps", source__platform="watch").count() == 1200
    (night,) = fhir(files["sleep.ndjson"])
    assert night["valueQuantity"]["value"] == 400
    resources = fhir(files["resources.ndjson"])
    assert [one["resourceType"] for one in resources][:3] == ["ResearchStudy", "ResearchSubject", "ResearchSubject"]


def test_a_day_of_which_nothing_is_known_has_a_reason_and_no_zero(trial: Trial, manager: User) -> None:
    days = fhir(lines(exported(manager, trial, format="fhir", compressed=False))["days.ndjson"])
    worn = [one for one in days if one["code"]["coding"][0]["code"] == "worn-minutes"]
    assert len(worn) == ParticipantDay.objects.exclude(status="x").count()
    assert all(one["valueQuantity"]["value"] > 0 for one in worn if "valueQuantity" in one)
    absent = [one for one in worn if "valueQuantity" not in one]
    assert absent
    assert {one["dataAbsentReason"]["coding"][0]["code"] for one in absent} <= {"unknown", "temp-unknown"}


def test_ids_are_unique_in_an_export_and_the_same_in_the_next(trial: Trial, manager: User) -> None:
    first = lines(exported(manager, trial, format="fhir"))
    found = [json.loads(line)["id"] for file in first.values() for line in file]
    assert len(found) == len(set(found))
    assert lines(exported(manager, trial, format="fhir")) == first


def test_every_line_is_a_valid_data_point(trial: Trial, manager: User) -> None:
    export = exported(manager, trial, format="omh", metrics=["resting_heart_rate", "steps"], compressed=False)
    files = lines(export)
    points = [one for found in files.values() for one in omh(found)]
    counted = Measurement.objects.exclude(metric__code="heart_rate").filter(source__platform="watch")
    assert len(points) == counted.count() == 1202
    assert {one["header"]["user_id"] for one in points} == {"STRIDE-2/AX-1", "STRIDE-2/AX-2"}


def test_nights_are_data_points_too(trial: Trial, manager: User) -> None:
    (night,) = omh(lines(exported(manager, trial, format="omh", compressed=False))["sleep.ndjson"])
    assert night["body"]["is_main_sleep"]


def test_the_manifest_says_what_no_schema_takes(trial: Trial, manager: User) -> None:
    assert manifest(exported(manager, trial, format="omh"))["left_out"] == LEFT_OUT
    one = manifest(exported(manager, trial, format="omh", metrics=["steps", "vo2_max"]))
    assert one["left_out"] == {"vo2_max": LEFT_OUT["vo2_max"]}
    assert "left_out" not in manifest(exported(manager, trial, format="fhir"))


def test_where_metrics_are_named_there_is_nothing_else(trial: Trial, manager: User) -> None:
    files = lines(exported(manager, trial, format="fhir", metrics=["steps"], compressed=False))
    assert {path.split("/")[0] for path in files} == {"steps", "resources.ndjson"}
