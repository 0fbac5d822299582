"""The check of the stored data: silent on what the writer writes; a planted violation of each invariant is found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import call_command

from metrics.batch import SleepRecord, Stage
from metrics.maintenance import data_check
from metrics.models import (
    DataCheck,
    DayRollup,
    DayStatusHistory,
    ExerciseSession,
    HourRollup,
    ImplausibleCount,
    Measurement,
    ParticipantDay,
    ParticipantStatusSummary,
    SleepSession,
    Source,
)
from metrics.registry import HEART_RATE
from metrics.writing.writer import store
from participants.models import Participant, Trial
from tests.factories import ParticipantFactory
from tests.metrics.samples import CHARGE, batch, deliver

pytestmark = pytest.mark.django_db

# Monday, 4 May 2026, begins at 22:00 UTC of the day before in Amsterdam.
START = dt.datetime(2026, 5, 3, 22, tzinfo=dt.UTC)
MONDAY = dt.date(2026, 5, 4)
ONE_DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
NOW = START + 12 * ONE_DAY
COLLECTION, VALUES, STATUS = data_check.Invariant


@pytest.fixture
def person() -> Participant:
    """Three worn days, two nights, steps; monitored for a week."""
    person: Participant = ParticipantFactory(monitoring_starts_on=MONDAY, monitoring_ends_on=MONDAY + 6 * ONE_DAY)
    worn = [batch([70.0] * 900, start=START + n * ONE_DAY + 6 * HOUR, step=60) for n in range(3)]
    walked = [
        batch([40.0] * 300, start=START + n * ONE_DAY + 9 * HOUR, step=60, metric="steps", seconds=60) for n in range(3)
    ]
    nights = [
        SleepRecord(CHARGE, f"n{n}", at := START + n * ONE_DAY, at + 6 * HOUR, (Stage(at, 21_600, "asleep"),))
        for n in (1, 2)
    ]
    payload = deliver(*worn, *walked)
    payload.sleep = nights
    store(person, payload, now=NOW)
    return person


def found(person: Participant, **how: dt.date) -> set[tuple[str, dt.date | None]]:
    return {(one.invariant, one.date) for one in data_check.check([Participant.objects.get(pk=person.pk)], **how)}


def test_what_the_writer_wrote_holds(person: Participant) -> None:
    assert found(person) == set()
    assert found(person, since=MONDAY + ONE_DAY) == set()


def _outside(person: Participant) -> None:
    Participant.objects.filter(pk=person.pk).update(monitoring_ends_on=MONDAY + ONE_DAY)


def _night_outside(person: Participant) -> None:
    SleepSession.objects.filter(participant=person, external_id="n2").update(date=MONDAY - ONE_DAY)


def _exercise_outside(person: Participant) -> None:
    ExerciseSession.objects.create(
        participant=person, source=Source.objects.get(), external_id="x", starts_at=START - HOUR, ends_at=START,
        date=MONDAY - ONE_DAY,
    )  # fmt: skip


def _after_closing(person: Participant) -> None:
    Trial.objects.filter(pk=person.trial_id).update(status="closed", closed_at=START + 2 * ONE_DAY + 10 * HOUR)


@pytest.mark.parametrize(
    ("plant", "date"),
    [
        (_outside, MONDAY + 2 * ONE_DAY),
        (_night_outside, MONDAY - ONE_DAY),
        (_exercise_outside, MONDAY - ONE_DAY),
        (_after_closing, MONDAY + 2 * ONE_DAY),
    ],
)
def test_data_outside_the_collection_interval_are_found(
    person: Participant, plant: Callable[[Participant], None], date: dt.date
) -> None:
    plant(person)
    assert (COLLECTION, date) in found(person)


def _day_changed(person: Participant) -> None:
    DayRollup.objects.filter(participant=person, metric=2, date=MONDAY).update(total=1)


def _day_missing(person: Participant) -> None:
    DayRollup.objects.filter(participant=person, metric=2, date=MONDAY).delete()
    # Another metric's day is left, so that the date is looked at.


def _samples_gone(person: Participant) -> None:
    Measurement.objects.filter(
        participant=person, metric=HEART_RATE.id, time__gte=START, time__lt=START + 10 * HOUR
    ).delete()


@pytest.mark.parametrize("plant", [_day_changed, _day_missing, _samples_gone])
def test_a_daily_value_that_is_not_what_its_samples_say_is_found(
    person: Participant, plant: Callable[[Participant], None]
) -> None:
    plant(person)
    assert (VALUES, MONDAY) in found(person)


def _day_status_changed(person: Participant) -> None:
    ParticipantDay.objects.filter(participant=person, date=MONDAY).update(status="i")
    DayStatusHistory.objects.filter(participant=person, date=MONDAY).update(status="i")


def _history_changed(person: Participant) -> None:
    DayStatusHistory.objects.filter(participant=person, date=MONDAY).update(status="l")


@pytest.mark.parametrize("plant", [_day_status_changed, _history_changed])
def test_a_status_that_is_not_the_same_everywhere_is_found(
    person: Participant, plant: Callable[[Participant], None]
) -> None:
    plant(person)
    assert (STATUS, MONDAY) in found(person)


def test_a_summary_that_counts_otherwise_than_its_days_is_found(person: Participant) -> None:
    ParticipantStatusSummary.objects.filter(participant=person).update(valid_days=7)
    assert found(person) == {(STATUS, None)}


def test_it_changes_nothing(person: Participant) -> None:
    tables = (DayRollup, HourRollup, ParticipantDay, DayStatusHistory, ParticipantStatusSummary, Measurement)
    _day_changed(person)
    _day_status_changed(person)
    before = {model: list(model.objects.order_by("pk").values()) for model in tables}
    assert found(person)
    assert {model: list(model.objects.order_by("pk").values()) for model in tables} == before


def test_an_erased_participant_is_not_checked(person: Participant) -> None:
    _day_changed(person)
    Participant.objects.filter(pk=person.pk).update(status=Participant.Status.ERASED)
    assert found(person) == set()


def test_a_nights_run_keeps_counts_and_examples_by_number(person: Participant) -> None:
    _day_changed(person)
    run = data_check.run(since=None)
    assert run == DataCheck.objects.get()
    assert (run.participants, run.found) == (1, {"collection": 0, "values": 1, "status": 0})
    assert run.examples == [["values", person.pk, "2026-05-04", "a daily value is not what its samples say"]]
    assert person.study_id not in str(run.examples)


def test_the_command_tells_whose_and_ends_with_1_where_something_does_not_hold(person: Participant) -> None:
    out = StringIO()
    call_command("check_data", person.trial.code, stdout=out)
    assert "All holds of 1 participants." in out.getvalue()
    _day_changed(person)
    with pytest.raises(SystemExit) as ended:
        call_command("check_data", person.trial.code, "--participant", person.study_id, stdout=out)
    assert ended.value.code == 1
    assert f"values: {person.trial.code} {person.study_id} on 2026-05-04" in out.getvalue()


def test_days_counted_by_other_ranges_are_found_and_named_so(person: Participant) -> None:
    """As after an upgrade: -1 steps that were counted when there were no ranges."""
    Measurement.objects.filter(metric__code="steps", time__lt=START + ONE_DAY).update(value=-1.0)
    (violation,) = data_check.check([person])
    assert (violation.invariant, violation.date, violation.what) == (VALUES, MONDAY, data_check.OTHER_RANGES)
    assert found(person, since=MONDAY) == {(VALUES, MONDAY)}


def test_a_wrong_number_of_values_that_do_not_count_is_found(person: Participant) -> None:
    store(person, deliver(batch([0.0] * 3, start=START + 2 * HOUR)), now=NOW)
    assert found(person) == set()
    ImplausibleCount.objects.update(n=4)
    assert found(person) == {(VALUES, MONDAY)}


def test_of_a_participant_with_nothing_else_it_is_found_too() -> None:
    person = ParticipantFactory.create(monitoring_starts_on=MONDAY, monitoring_ends_on=MONDAY)
    store(person, deliver(batch([0.0] * 3, start=START + 2 * HOUR)), now=NOW)
    assert found(person) == set()
    ImplausibleCount.objects.update(n=4)
    assert found(person) == {(VALUES, MONDAY)}
