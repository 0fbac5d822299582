"""Values that no body can have, in every kind of export: marked where samples are, counted and sent out nowhere."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
from typing import Any

import polars as pl
import pytest

from metrics.batch import ExerciseRecord, Payload
from metrics.exports import export_request, folder_store, store
from metrics.models import DayRollup, Export
from metrics.registry import METRICS, RANGES_SINCE, RANGES_VERSION
from metrics.selection.plausible_range import per_minute
from metrics.writing.writer import store as write
from participants.models import Participant, Trial, User
from tests.metrics.exchange.made import fhir, omh
from tests.metrics.exports import scene
from tests.metrics.exports.scene import exported
from tests.metrics.samples import CHARGE, batch

pytestmark = pytest.mark.django_db(transaction=True)
START = dt.datetime(2026, 10, 22, 8, tzinfo=dt.UTC)  # two days before the scene's data
DATE = "2026-10-22"
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def zero(trial: Trial) -> Participant:
    """AX-3: a day of heart rates 0 and 255 and of -1 steps alone, and a day with good ones among them."""
    person = scene.person(trial, "AX-3", time_zone="Europe/Amsterdam")
    Participant.objects.filter(pk=person.pk).update(monitoring_starts_on=START.date())
    person.refresh_from_db()
    after = START + dt.timedelta(days=1)
    exercise = [
        ExerciseRecord(CHARGE, name, after, after + HOUR, "walk", "", 3600, metres, kcal, steps, mean)
        for name, metres, kcal, steps, mean in (
            ("good", 3000.0, 200.0, 4000, 100.0),
            ("bad", 60_001.0, 2401.0, -1, 255.0),
        )
    ]
    samples = [
        batch([0.0, 255.0], start=START), batch([-1.0, -1.0], start=START, metric="steps", step=60, seconds=60),
        batch([130.0], start=START, metric="resting_heart_rate"),
        batch([60.0, 0.0, 62.0, 255.0], start=after),
        batch([100.0, -1.0, 4000.0], start=after, metric="steps", step=60, seconds=60),
        batch([4000.0], start=after + HOUR, metric="steps", seconds=3600),
    ]  # fmt: skip
    write(person, Payload(samples=samples, exercise=exercise), now=scene.NOW)
    return person


HEART = [(0.0, False), (255.0, False), (60.0, True), (0.0, False), (62.0, True), (255.0, False)]
STEPS = [(-1.0, False), (-1.0, False), (100.0, True), (-1.0, False), (4000.0, False), (4000.0, True)]


def text(export: Export, path: str) -> str:
    found = store.open_file(export, path).read()
    return (gzip.decompress(found) if path.endswith(".gz") else found).decode("utf-8-sig")


def ask(manager: User, trial: Trial, form: str, **filters: Any) -> Export:
    return exported(manager, trial, format=form, participants=["AX-3"], **filters)


def test_parquet_has_every_value_with_its_mark(trial: Trial, manager: User, zero: Participant) -> None:
    export = ask(manager, trial, "parquet")
    frame = pl.read_parquet(f"{folder_store.folder(export)}/**/*.parquet", hive_partitioning=True).sort("time")
    assert frame.schema["plausible"] == pl.Boolean
    for code, expected in (("heart_rate", HEART), ("steps", STEPS), ("resting_heart_rate", [(130.0, False)])):
        assert frame.filter(pl.col("metric") == code).select("value", "plausible").rows() == expected
    assert export.rows_done == frame.height == 13


@pytest.mark.parametrize("clock", ["local", "utc"])
def test_csv_and_ndjson_have_every_value_with_its_mark(
    trial: Trial, manager: User, zero: Participant, clock: str
) -> None:
    as_csv = ask(manager, trial, "csv", clock=clock)
    as_json = ask(manager, trial, "ndjson", clock=clock)
    for code, expected in (("heart_rate", HEART), ("steps", STEPS)):
        rows = csv.DictReader(io.StringIO(text(as_csv, f"{code}/2026-10.csv.gz")))
        assert [(float(row["value"]), row["plausible"]) for row in rows] == [(v, str(p).lower()) for v, p in expected]
        lines = text(as_json, f"{code}/2026-10.ndjson.gz").splitlines()
        assert [(one["value"], one["plausible"]) for one in map(json.loads, lines)] == expected


def test_one_day_of_nothing_else_is_found(trial: Trial, manager: User, zero: Participant) -> None:
    assert not DayRollup.objects.filter(participant=zero, date=DATE).exists()
    export = ask(manager, trial, "csv", metrics=["heart_rate"], start_on=START.date(), end_on=START.date())
    assert export.rows_done == export.rows_expected == 2
    asked = export_request.check(manager, trial, format="csv", participants=["AX-3"], metrics=["heart_rate"])
    assert export_request.estimate(asked) == 6


def test_fhir_has_none_of_them(trial: Trial, manager: User, zero: Participant) -> None:
    export = ask(manager, trial, "fhir", compressed=False)
    paths = {file.path for file in export.files.filter(rows__gt=0)}
    assert not any(path.startswith("resting_heart_rate/") for path in paths)
    (minute,) = fhir([(line + "\n").encode() for line in text(export, "heart_rate/2026-10.ndjson").splitlines()])
    assert minute["valueQuantity"]["value"] == 61
    assert minute["component"][0]["valueSampledData"]["data"] == "60 62"
    steps = fhir([(line + "\n").encode() for line in text(export, "steps/2026-10.ndjson").splitlines()])
    assert [one["valueQuantity"]["value"] for one in steps] == [100, 4000]
    worn = [json.loads(line) for line in text(export, "days.ndjson").splitlines()]
    minutes = {
        one["effectivePeriod"]["start"][:10]: one["valueQuantity"]["value"]
        for one in worn
        if one["code"]["text"] == "Worn minutes" and "valueQuantity" in one
    }
    assert minutes == {DATE: 0, "2026-10-23": 1}


def test_the_sums_of_an_exercise_that_do_not_count_are_not_sent_out(
    trial: Trial, manager: User, zero: Participant
) -> None:
    told = [
        {part["code"]["text"]: part["valueQuantity"]["value"] for part in json.loads(line)["component"]}
        for line in text(ask(manager, trial, "fhir", compressed=False), "exercise.ndjson").splitlines()
    ]
    bad, good = sorted(told, key=len)
    assert bad == {"Active time": 3600}
    assert (good["Mean heart rate"], good["Steps"], good["Distance"], good["Energy"]) == (100, 4000, 3000, 200)
    points = [
        json.loads(line) for line in text(ask(manager, trial, "omh", compressed=False), "exercise.ndjson").splitlines()
    ]
    assert sorted("distance" in point["body"] for point in points) == [False, True]
    assert sorted("kcal_burned" in point["body"] for point in points) == [False, True]


def test_open_mhealth_has_none_of_them(trial: Trial, manager: User, zero: Participant) -> None:
    export = ask(manager, trial, "omh", compressed=False)
    rates = omh([(line + "\n").encode() for line in text(export, "heart_rate/2026-10.ndjson").splitlines()])
    assert [point["body"]["heart_rate"]["value"] for point in rates] == [60, 62]
    steps = omh([(line + "\n").encode() for line in text(export, "steps/2026-10.ndjson").splitlines()])
    assert [point["body"]["step_count"]["value"] for point in steps] == [100, 4000]


def test_the_daily_table_counts_none_of_them(trial: Trial, manager: User, zero: Participant) -> None:
    export = ask(manager, trial, "daily")
    rows = {row["date"]: row for row in csv.DictReader(io.StringIO(text(export, "daily.csv")))}
    day, after = rows[DATE], rows["2026-10-23"]
    for name in ("heart_rate_mean", "heart_rate_min", "heart_rate_minutes", "steps", "resting_heart_rate"):
        assert day[name] == "", name
    assert (day["worn_minutes"], day["day_status"], day["upload"]) == ("0", "invalid", "received")
    assert (day["valid"], day["last_sample_at"]) == ("false", "2026-10-22T08:01:00Z")
    assert [float(after[name]) for name in ("heart_rate_mean", "heart_rate_min", "heart_rate_max", "steps")] == [
        61.0, 60.0, 62.0, 4100.0,
    ]  # fmt: skip
    assert (after["heart_rate_minutes"], after["worn_minutes"]) == ("1", "1")


def test_the_dictionary_and_the_manifest_say_the_ranges(trial: Trial, manager: User) -> None:
    export = ask_all(manager, trial, "daily")
    dictionary = {one["name"]: one for one in json.loads(text(export, "dictionary.json"))}
    said = f"(ranges version {RANGES_VERSION}, since {RANGES_SINCE})"
    assert dictionary["heart_rate_mean"]["threshold"] == f"counts: 25 to 240 /min {said}"
    assert dictionary["heart_rate_minutes"]["threshold"] == f"counts: 25 to 240 /min {said}"
    assert dictionary["steps"]["threshold"] == f"counts: 0 to 300 {{steps}} a minute {said}"
    assert dictionary["steps_24h"]["threshold"] == f"counts: 0 to 100000 {{steps}} {said}"
    for form in ("daily", "csv", "fhir"):
        found = json.loads(text(ask_all(manager, trial, form), "manifest.json"))
        assert (found["ranges"]["version"], found["ranges"]["since"]) == (RANGES_VERSION, RANGES_SINCE.isoformat())
        ranges = {one["code"]: (tuple(one["plausible"]), one["plausible_per_minute"]) for one in found["metrics"]}
        assert ranges == {metric.code: (metric.plausible, per_minute(metric)) for metric in METRICS}
        assert ("plausible" in [one["name"] for one in found["columns"]]) == (form == "csv")


def ask_all(manager: User, trial: Trial, form: str) -> Export:
    return exported(manager, trial, format=form)


@pytest.mark.parametrize(
    ("form", "words"),
    [("csv", "are marked"), ("parquet", "are marked"), ("daily", "are not counted"), ("fhir", "are left out")],
)
def test_the_read_me_says_what_became_of_them(trial: Trial, manager: User, form: str, words: str) -> None:
    assert f"plausible range {words}" in text(ask_all(manager, trial, form), "README.txt")
