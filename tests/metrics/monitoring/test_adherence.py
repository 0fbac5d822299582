"""Adherence by other definitions of a valid day, by value: steps of minutes, of the day, of several sources."""

from __future__ import annotations

import datetime as dt

import pytest

from metrics.batch import SampleBatch, SourceKey
from metrics.models import DayStatusHistory, ParticipantDay
from metrics.monitoring.adherence import Adherence, adherence_as_of, adherence_by_minutes, adherence_by_steps
from metrics.writing.writer import store
from participants.models import Participant
from tests.factories import ParticipantFactory
from tests.metrics.samples import CHARGE, PHONE, batch, deliver

pytestmark = pytest.mark.django_db
START = dt.datetime(2026, 5, 3, 22, tzinfo=dt.UTC)  # Monday's first instant in Amsterdam
MONDAY, DAY = dt.date(2026, 5, 4), dt.timedelta(days=1)
NOW = START + 20 * DAY
HOUR, INSTANT = dt.timedelta(hours=1), dt.timedelta(microseconds=1)
LIMIT = 8000


@pytest.fixture
def person() -> Participant:
    """Monitored for one day, which is over."""
    found: Participant = ParticipantFactory.create(
        time_zone="Europe/Amsterdam", monitoring_starts_on=MONDAY, monitoring_ends_on=MONDAY
    )
    return found


def day_total(steps: float, source: SourceKey = CHARGE) -> SampleBatch:
    return batch([steps], start=START, metric="steps_24h", source=source)


def minutes(steps: float, n: int, source: SourceKey = CHARGE) -> SampleBatch:
    return batch([steps] * n, start=START, step=60, metric="steps", seconds=60, source=source)


def by_steps(person: Participant) -> Adherence:
    return adherence_by_steps(Participant.objects.filter(pk=person.pk), LIMIT)[person.pk]


@pytest.mark.parametrize(
    ("brought", "valid"),
    [
        ([day_total(8000)], 1),
        ([day_total(7999)], 0),
        ([minutes(80, 100)], 1),
        ([minutes(80, 99)], 0),
        ([minutes(80, 50), day_total(8000)], 1),
        ([minutes(80, 100), day_total(7000)], 1),
        ([minutes(80, 50, CHARGE), minutes(80, 50, PHONE)], 0),  # 4,000 each: never added
        ([minutes(80, 50, CHARGE), minutes(80, 100, PHONE)], 1),
        ([minutes(79, 50), minutes(1, 50), day_total(4001)], 0),
        ([day_total(100_001)], 0),  # nobody walks so far: it does not count
        ([minutes(301, 100)], 0),
        ([], 0),
    ],
    ids=[
        "the day's total", "one step less", "minutes", "a minute less", "the total reaches", "minutes reach",
        "two sources", "the better of two", "neither", "an impossible total", "impossible minutes", "no steps",
    ],
)  # fmt: skip
def test_a_day_is_valid_by_steps_from_the_limit_on(person: Participant, brought: list[SampleBatch], valid: int) -> None:
    store(person, deliver(*brought, batch([60.0], start=START)), now=NOW)
    assert ParticipantDay.objects.get(participant=person).status == "i"
    found = by_steps(person)
    assert (found.valid, found.counted, found.adherence) == (valid, 1, float(valid))


def test_days_that_do_not_count_do_not_count_by_steps_either() -> None:
    person = ParticipantFactory.create(time_zone="Europe/Amsterdam", monitoring_starts_on=MONDAY)
    for n in range(3):
        store(person, deliver(batch([9000.0], start=START + n * DAY, metric="steps_24h")), now=START + 3 * DAY)
    for n, status in enumerate("xpv"):
        ParticipantDay.objects.filter(date=MONDAY + n * DAY).update(status=status)
    ParticipantDay.objects.filter(date__gt=MONDAY + 2 * DAY).update(status="p")
    found = by_steps(person)
    assert (found.valid, found.counted) == (1, 1)


@pytest.mark.parametrize(("limit", "valid"), [(60, 1), (61, 0)])
def test_a_day_is_valid_by_minutes_from_the_limit_on(person: Participant, limit: int, valid: int) -> None:
    store(person, deliver(batch([60.0] * 60, start=START, step=60)), now=NOW)
    found = adherence_by_minutes(Participant.objects.filter(pk=person.pk), [limit])[limit][person.pk]
    assert (found.valid, found.counted) == (valid, 1)


def test_of_whom_only_pending_days_are_known_there_is_no_adherence() -> None:
    person = ParticipantFactory.create(time_zone="Europe/Amsterdam", monitoring_starts_on=MONDAY)
    store(person, deliver(batch([60.0], start=START)), now=START + dt.timedelta(hours=1))
    known = adherence_as_of(Participant.objects.filter(pk=person.pk), START + DAY)[person.pk]
    assert (known.valid, known.counted, known.pending, known.adherence) == (0, 0, 1, None)


def evaluated(person: Participant, n: int, status: str, hour: int, *, reason: str = "") -> None:
    """The status of a day that became known so many hours after Monday began."""
    known_at, date = START + hour * HOUR, MONDAY + n * DAY
    DayStatusHistory.objects.create(
        participant=person, date=date, known_at=known_at, status=status, reason=reason, worn_minutes=600
    )


def test_as_of_an_instant_the_newest_status_known_by_then_on_each_day_of_each_counts() -> None:
    first, second, third = ParticipantFactory.create_batch(3)
    for n, status in enumerate("vvvvillppxxxxx"):
        evaluated(first, n, status, 10)
    evaluated(first, 0, "i", 20)
    evaluated(second, 0, "p", 10)
    evaluated(second, 0, "v", 20)
    evaluated(third, 0, "v", 10)
    asked = Participant.objects.filter(pk__in=[first.pk, second.pk]).order_by("-study_id")
    before = {first.pk: Adherence(first.pk, 4, 7, 2, 5), second.pk: Adherence(second.pk, 0, 0, 1, 0)}
    assert adherence_as_of(asked, START + 10 * HOUR) == before
    assert adherence_as_of(asked, START + 20 * HOUR - INSTANT) == before
    assert adherence_as_of(asked, START + 20 * HOUR) == {
        first.pk: Adherence(first.pk, 3, 7, 2, 5), second.pk: Adherence(second.pk, 1, 1, 0, 0),
    }  # fmt: skip
    assert adherence_as_of(asked, START + 10 * HOUR - INSTANT) == {}


def test_adherence_is_the_share_of_the_days_that_count_and_none_where_none_does() -> None:
    assert [Adherence(1, valid, counted).adherence for valid, counted in ((3, 4), (0, 4), (0, 0))] == [0.75, 0.0, None]
    assert (Adherence(1, 3, 4).pending, Adherence(1, 3, 4).excluded) == (0, 0)


def test_several_definitions_of_several_people_are_told_apart() -> None:
    people = ParticipantFactory.create_batch(3)
    ParticipantDay.objects.all().delete()
    for person, worn in zip(people, ([700, 500, 300], [100], [900]), strict=True):
        for n, minutes in enumerate(worn):
            ParticipantDay.objects.create(
                participant=person, date=MONDAY + n * DAY, status="i", worn_minutes=minutes, updated_at=NOW
            )
    found = adherence_by_minutes(Participant.objects.filter(pk__in=[one.pk for one in people[:2]]), [300, 600])
    first, second, _ = (one.pk for one in people)
    assert found == {
        300: {first: Adherence(first, 3, 3), second: Adherence(second, 0, 1)},
        600: {first: Adherence(first, 1, 3), second: Adherence(second, 0, 1)},
    }
    assert adherence_by_minutes(Participant.objects.none(), [300]) == {300: {}}


def test_steps_of_several_people_and_days_are_told_apart() -> None:
    people = [
        ParticipantFactory.create(
            time_zone="Europe/Amsterdam", monitoring_starts_on=MONDAY, monitoring_ends_on=MONDAY + DAY
        )
        for _ in range(3)
    ]
    for person, totals in zip(people, ([8000, 7999], [9000, 8000], [8000]), strict=True):
        for n, steps in enumerate(totals):
            store(person, deliver(batch([steps], start=START + n * DAY, metric="steps_24h")), now=NOW)
    first, second, _ = (one.pk for one in people)
    found = adherence_by_steps(Participant.objects.filter(pk__in=[first, second]).order_by("-pk"), LIMIT)
    assert found == {first: Adherence(first, 1, 2), second: Adherence(second, 2, 2)}
    assert adherence_by_steps(Participant.objects.none(), LIMIT) == {}
