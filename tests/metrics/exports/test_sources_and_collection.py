"""Exports tell one source of each local date where sums are made of it, and nothing that the trial may not have."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from metrics.batch import ExerciseRecord, Payload, SampleBatch, SleepRecord, SourceKey, microseconds
from metrics.exports import export_request, store
from metrics.models import Measurement, Source
from metrics.participant_calendars import calendar_of
from metrics.reading import queries as reading_queries
from metrics.storage.timescale import after_migrate
from metrics.writing.writer import store as store_payload
from participants.models import Consent, ConsentDocument, Participant, Protocol, Trial, User
from participants.privacy import subject_access as privacy_subject_access
from tests import factories
from tests.metrics.exports.scene import NOW, exported

pytestmark = pytest.mark.django_db(transaction=True)

MONDAY = dt.date(2026, 5, 4)
ONE_DAY = dt.timedelta(days=1)
A, B = SourceKey("testvendor", "watch", "Charge 6"), SourceKey("testvendor", "watch", "Sense 2")
RAW = ("parquet", "csv", "ndjson")


@pytest.fixture
def trial(transactional_db: None) -> Iterator[Trial]:
    """Nobody is in it yet."""
    after_migrate()  # committed tests empty the metric table
    yield factories.TrialFactory.create(code="STRIDE-2")
    after_migrate()


@pytest.fixture
def person(trial: Trial) -> Participant:
    """Ten days of two devices, hour by hour: one to the Thursday, the other from the Wednesday on, and a night each."""
    person: Participant = factories.ParticipantFactory(trial=trial, study_id="SWAP-1", time_zone="Asia/Kolkata")
    fill(person, A, range(4), value=10)
    fill(person, B, range(2, 10), value=30, hours=20)
    return person


def fill(person: Participant, source: SourceKey, days: range, *, value: float, hours: int = 24) -> None:
    calendar, parts = calendar_of(person), []
    for n in days:
        midnight = microseconds(calendar.midnight(MONDAY + n * ONE_DAY))
        time = midnight + np.arange(hours, dtype=np.int64) * 3_600_000_000
        lengths = np.full(hours, 60, dtype=np.int32)
        parts.append(SampleBatch("steps", source, time, np.full(hours, value), lengths))
        parts.append(SampleBatch("heart_rate", source, time, np.full(hours, 60.0 + value)))
        parts.append(SampleBatch("resting_heart_rate", source, time[:1], np.full(1, 50.0 + value)))
    wakes = [calendar.midnight(MONDAY + n * ONE_DAY) + dt.timedelta(hours=7) for n in days]
    hour = dt.timedelta(hours=1)
    nights = [SleepRecord(source, f"n{at:%d}", at - 8 * hour, at, is_main=True) for at in wakes]
    walks = [ExerciseRecord(source, f"e{at:%d}", at, at + hour, "walk") for at in wakes]
    store_payload(person, Payload(samples=parts, sleep=nights, exercise=walks), now=NOW)


def text_of(export: Any) -> dict[str, str]:
    found = {}
    for file in export.files.filter(rows__gt=0).exclude(path__endswith=".parquet"):
        content = store.open_file(export, file.path).read()
        found[file.path] = (gzip.decompress(content) if file.path.endswith(".gz") else content).decode()
    return found


def daily(user: User, trial: Trial, **filters: Any) -> list[dict[str, str]]:
    export = exported(user, trial, format="daily", **filters)
    return list(csv.DictReader(io.StringIO(store.open_file(export, "daily.csv").read().decode("utf-8-sig"))))


def samples_by_date(user: User, trial: Trial, **filters: Any) -> Counter[tuple[str, str, str]]:
    """Rows of a raw export by metric, source and local date."""
    lines = [json.loads(line) for text in text_of(exported(user, trial, format="ndjson", **filters)).values()
             for line in text.splitlines()]  # fmt: skip
    return Counter((one["metric"], one["source"].split(" · ")[-1], one["date"]) for one in lines)


def fhir(user: User, trial: Trial, **filters: Any) -> list[dict[str, Any]]:
    files = text_of(exported(user, trial, format="fhir", **filters))
    return [json.loads(line) for path, text in files.items() if "resources" not in path for line in text.splitlines()]


def steps_by_date(observations: list[dict[str, Any]]) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for one in observations:
        if one["code"]["text"] == "Steps":
            found[one["effectivePeriod"]["start"][:10]] += one["valueQuantity"]["value"]
    return found


def dates(first: int, last: int) -> list[str]:
    return [(MONDAY + n * ONE_DAY).isoformat() for n in range(first, last)]


# Of the days with both devices the first counts: it has more minutes of each.
STEPS = dict(zip(dates(0, 10), [240.0] * 4 + [600.0] * 6, strict=True))


def test_every_reader_tells_the_same_of_a_day(person: Participant, trial: Trial) -> None:
    user = factories.MembershipFactory(trial=trial).user
    table = {row["date"]: row for row in daily(user, trial)}
    assert {date: float(row["steps"]) for date, row in table.items()} == STEPS
    assert [row["steps_source"] for row in table.values()] == ["testvendor · watch · Charge 6"] * 4 + [
        "testvendor · watch · Sense 2"
    ] * 6
    assert [float(row["resting_heart_rate"]) for row in table.values()] == [60.0] * 4 + [80.0] * 6
    assert steps_by_date(fhir(user, trial)) == STEPS
    calendar = calendar_of(person)
    span = calendar.midnight(MONDAY), calendar.midnight(MONDAY + 10 * ONE_DAY)
    (series,) = reading_queries.series([person.pk], ["steps"], *span, resolution="1d")
    assert series.total.tolist() == list(STEPS.values())
    omh = text_of(exported(user, trial, format="omh", metrics=["steps"], clock="utc"))
    points = [json.loads(line)["body"]["step_count"]["value"] for text in omh.values() for line in text.splitlines()]
    assert sum(points) == sum(STEPS.values())


def test_each_observation_names_the_device_that_counts_on_its_day(person: Participant, trial: Trial) -> None:
    user = factories.MembershipFactory(trial=trial).user
    found = defaultdict(set)
    for one in fhir(user, trial, metrics=["heart_rate", "steps"]):
        found[one["effectivePeriod"]["start"][:10]].add(one["device"]["display"].split(" · ")[-1])
    assert found == {date: {"Charge 6" if n < 4 else "Sense 2"} for n, date in enumerate(dates(0, 10))}


def test_an_export_of_part_of_the_time_tells_the_same(person: Participant, trial: Trial) -> None:
    user = factories.MembershipFactory(trial=trial).user
    part = {"start_on": MONDAY + 3 * ONE_DAY, "end_on": MONDAY + 5 * ONE_DAY}
    assert {row["date"]: float(row["steps"]) for row in daily(user, trial, **part)} == {
        date: STEPS[date] for date in dates(3, 6)
    }
    assert steps_by_date(fhir(user, trial, **part)) == {date: STEPS[date] for date in dates(3, 6)}


def test_each_date_has_the_night_of_one_source(person: Participant, trial: Trial) -> None:
    user = factories.MembershipFactory(trial=trial).user
    nights = [one for one in fhir(user, trial) if one["code"]["text"] == "Sleep duration"]
    assert sorted(one["effectivePeriod"]["end"][:10] for one in nights) == dates(0, 10)
    only = {"sources": [Source.objects.get(device_model="Sense 2").pk]}
    nights = [one for one in fhir(user, trial, **only) if one["code"]["text"] == "Sleep duration"]
    assert sorted(one["effectivePeriod"]["end"][:10] for one in nights) == dates(2, 10)


def test_a_source_that_is_asked_for_is_the_only_one(person: Participant, trial: Trial) -> None:
    user = factories.MembershipFactory(trial=trial).user
    only = {"sources": [Source.objects.get(device_model="Sense 2").pk]}
    expected = dict.fromkeys(dates(2, 10), 600.0)
    assert {row["date"]: float(row["steps"]) for row in daily(user, trial, **only) if row["steps"]} == expected
    assert steps_by_date(fhir(user, trial, **only)) == expected


def test_the_samples_of_all_sources_are_in_the_raw_formats(person: Participant, trial: Trial) -> None:
    user = factories.MembershipFactory(trial=trial).user
    export = exported(user, trial, format="ndjson")
    assert export.rows_done == export.rows_expected == Measurement.objects.count()
    found = samples_by_date(user, trial, metrics=["steps"])
    assert found["steps", "Charge 6", "2026-05-07"] == 24
    assert found["steps", "Sense 2", "2026-05-07"] == 20


@pytest.mark.parametrize(("kind", "rule"), [("fhir", "source that counts"), ("csv", "every source")])
def test_the_manifest_and_the_read_me_say_which_sources_are_in(
    person: Participant, trial: Trial, kind: str, rule: str
) -> None:
    export = exported(factories.MembershipFactory(trial=trial).user, trial, format=kind)
    manifest = json.loads(store.open_file(export, "manifest.json").read())
    assert rule in manifest["source_rule"]
    assert "collection interval" in manifest["collection"]
    assert rule in store.open_file(export, "README.txt").read().decode().replace("\n", " ")


# --- nothing from outside the collection interval -------------------------------------------------------------------


def end_on_friday(person: Participant) -> None:
    Participant.objects.filter(pk=person.pk).update(monitoring_ends_on=MONDAY + 4 * ONE_DAY)


def end_the_trial(person: Participant) -> None:
    Trial.objects.filter(pk=person.trial_id).update(ends_on=MONDAY + 4 * ONE_DAY)


def withdraw(person: Participant) -> None:
    """On a day of the past, when the days after it have long been stored and evaluated."""
    Participant.objects.filter(pk=person.pk).update(
        status=Participant.Status.WITHDRAWN, withdrawn_on=MONDAY + 5 * ONE_DAY
    )


def close(person: Participant) -> None:
    ended = calendar_of(person).midnight(MONDAY + 5 * ONE_DAY)
    Trial.objects.filter(pk=person.trial_id).update(status=Trial.Status.CLOSED, closed_at=ended)


def take_consent_back(person: Participant) -> None:
    document = ConsentDocument.objects.create(trial=person.trial, version="1", title="Consent", effective_on=MONDAY)
    ended = calendar_of(person).midnight(MONDAY + 5 * ONE_DAY)
    Consent.objects.create(
        participant=person, document=document, how="paper", given_at=ended - 9 * ONE_DAY, withdrawn_at=ended
    )


ENDS = [end_on_friday, end_the_trial, withdraw, close, take_consent_back]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("clock", ["local", "utc"])
def test_samples_from_after_the_end_are_in_no_export(person: Participant, trial: Trial, end: Any, clock: str) -> None:
    user = factories.MembershipFactory(trial=trial).user
    end(person)
    wanted = export_request.check(user, trial, format="ndjson", clock=clock)
    inside = Measurement.objects.filter(time__lt=calendar_of(person).midnight(MONDAY + 5 * ONE_DAY)).count()
    assert export_request.estimate(wanted) == inside
    found = samples_by_date(user, trial, clock=clock)
    assert found.total() == inside
    assert sorted({date for *_, date in found}) == dates(0, 5)
    assert sorted(steps_by_date(fhir(user, trial, clock=clock))) == dates(0, 5)


@pytest.mark.parametrize("end", ENDS)
def test_the_days_after_the_end_carry_no_measured_value(person: Participant, trial: Trial, end: Any) -> None:
    user = factories.MembershipFactory(trial=trial).user
    end(person)
    rows = daily(user, trial)
    assert [row["date"] for row in rows] == dates(0, 10)
    blank = {"worn_minutes", "fault_minutes", "asleep_minutes", "last_sample_at", "steps", "steps_minutes",
             "steps_source", "heart_rate_mean", "resting_heart_rate"}  # fmt: skip
    for n, row in enumerate(rows):
        filled = {name for name in blank if row[name]}
        assert filled == (blank if n < 5 else set()), row["date"]
    assert {row["upload"] for row in rows[5:]} <= {"none", "lost", "awaited"}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", ["fhir", "omh"])
def test_nights_exercise_and_days_from_after_the_end_are_not_told(
    person: Participant, trial: Trial, end: Any, kind: str
) -> None:
    user = factories.MembershipFactory(trial=trial).user
    end(person)
    files = text_of(exported(user, trial, format=kind, compressed=False))
    last = (MONDAY + 5 * ONE_DAY).isoformat()
    for name in ("sleep.ndjson", "exercise.ndjson"):
        assert "2026-05-08" in files[name]
        assert last not in files[name]
    if kind == "fhir":
        worn = [json.loads(line) for line in files["days.ndjson"].splitlines()]
        assert {one["effectivePeriod"]["start"][:10] for one in worn} == set(dates(0, 5))


def test_days_from_before_the_start_are_not_in_an_export(person: Participant, trial: Trial) -> None:
    user = factories.MembershipFactory(trial=trial).user
    Participant.objects.filter(pk=person.pk).update(monitoring_starts_on=MONDAY + 3 * ONE_DAY)
    assert sorted({date for *_, date in samples_by_date(user, trial)}) == dates(3, 10)
    assert [row["date"] for row in daily(user, trial) if row["steps"]] == dates(3, 10)


def test_paused_days_are_in_an_export_unless_the_protocol_says_otherwise(person: Participant, trial: Trial) -> None:
    user = factories.MembershipFactory(trial=trial).user
    person.pauses.create(starts_on=MONDAY + 3 * ONE_DAY, ends_on=MONDAY + 4 * ONE_DAY, reason="a holiday")
    assert sorted({date for *_, date in samples_by_date(user, trial)}) == dates(0, 10)
    Protocol.objects.filter(trial=trial).update(collect_in_pauses=False)
    assert sorted({date for *_, date in samples_by_date(user, trial)}) == [*dates(0, 3), *dates(5, 10)]
    assert [row["date"] for row in daily(user, trial) if row["steps"]] == [*dates(0, 3), *dates(5, 10)]


def test_a_participant_has_everything_of_theirs_whatever_was_collected(person: Participant, trial: Trial) -> None:
    end_on_friday(person)
    sections = {one.name: one for one in privacy_subject_access.sections(person)}
    steps = [one for name, one in sections.items() if name.startswith("measurements/steps")]
    text = b"".join(line for section in steps for line in (section.lines or ())).decode()
    assert text.count("\n") - len(steps) == Measurement.objects.filter(metric__code="steps").count()
