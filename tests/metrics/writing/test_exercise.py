"""Exercise: stored once by the id of its source, revised, withdrawn, dated by the day of its start."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from metrics.batch import ExerciseRecord, Payload, Replaced, Sessions, SourceKey, joined
from metrics.models import ExerciseSession
from metrics.reading import queries as reading_queries
from metrics.writing.writer import Counts, SyntheticRefused, recompute, store
from participants.models import Participant
from tests.factories import ParticipantFactory
from tests.metrics.samples import CHARGE, NOW

pytestmark = pytest.mark.django_db

LATE = dt.datetime(2026, 5, 4, 22, 30, tzinfo=dt.UTC)  # 00:30 of the next day in Amsterdam
WALK = ExerciseRecord(
    CHARGE, "e1", LATE, LATE + dt.timedelta(minutes=40), "walking", "Walk", 2300, 3120.5, 180.0, 4200, 104.0
)
DAY = dt.timedelta(days=1)


@pytest.fixture
def person() -> Participant:
    return ParticipantFactory(time_zone="Europe/Amsterdam")


def test_exercise_belongs_to_the_local_day_of_its_start(person: Participant) -> None:
    assert store(person, Payload(exercise=[WALK]), now=NOW) == Counts(exercise_new=1)
    assert ExerciseSession.objects.get().date == dt.date(2026, 5, 5)


def test_every_number_is_kept(person: Participant) -> None:
    store(person, Payload(exercise=[WALK]), now=NOW)
    row = ExerciseSession.objects.get()
    assert (row.activity, row.name, row.active_seconds, row.steps) == ("walking", "Walk", 2300, 4200)
    assert (row.distance_m, row.energy_kcal, row.mean_heart_rate) == (3120.5, 180.0, 104.0)


def test_numbers_that_the_source_does_not_have_are_no_zeros(person: Participant) -> None:
    store(person, Payload(exercise=[ExerciseRecord(CHARGE, "e2", LATE, LATE + DAY / 24, "yoga")]), now=NOW)
    row = ExerciseSession.objects.get()
    assert [row.active_seconds, row.distance_m, row.energy_kcal, row.steps, row.mean_heart_rate] == [None] * 5


def test_the_same_exercise_again_changes_nothing(person: Participant) -> None:
    store(person, Payload(exercise=[WALK]), now=NOW)
    assert store(person, Payload(exercise=[WALK]), now=NOW) == Counts(exercise_unchanged=1)
    assert ExerciseSession.objects.count() == 1


def test_a_revised_exercise_replaces_what_was_known(person: Participant) -> None:
    store(person, Payload(exercise=[WALK]), now=NOW)
    revised = replace(WALK, starts_at=LATE - DAY, activity="running", distance_m=None)
    assert store(person, Payload(exercise=[revised]), now=NOW) == Counts(exercise_changed=1)
    row = ExerciseSession.objects.get()
    assert (row.activity, row.distance_m, row.date) == ("running", None, dt.date(2026, 5, 4))


def test_of_one_exercise_told_twice_the_last_one_counts(person: Participant) -> None:
    twice = joined([Payload(exercise=[WALK]), Payload(exercise=[replace(WALK, steps=1)])])
    assert store(person, twice, now=NOW) == Counts(exercise_new=1, repeated=1)
    assert ExerciseSession.objects.get().steps == 1


def test_exercise_of_two_sources_stands_side_by_side(person: Participant) -> None:
    store(person, Payload(exercise=[WALK, replace(WALK, source=SourceKey("testvendor", "PHONE"))]), now=NOW)
    assert ExerciseSession.objects.count() == 2


def test_exercise_that_its_vendor_withdrew_is_taken_away(person: Participant) -> None:
    later = replace(WALK, external_id="e2", starts_at=LATE + DAY, ends_at=LATE + 2 * DAY)
    store(person, Payload(exercise=[WALK, later]), now=NOW)
    gone = Replaced("testvendor", Sessions.EXERCISE, LATE, LATE + DAY)
    assert store(person, Payload(replaces=[gone]), now=NOW) == Counts(exercise_removed=1)
    assert ExerciseSession.objects.get().external_id == "e2"


def test_exercise_that_is_still_there_is_not_taken_away(person: Participant) -> None:
    whole = Payload(exercise=[WALK], replaces=[Replaced("testvendor", Sessions.EXERCISE, LATE, LATE + DAY)])
    store(person, whole, now=NOW)
    assert store(person, whole, now=NOW) == Counts(exercise_unchanged=1)


def test_nights_that_are_replaced_leave_exercise_alone(person: Participant) -> None:
    store(person, Payload(exercise=[WALK]), now=NOW)
    nights = Replaced("testvendor", Sessions.SLEEP, LATE - DAY, LATE + DAY)
    assert store(person, Payload(replaces=[nights]), now=NOW) == Counts()
    assert ExerciseSession.objects.exists()


@pytest.mark.parametrize(
    ("ends_at", "reason"),
    [(LATE - DAY, "exercise ends before it starts"), (NOW + DAY, "time lies in the future")],
)
def test_exercise_at_impossible_times_is_rejected(person: Participant, ends_at: dt.datetime, reason: str) -> None:
    broken = replace(WALK, ends_at=ends_at)
    assert store(person, Payload(exercise=[broken]), now=NOW) == Counts(rejected={reason: 1})


def test_synthetic_exercise_is_refused_outside_demo_trials(person: Participant) -> None:
    invented = replace(WALK, source=SourceKey("testvendor", synthetic=True))
    with pytest.raises(SyntheticRefused):
        store(person, Payload(exercise=[invented]), now=NOW)


def test_a_corrected_zone_moves_exercise(person: Participant) -> None:
    store(person, Payload(exercise=[WALK]), now=NOW)
    person.time_zone = "America/New_York"
    person.save()
    recompute(person, LATE, LATE + DAY, now=NOW)
    assert ExerciseSession.objects.get().date == dt.date(2026, 5, 4)


def test_exercise_is_read_by_local_date_in_order(person: Participant) -> None:
    for n in (2, 0, 1):
        walk = replace(WALK, external_id=str(n), starts_at=LATE + n * DAY, ends_at=LATE + (n + 1) * DAY)
        store(person, Payload(exercise=[walk]), now=NOW)
    found = reading_queries.exercise_sessions(person.pk, dt.date(2026, 5, 5), dt.date(2026, 5, 6))
    assert [one.external_id for one in found] == ["0", "1"]
