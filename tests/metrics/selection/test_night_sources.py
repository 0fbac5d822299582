"""Whose nights count: of each date of waking one source's, in every list and in the minutes of the day."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from metrics.batch import ExerciseRecord, Payload, SleepRecord, SourceKey
from metrics.models import ParticipantDay, SleepSession
from metrics.reading import queries as reading_queries
from metrics.selection.night_source_choice import asleep_on, counting_nights, other_nights
from metrics.selection.source_choice import UNRANKED
from metrics.writing.writer import store
from participants.models import Participant, Protocol
from tests.factories import ParticipantFactory, ProtocolFactory
from tests.metrics.samples import NOW

pytestmark = pytest.mark.django_db

MONDAY = dt.date(2026, 5, 4)
ONE_DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
A, B = SourceKey("testvendor", "watch", "Charge 6"), SourceKey("testvendor", "ring", "Halo")
C = SourceKey("testvendor", "mat", "Mattress")


@pytest.fixture
def person() -> Participant:
    return ParticipantFactory()


def slept(
    person: Participant, source: SourceKey, hours: float, *, day: int = 0, main: bool | None = None, at: float = 7
) -> None:
    """Sleep that ended at so many hours of a local day."""
    wakes = dt.datetime(2026, 5, 3, 22, tzinfo=dt.UTC) + day * ONE_DAY + at * HOUR
    night = SleepRecord(source, f"{wakes:%d%H}", wakes - hours * HOUR, wakes, is_main=main)
    store(person, Payload(sleep=[night]), now=NOW)


def shown(person: Participant, days: int = 1) -> list[tuple[dt.date, str, int, bool]]:
    found = reading_queries.sleep_sessions(person.pk, MONDAY, MONDAY + (days - 1) * ONE_DAY)
    return [(one.date, one.source.device_model, one.asleep_minutes, one.is_main) for one in found]


def asleep(person: Participant, day: int = 0) -> int | None:
    return ParticipantDay.objects.get(participant=person, date=MONDAY + day * ONE_DAY).asleep_minutes


@pytest.mark.parametrize(("first", "second"), [(A, B), (B, A)])
def test_the_night_with_most_sleep_counts_whichever_came_first(
    person: Participant, first: SourceKey, second: SourceKey
) -> None:
    for source in (first, second):
        slept(person, source, 8 if source is B else 7)
    assert shown(person) == [(MONDAY, "Halo", 480, True)]
    assert asleep(person) == 480


def test_the_protocols_order_comes_before_the_length(person: Participant) -> None:
    Protocol.objects.update(source_priority=["Charge 6"])
    slept(person, A, 5)
    slept(person, B, 8)
    assert shown(person) == [(MONDAY, "Charge 6", 300, True)]
    assert asleep(person) == 300


def test_each_date_goes_by_the_protocol_in_force_on_it(person: Participant) -> None:
    Protocol.objects.update(effective_on=MONDAY, source_priority=["Charge 6"])
    ProtocolFactory(trial=person.trial, version=2, effective_on=MONDAY + ONE_DAY, source_priority=["ring"])
    for day in range(2):
        slept(person, A, 6, day=day)
        slept(person, B, 5, day=day)
    assert [model for _, model, *_ in shown(person, 2)] == ["Charge 6", "Halo"]
    assert [asleep(person, day) for day in range(2)] == [360, 300]


def test_a_source_of_naps_alone_does_not_hide_the_night_of_another(person: Participant) -> None:
    Protocol.objects.update(source_priority=["Charge 6"])
    slept(person, A, 1, main=False, at=15)
    slept(person, B, 7)
    assert shown(person) == [(MONDAY, "Halo", 420, True)]
    assert asleep(person) == 420


def test_naps_come_from_the_source_of_the_night(person: Participant) -> None:
    slept(person, A, 7)
    slept(person, A, 1, main=False, at=15)
    slept(person, B, 6)
    slept(person, B, 2, main=False, at=16)
    assert [(model, minutes) for _, model, minutes, _ in shown(person)] == [("Charge 6", 420), ("Charge 6", 60)]


def test_a_date_of_one_source_needs_no_choice(person: Participant) -> None:
    slept(person, A, 7)
    slept(person, B, 6, day=1)
    assert [model for _, model, *_ in shown(person, 2)] == ["Charge 6", "Halo"]
    assert other_nights([person.pk], None, None) == set()


def test_others_sleep_as_they_do(person: Participant) -> None:
    other = ParticipantFactory(trial=person.trial)
    slept(person, A, 7)
    slept(other, B, 8)
    assert other_nights([person.pk, other.pk], None, None) == set()


def test_of_named_sources_one_counts(person: Participant) -> None:
    slept(person, A, 7)
    slept(person, B, 8)
    mine = SleepSession.objects.get(source__device_model="Charge 6")
    assert other_nights([person.pk], MONDAY, MONDAY) == {mine.pk}
    assert other_nights([person.pk], MONDAY, MONDAY, among=[mine.source_id]) == set()
    assert other_nights([person.pk], MONDAY + ONE_DAY, None) == set()


def ids(*models: str) -> set[int]:
    return set(SleepSession.objects.filter(source__device_model__in=models).values_list("pk", flat=True))


def test_of_three_sources_of_which_two_are_named_the_better_of_these_counts(person: Participant) -> None:
    slept(person, A, 6)
    slept(person, B, 7)
    slept(person, C, 8)
    a, b = (one.source_id for one in SleepSession.objects.filter(pk__in=ids("Charge 6", "Halo")).order_by("pk"))
    assert other_nights([person.pk], None, None) == ids("Charge 6", "Halo")
    assert other_nights([person.pk], None, None, among=[a, b]) == ids("Charge 6")


def test_the_dates_that_are_asked_for_are_included_at_both_ends(person: Participant) -> None:
    for source, hours in ((A, 7), (B, 8)):
        slept(person, source, hours)
    before, after = MONDAY - ONE_DAY, MONDAY + ONE_DAY
    for first, last in ((MONDAY, MONDAY), (None, MONDAY), (MONDAY, None), (before, after)):
        assert other_nights([person.pk], first, last) == ids("Charge 6")
    for first, last in ((after, None), (None, before), (after, after), (before, before)):
        assert other_nights([person.pk], first, last) == set()


def test_nobody_else_is_read(person: Participant) -> None:
    other = ParticipantFactory(trial=person.trial)
    for source, hours in ((A, 7), (B, 8)):
        slept(person, source, hours)
    assert other_nights([other.pk], None, None) == set()


def test_dates_of_people_with_neighbouring_ids_are_not_taken_for_each_other(person: Participant) -> None:
    other = ParticipantFactory(trial=person.trial)
    assert other.pk == person.pk + 1
    for who, day, longer, shorter in ((person, 1, A, B), (other, 0, B, A)):
        slept(who, longer, 8, day=day)
        slept(who, shorter, 7, day=day)
    shorter_ones = SleepSession.objects.filter(asleep_minutes=420)
    assert other_nights([person.pk, other.pk], None, None) == set(shorter_ones.values_list("pk", flat=True))


def counted(*rows: tuple[int, int, int, bool, int]) -> list[bool]:
    """Which of these count: (group, place, source, main sleep?, minutes asleep)."""
    group, places, source, main, asleep = (np.array(column) for column in zip(*rows, strict=True))
    return list(counting_nights(group, places, source, main, asleep).tolist())


def test_of_equals_the_lowest_id_counts() -> None:
    assert counted((0, UNRANKED, 9, True, 400), (0, UNRANKED, 5, True, 400)) == [False, True]


def test_each_group_has_a_source_of_its_own() -> None:
    rows = [(1, 0, 7, True, 400), (1, 0, 5, True, 300), (2, 0, 7, True, 300), (2, 0, 5, True, 400), (3, 9, 7, True, 1)]
    assert counted(*rows) == [True, False, False, True, True]


def test_of_several_main_sleeps_the_longest_is_compared_and_naps_are_not() -> None:
    two = [(0, 0, 5, True, 200), (0, 0, 5, True, 100)]
    assert counted(*two, (0, 0, 7, True, 250)) == [False, False, True]
    assert counted(*two, (0, 0, 7, True, 199)) == [True, True, False]
    assert counted((0, 0, 5, True, 200), (0, 0, 5, False, 90), (0, 0, 7, True, 201)) == [False, False, True]


def test_of_naps_alone_the_sum_is_compared() -> None:
    naps = [(0, 0, 7, False, 30), (0, 0, 7, False, 40)]
    assert counted(*naps, (0, 0, 5, False, 69)) == [True, True, False]
    assert counted(*naps, (0, 0, 5, False, 70)) == [False, False, True]


def test_a_main_sleep_of_a_source_in_no_order_comes_before_naps_of_the_first() -> None:
    assert counted((0, 0, 5, False, 90), (0, UNRANKED, 7, True, 60)) == [False, True]


def test_a_main_sleep_without_a_minute_asleep_is_one_all_the_same() -> None:
    assert counted((0, 0, 5, False, 90), (0, 1, 7, True, 0)) == [False, True]
    # and is not lengthened by the naps beside it
    assert counted((0, 0, 5, True, 0), (0, 0, 5, False, 90), (0, 0, 7, True, 50)) == [False, False, True]


def test_minutes_asleep_are_those_of_the_main_sleep_that_counts() -> None:
    assert asleep_on([(5, True, 300), (7, True, 400)], [1, 0]) == 400
    assert asleep_on([(5, True, 300), (7, True, 400)], [0, 1]) == 300
    assert asleep_on([(5, True, 300), (7, True, 400)], [3, 3]) == 400
    assert asleep_on([(5, False, 90), (7, True, 60)], [0, 3]) == 60
    assert asleep_on([(5, True, 0)], [0]) == 0
    assert asleep_on([(5, False, 90)], [0]) is None
    assert asleep_on([], []) is None
    with pytest.raises(ValueError, match="shorter"):
        asleep_on([(5, True, 300), (7, True, 400)], [0])


def test_nights_and_exercise_outside_the_collection_interval_are_not_shown(person: Participant) -> None:
    for day in range(3):
        slept(person, A, 7, day=day)
        start = dt.datetime(2026, 5, 4, 8, tzinfo=dt.UTC) + day * ONE_DAY
        for source in (A, B):
            walk = ExerciseRecord(source, f"w{day}", start, start + HOUR, "walk")
            store(person, Payload(exercise=[walk]), now=NOW)
    Participant.objects.filter(pk=person.pk).update(
        monitoring_starts_on=MONDAY + ONE_DAY, monitoring_ends_on=MONDAY + ONE_DAY
    )
    assert [date for date, *_ in shown(person, 3)] == [MONDAY + ONE_DAY]
    exercise = reading_queries.exercise_sessions(person.pk, MONDAY, MONDAY + 2 * ONE_DAY)
    assert [(one.date, one.source.device_model) for one in exercise] == [
        (MONDAY + ONE_DAY, "Charge 6"),
        (MONDAY + ONE_DAY, "Halo"),
    ]
