"""What may be read of a participant's metric: which dates and instants, of which source, and from where on."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable
from typing import Any

import pytest
from django.utils.connection import ConnectionDoesNotExist

from metrics.batch import EARLIEST, SourceKey, instant, microseconds
from metrics.local_time import LocalCalendar
from metrics.models import OffsetPeriod, Source
from metrics.participant_calendars import calendars_of
from metrics.registry import BY_CODE
from metrics.selection.collection_window import collected
from metrics.selection.night_source_choice import other_nights
from metrics.selection.readable_series import (
    ALL_DATES,
    Part,
    Readable,
    ReadFrom,
    changes,
    collected_dates,
    collected_on,
    cut,
    dates_of,
    readable,
    readable_of,
    readable_on,
    readable_one,
)
from metrics.selection.source_choice import Run
from metrics.time_buckets import Span
from metrics.writing.writer import store
from participants.models import Participant, Pause, Protocol
from tests.factories import ParticipantFactory
from tests.metrics.samples import NOW, batch, deliver

MONDAY, ONE_DAY, HOUR = dt.date(2026, 5, 4), dt.timedelta(days=1), dt.timedelta(hours=1)
MIDNIGHT = dt.datetime(2026, 5, 3, 22, tzinfo=dt.UTC)  # in Amsterdam
DAY = 86_400_000_000
STARTS = microseconds(MIDNIGHT)
A, B = SourceKey("testvendor", "watch", "Charge 6"), SourceKey("testvendor", "watch", "Sense 2")
STEPS, HEART = BY_CODE["steps"], BY_CODE["heart_rate"]


def day(n: int) -> dt.date:
    return MONDAY + n * ONE_DAY


@pytest.fixture
def person(db: None) -> Participant:
    return ParticipantFactory(time_zone="Europe/Amsterdam")


def walked(person: Participant, source: SourceKey, *days: int, minutes: int = 10) -> None:
    for n in days:
        start = MIDNIGHT + n * ONE_DAY
        steps = batch([1.0] * minutes, start=start, step=60, metric="steps", source=source, seconds=60)
        store(person, deliver(steps), now=NOW)


def source(key: SourceKey) -> Source:
    return Source.objects.get_or_create(
        provider=key.provider, platform=key.platform, device_model=key.device_model, synthetic=False
    )[0]


def runs(one: Readable) -> list[tuple[str, int, int]]:
    """Model, and first and last date as days after the Monday."""
    return [(run.source.device_model, (run.first - MONDAY).days, (run.last - MONDAY).days) for run in one.runs]


def parts(found: list[Part]) -> list[tuple[str, int, int]]:
    """Model, and start and end as microseconds after the Monday's midnight."""
    return [(part.source.device_model, part.start - STARTS, part.end - STARTS) for part in found]


# --- Dates ---


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((None, None), [(1, 5)]),
        ((0, 6), [(1, 5)]),
        ((1, 5), [(1, 5)]),
        ((2, 4), [(2, 4)]),
        ((2, None), [(2, 5)]),
        ((None, 4), [(1, 4)]),
        ((5, 6), [(5, 5)]),
        ((0, 1), [(1, 1)]),
        ((6, 9), []),
        ((None, 0), []),
    ],
)
def test_dates_are_cut_with_both_ends_included(
    interval: tuple[int | None, int | None], expected: list[tuple[int, int]]
) -> None:
    low, high = (None if n is None else day(n) for n in interval)
    assert cut([(low, high)], day(1), day(5)) == [(day(first), day(last)) for first, last in expected]


def test_several_intervals_are_cut_one_by_one() -> None:
    assert cut([(None, day(1)), (day(3), day(3)), (day(7), None)], day(0), day(5)) == [
        (day(0), day(1)),
        (day(3), day(3)),
    ]


AMSTERDAM = LocalCalendar(zoneinfo.ZoneInfo("Europe/Amsterdam"))
WEST = LocalCalendar(zoneinfo.ZoneInfo("Europe/Amsterdam"), [(0, -5 * 3600)])
EAST = LocalCalendar(zoneinfo.ZoneInfo("Europe/Amsterdam"), [(0, 12 * 3600)])


@pytest.mark.parametrize(
    ("calendar", "start", "end", "expected"),
    [
        (AMSTERDAM, 0, DAY, (0, 0)),
        (AMSTERDAM, -1, DAY, (-1, 0)),
        (AMSTERDAM, 0, DAY + 1, (0, 1)),
        (AMSTERDAM, 0, 1, (0, 0)),
        # By a clock seven hours behind the zone the span begins and ends a date earlier, by one ahead a date later.
        (WEST, 0, DAY, (-1, 0)),
        (EAST, 0, DAY, (0, 1)),
    ],
)
def test_a_span_touches_dates_by_the_device_s_clock_and_by_the_zone(
    calendar: LocalCalendar, start: int, end: int, expected: tuple[int, int]
) -> None:
    first, last = expected
    assert dates_of(Span(STARTS + start, STARTS + end), calendar) == (day(first), day(last))


def test_all_dates_are_from_the_earliest_that_is_taken_to_a_year_before_the_last_there_is() -> None:
    assert (instant(EARLIEST).date(), dt.date(9998, 12, 31)) == ALL_DATES


# --- One series ---


@pytest.fixture
def two(person: Participant) -> Readable:
    """Monday and Tuesday of A, Thursday of B; B has data on Monday too."""
    a, b = source(A), source(B)
    calendar = calendars_of([person])[person.pk]
    return Readable([Run(a, day(0), day(1)), Run(b, day(3), day(3))], [], calendar, collected([person])[person.pk])


def test_a_source_counts_on_the_dates_of_its_runs(two: Readable) -> None:
    a, b = source(A), source(B)
    assert [two.counting(a.pk, day(n)) for n in range(-1, 4)] == [None, a, a, None, None]
    assert [two.counting(b.pk, day(n)) for n in (0, 2, 3, 4)] == [None, None, b, None]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (-1, 4, [("Charge 6", 0, 1), ("Sense 2", 3, 3)]),
        (1, 3, [("Charge 6", 1, 1), ("Sense 2", 3, 3)]),
        (0, 0, [("Charge 6", 0, 0)]),
        (3, 3, [("Sense 2", 3, 3)]),
        (2, 2, []),
        (4, 9, []),
    ],
)
def test_runs_are_cut_to_dates_with_both_ends_included(
    two: Readable, first: int, last: int, expected: list[tuple[str, int, int]]
) -> None:
    cut_to = Readable(two.on(day(first), day(last)), [], two.calendar, two.held)
    assert runs(cut_to) == expected


def test_parts_are_the_local_days_of_the_runs_within_a_span(two: Readable) -> None:
    whole = [("Charge 6", 0, 2 * DAY), ("Sense 2", 3 * DAY, 4 * DAY)]
    assert parts(two.parts(Span(STARTS - DAY, STARTS + 9 * DAY))) == whole
    assert parts(two.parts(Span(STARTS + 5, STARTS + 3 * DAY + 1))) == [
        ("Charge 6", 5, 2 * DAY),
        ("Sense 2", 3 * DAY, 3 * DAY + 1),
    ]
    # A span that ends where a run begins, or begins where it ends, holds nothing of it.
    assert parts(two.parts(Span(STARTS - DAY, STARTS))) == []
    assert parts(two.parts(Span(STARTS + 2 * DAY, STARTS + 3 * DAY))) == []
    assert parts(two.parts(Span(STARTS + 2 * DAY - 1, STARTS + 3 * DAY))) == [("Charge 6", 2 * DAY - 1, 2 * DAY)]


def test_parts_hold_what_is_collected_alone(person: Participant, two: Readable) -> None:
    person.monitoring_starts_on = day(1)
    person.save()
    held = collected([person])[person.pk]
    later = Readable(two.runs, [], two.calendar, held)
    assert parts(later.parts(Span(STARTS, STARTS + 3 * DAY))) == [("Charge 6", DAY, 2 * DAY)]


def test_parts_of_a_clock_that_jumped_ascend_whatever_the_runs(person: Participant) -> None:
    # The Tuesday is left at noon UTC for a clock 24 hours behind, and comes again the day after.
    noon = dt.datetime(2026, 5, 5, 12, tzinfo=dt.UTC)
    OffsetPeriod.objects.create(participant=person, starts_at=noon - ONE_DAY / 2, utc_offset=13 * 3600)
    OffsetPeriod.objects.create(participant=person, starts_at=noon, utc_offset=-11 * 3600)
    calendar = calendars_of([person])[person.pk]
    a, b = source(A), source(B)
    one = Readable([Run(a, day(1), day(1)), Run(b, day(2), day(2))], [], calendar, collected([person])[person.pk])
    found = one.parts(Span(STARTS, STARTS + 9 * DAY))
    assert [part.start for part in found] == sorted(part.start for part in found)
    assert [part.source.device_model for part in found] == ["Charge 6", "Sense 2", "Charge 6", "Sense 2"]


def test_a_source_is_told_where_it_begins_to_be_read(two: Readable) -> None:
    a, b = source(A), source(B)
    found = [Part(a, STARTS - 1, STARTS), Part(a, STARTS, STARTS + 1), Part(b, STARTS + DAY, STARTS + 2 * DAY)]
    assert two.read_from(found) == [ReadFrom(STARTS - 1, day(-1), a), ReadFrom(STARTS + DAY, day(1), b)]


def test_of_what_is_read_one_after_another_each_change_is_told() -> None:
    a, b = Source(pk=1, provider="a"), Source(pk=2, provider="b")
    reads = [ReadFrom(n, day(n), one) for n, one in enumerate((a, a, b, b, a))]
    assert changes(reads) == [reads[0], reads[2], reads[4]]
    assert changes([]) == []


# --- From the database ---


def test_dates_are_included_at_both_ends_and_nothing_is_read_of_days_between_pauses(person: Participant) -> None:
    walked(person, A, -1, 0, 1, 2, 3, 4)
    Pause.objects.create(participant=person, starts_on=day(1), ends_on=day(2), reason="away")
    Protocol.objects.update(collect_in_pauses=False)
    (found,) = readable_on([person], [STEPS], day(0), day(3)).values()
    assert runs(found) == [("Charge 6", 0, 0), ("Charge 6", 3, 3)]
    held = collected([person])[person.pk]
    assert runs(readable_one(person, [STEPS], day(0), day(3), held)[STEPS.id]) == runs(found)


def test_what_has_no_data_is_not_in_it(person: Participant) -> None:
    other = ParticipantFactory(trial=person.trial)
    walked(person, A, 0)
    assert set(readable_on([person, other], [STEPS, HEART], day(0), day(0))) == {(person.pk, STEPS.id)}
    assert readable_on([person], [STEPS], day(1), day(2)) == {}
    assert readable_on([person], [HEART], day(0), day(0)) == {}


def test_people_are_read_on_their_own_dates(person: Participant) -> None:
    other = ParticipantFactory(trial=person.trial, time_zone="Europe/Amsterdam")
    for who in (person, other):
        walked(who, A, 0, 1, 2)
    spans = {person.pk: Span(STARTS, STARTS + DAY), other.pk: Span(STARTS + DAY, STARTS + 3 * DAY)}
    found = readable([person, other], [STEPS], spans)
    assert {pid: runs(one) for (pid, _), one in found.items()} == {
        person.pk: [("Charge 6", 0, 0)],
        other.pk: [("Charge 6", 1, 2)],
    }


def test_of_named_sources_one_counts_and_the_rest_are_others(person: Participant) -> None:
    walked(person, A, 0, minutes=20)
    walked(person, B, 0)
    span = {person.pk: Span(STARTS, STARTS + DAY)}
    (found,) = readable([person], [STEPS], span, among=[source(B).pk]).values()
    assert (runs(found), found.others) == ([("Sense 2", 0, 0)], [source(A)])
    (found,) = readable([person], [STEPS], span, among=[]).values()
    assert (runs(found), found.others) == ([], [source(A), source(B)])
    (found,) = readable([person], [STEPS], span).values()
    assert (runs(found), found.others) == ([("Charge 6", 0, 0)], [source(B)])


@pytest.mark.parametrize("at", [STARTS + DAY, STARTS + 2 * DAY - 1])
def test_a_reading_that_is_under_way_keeps_its_source_on_the_day_where_it_stands(person: Participant, at: int) -> None:
    Protocol.objects.update(source_priority=["Charge 6"])
    walked(person, A, 0, 1, 2, minutes=20)
    walked(person, B, 0, 1, 2)
    span = {person.pk: Span(STARTS, STARTS + 3 * DAY)}
    pinned = {(person.pk, STEPS.id): source(B).pk}
    (found,) = readable([person], [STEPS], span, pinned=pinned, pinned_at=at).values()
    assert runs(found) == [("Charge 6", 0, 0), ("Sense 2", 1, 1), ("Charge 6", 2, 2)]


def test_a_reading_stands_on_another_date_by_another_s_clock(person: Participant) -> None:
    other = ParticipantFactory(trial=person.trial, time_zone="Europe/Amsterdam")
    OffsetPeriod.objects.create(participant=other, starts_at=MIDNIGHT - 9 * ONE_DAY, utc_offset=-5 * 3600)
    for who in (person, other):
        for n in (0, 1):
            for key, minutes in ((A, 20), (B, 10)):
                start = MIDNIGHT + n * ONE_DAY + 12 * HOUR
                steps = batch([1.0] * minutes, start=start, step=60, metric="steps", source=key, seconds=60)
                store(who, deliver(steps), now=NOW)
    span = Span(STARTS, STARTS + 2 * DAY)
    pinned = {(who.pk, STEPS.id): source(B).pk for who in (person, other)}
    found = readable([person, other], [STEPS], {person.pk: span, other.pk: span}, pinned=pinned, pinned_at=STARTS + DAY)
    assert {pid: runs(one) for (pid, _), one in found.items()} == {
        person.pk: [("Charge 6", 0, 0), ("Sense 2", 1, 1)],
        other.pk: [("Sense 2", 0, 0), ("Charge 6", 1, 1)],
    }


@pytest.mark.parametrize("every_sample", [False, True])
def test_days_of_nothing_that_counts_are_read_where_every_sample_is(person: Participant, every_sample: bool) -> None:
    store(person, deliver(batch([-1.0], start=MIDNIGHT, metric="steps", source=A, seconds=60)), now=NOW)
    span = {person.pk: Span(STARTS, STARTS + DAY)}
    assert not readable([person], [STEPS], span)
    found = readable([person], [STEPS], span, every_sample=every_sample)
    assert [runs(one) for one in found.values()] == ([[("Charge 6", 0, 0)]] if every_sample else [])
    calendars, held = calendars_of([person]), collected([person])
    days: dict[int, Any] = {person.pk: (day(0), day(0))}
    assert len(readable_of([person], [STEPS], days, calendars, held, every_sample=every_sample)) == int(every_sample)
    assert not readable_of([person], [STEPS], days, calendars, held)


@pytest.mark.parametrize(
    "ask",
    [
        lambda people: readable(people, [STEPS], {one.pk: Span(STARTS, STARTS + DAY) for one in people}),
        lambda people: readable_on(people, [STEPS], day(0), day(0)),
    ],
)
def test_the_number_of_statements_does_not_grow_with_the_people(
    person: Participant, ask: Callable[[list[Participant]], Any], django_assert_num_queries: Any
) -> None:
    people = [person, *ParticipantFactory.create_batch(5, trial=person.trial)]
    for one in people:
        walked(one, A, 0)
    # clocks, what is collected (5) and sources: each once
    with django_assert_num_queries(4):
        assert len(ask(people)) == 6


def test_what_is_collected_of_dates_comes_as_parameters(person: Participant) -> None:
    other = ParticipantFactory(trial=person.trial, monitoring_starts_on=day(2), monitoring_ends_on=day(9))
    held = collected([person, other])
    assert collected_dates(held, day(0), day(4)) == {
        "participants": [person.pk, other.pk],
        "firsts": [day(0), day(2)],
        "lasts": [day(4), day(4)],
    }
    assert collected_dates({}, day(0), day(4)) == {"participants": [], "firsts": [], "lasts": []}
    held = {other.pk: held[other.pk]}
    assert collected_dates(held, day(0), day(1)) == {"participants": [], "firsts": [], "lasts": []}


def test_what_is_collected_is_told_by_id(person: Participant) -> None:
    ParticipantFactory(monitoring_starts_on=day(7))
    Participant.objects.filter(pk=person.pk).update(monitoring_starts_on=day(0), monitoring_ends_on=day(2))
    held = collected_on(person.pk)
    assert (held.starts_at, held.ends_at) == (MIDNIGHT, MIDNIGHT + 3 * ONE_DAY)


def test_what_is_read_is_read_by_the_connection_that_is_given(person: Participant) -> None:
    calendars, held = calendars_of([person]), collected([person])
    days = {person.pk: (day(0), day(0))}
    with pytest.raises(ConnectionDoesNotExist):
        readable_of([person], [STEPS], days, calendars, held, using="elsewhere")
    with pytest.raises(ConnectionDoesNotExist):
        other_nights([person.pk], day(0), day(0), using="elsewhere")
