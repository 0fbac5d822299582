"""The collection interval as dates: each bound on both sides. As instants: tests/metrics."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from participants.collection_interval import CollectedDays, collected_days, collected_of
from participants.models import Consent, ConsentDocument, Participant, Pause, Protocol, Trial
from participants.user_input import EARLIEST, LATEST
from tests.factories import ParticipantFactory, ProtocolFactory, TrialFactory

pytestmark = pytest.mark.django_db

ONE_DAY = dt.timedelta(days=1)
MAY_4 = dt.date(2026, 5, 4)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)


def on(n: int | None) -> dt.date | None:
    return None if n is None else MAY_4 + n * ONE_DAY


def days(first: int | None, last: int | None, *without: tuple[int, int | None], **extra: Any) -> CollectedDays:
    """Collected dates as days after 4 May."""
    left_out = [(MAY_4 + begins * ONE_DAY, on(ends)) for begins, ends in without]
    return CollectedDays(on(first), on(last), without=left_out, **extra)


def intervals(known: CollectedDays) -> list[tuple[int | None, int | None]]:
    return [tuple(None if one is None else (one - MAY_4).days for one in pair) for pair in known.intervals()]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (days(None, None), [(None, None)]),
        (days(0, 5), [(0, 5)]),
        (days(3, 3), [(3, 3)]),
        (days(4, 3), []),
        (days(0, None), [(0, None)]),
        (days(None, 5), [(None, 5)]),
        (days(0, 5, nothing=True), []),
        (days(0, 9, (3, 4)), [(0, 2), (5, 9)]),
        (days(None, None, (3, 4)), [(None, 2), (5, None)]),
        (days(0, 9, (3, None)), [(0, 2)]),
        (days(0, 9, (0, 4)), [(5, 9)]),
        (days(0, 9, (1, 4)), [(0, 0), (5, 9)]),
        (days(0, 9, (5, 9)), [(0, 4)]),
        (days(0, 9, (5, 8)), [(0, 4), (9, 9)]),
        (days(0, 9, (-5, -1)), [(0, 9)]),
        (days(0, 9, (-5, 2)), [(3, 9)]),
        (days(0, 9, (10, 12)), [(0, 9)]),
        (days(0, 9, (9, 12)), [(0, 8)]),
        (days(0, 9, (0, None)), []),
        (days(0, 9, (1, 2), (3, 4)), [(0, 0), (5, 9)]),
        (days(0, 9, (1, 5), (2, 3)), [(0, 0), (6, 9)]),
        (days(None, 9, (1, 5), (2, None)), [(None, 0)]),
        (days(0, 9, (2, 3), (12, 13), (14, None)), [(0, 1), (4, 9)]),
    ],
)
def test_collected_dates_are_intervals_without_what_is_left_out(
    known: CollectedDays, expected: list[tuple[int | None, int | None]]
) -> None:
    assert intervals(known) == expected


bounds = st.one_of(st.none(), st.integers(0, 12))
pauses = st.lists(
    st.tuples(st.integers(-2, 12), st.one_of(st.none(), st.integers(0, 5))).map(
        lambda one: (one[0], None if one[1] is None else one[0] + one[1])
    ),
    max_size=4,
).map(lambda found: sorted(found, key=lambda one: one[0]))


@given(first=bounds, last=bounds, without=pauses, nothing=st.booleans())
def test_a_date_is_collected_where_it_lies_in_an_interval(
    first: int | None, last: int | None, without: list[tuple[int, int | None]], nothing: bool
) -> None:
    known = days(first, last, *without, nothing=nothing)
    found = intervals(known)
    inside = {n for n in range(-5, 25) for a, b in found if (a is None or a <= n) and (b is None or n <= b)}
    assert inside == {n for n in range(-5, 25) if MAY_4 + n * ONE_DAY in known}
    assert inside == {
        n
        for n in range(-5, 25)
        if not nothing
        and (first is None or n >= first)
        and (last is None or n <= last)
        and not any(a <= n and (b is None or n <= b) for a, b in without)
    }
    inner = [edge for pair in found for edge in pair][1:-1]
    assert None not in inner
    assert inner == sorted(inner, key=lambda edge: edge or 0)


def of(person: Participant) -> CollectedDays:
    return collected_days([person.pk])[person.pk]


def test_everything_may_be_had_and_come_in_unless_told() -> None:
    assert (CollectedDays().open, CollectedDays().nothing, CollectedDays().intervals()) == (True, False, [(None, None)])


def test_that_a_participant_was_erased_takes_nothing_from_the_others() -> None:
    people = ParticipantFactory.create_batch(3)
    Participant.objects.filter(pk=people[1].pk).update(status=Participant.Status.ERASED)
    found = collected_days([one.pk for one in people])
    assert [found[one.pk].nothing for one in people] == [False, True, False]
    Participant.objects.filter(pk__in=[people[0].pk, people[2].pk]).update(status=Participant.Status.ERASED)
    Participant.objects.filter(pk=people[1].pk).update(status=Participant.Status.ACTIVE)
    found = collected_days([one.pk for one in people])
    assert [found[one.pk].nothing for one in people] == [True, False, True]


def test_of_one_it_is_as_the_database_has_it() -> None:
    person = ParticipantFactory()
    Participant.objects.filter(pk=person.pk).update(monitoring_ends_on=MAY_4)
    assert collected_of(person) == of(person)
    assert collected_of(person).last == MAY_4


@pytest.mark.parametrize("given_again", [True, False])
def test_consent_that_is_in_force_ends_nothing(given_again: bool) -> None:
    person = ParticipantFactory()
    consent(person, "1", at("2026-05-04T09:00+02:00"))
    if given_again:
        consent(person, "2", None)
    assert of(person).until == (None if given_again else at("2026-05-04T09:00+02:00"))


def test_an_id_that_nobody_has_has_nothing() -> None:
    (found,) = collected_days([4711]).values()
    assert (found.nothing, found.open, found.intervals()) == (True, False, [])


@pytest.mark.parametrize(
    ("who", "trial", "first", "last", "ends_on"),
    [
        ({}, {}, None, None, None),
        ({"monitoring_starts_on": on(1), "monitoring_ends_on": on(8)}, {"starts_on": on(0), "ends_on": on(9)}, 1, 8, 8),
        ({"monitoring_starts_on": on(0), "monitoring_ends_on": on(9)}, {"starts_on": on(1), "ends_on": on(8)}, 1, 8, 8),
        ({"withdrawn_on": on(5), "monitoring_ends_on": on(9)}, {}, None, 4, 9),
        ({"withdrawn_on": on(9), "monitoring_ends_on": on(5)}, {}, None, 5, 5),
        ({"withdrawn_on": on(9)}, {}, None, 8, None),
    ],
)  # fmt: skip
def test_the_narrower_of_the_dates_counts_and_a_withdrawal_ends_it_the_day_before(
    who: dict[str, Any], trial: dict[str, Any], first: int | None, last: int | None, ends_on: int | None
) -> None:
    found = of(ParticipantFactory(trial=TrialFactory(**trial), **who))
    assert (found.first, found.last, found.ends_on) == (on(first), on(last), on(ends_on))
    assert (found.until, list(found.without), found.nothing) == (None, [], False)


@pytest.mark.parametrize(
    ("status", "trial", "is_open"),
    [
        (Participant.Status.ACTIVE, Trial.Status.RUNNING, True),
        (Participant.Status.COMPLETED, Trial.Status.RUNNING, True),
        (Participant.Status.PAUSED, Trial.Status.RUNNING, True),
        (Participant.Status.WITHDRAWN, Trial.Status.RUNNING, False),
        (Participant.Status.ACTIVE, Trial.Status.CLOSED, False),
        (Participant.Status.ERASED, Trial.Status.RUNNING, False),
    ],
)
def test_nothing_may_come_in_of_who_left_or_of_a_closed_trial(status: str, trial: str, is_open: bool) -> None:
    assert of(ParticipantFactory(status=status, trial=TrialFactory(status=trial))).open is is_open


def consent(person: Participant, version: str, ended: dt.datetime | None) -> None:
    document = ConsentDocument.objects.create(
        trial=person.trial, version=version, title="Consent", effective_on=dt.date(2026, 1, 1)
    )
    given_at = at("2026-01-02T09:00+01:00")
    Consent.objects.create(participant=person, document=document, how="paper", given_at=given_at, withdrawn_at=ended)


def test_the_last_consent_that_was_taken_back_or_an_earlier_closing_ends_it() -> None:
    first, last = at("2026-05-04T09:00+02:00"), at("2026-05-05T09:00+02:00")
    person, other = ParticipantFactory.create_batch(2, trial=TrialFactory())
    consent(person, "1", last)
    consent(person, "2", first)
    assert of(person).until == last
    assert of(other).until is None
    for closed_at, until in ((last + ONE_DAY, last), (first, first)):
        Trial.objects.filter(pk=person.trial_id).update(closed_at=closed_at, status=Trial.Status.CLOSED)
        assert of(person).until == until


def paused(person: Participant, first: int, last: int | None, **extra: Any) -> None:
    Pause.objects.create(
        participant=person, starts_on=MAY_4 + first * ONE_DAY, ends_on=on(last), reason="Holiday", **extra
    )


def left_out(person: Participant) -> list[tuple[int, int | None]]:
    return [((a - MAY_4).days, None if b is None else (b - MAY_4).days) for a, b in of(person).without]


def test_of_the_days_of_a_withdrawal_that_was_undone_nothing_is_had_whatever_the_protocol_says() -> None:
    person = ParticipantFactory()
    paused(person, 5, 7)
    paused(person, 1, 3, withdrawn=True)
    assert left_out(person) == [(1, 3)]
    Protocol.objects.filter(trial=person.trial).update(collect_in_pauses=False)
    assert left_out(person) == [(1, 3), (5, 7)]
    paused(person, 9, None, withdrawn=True)
    assert left_out(person) == [(1, 3), (5, 7), (9, None)]


@pytest.mark.parametrize(
    ("versions", "pause", "expected"),
    [
        ([(0, False)], (-9, -8), [(-9, -8)]),  # the first protocol holds before it took effect, too
        ([(0, True), (3, False)], (2, 2), []),
        ([(0, True), (3, False)], (1, 5), [(3, 5)]),
        ([(0, True), (3, False)], (3, 3), [(3, 3)]),
        ([(0, True), (3, False)], (4, None), [(4, None)]),
        ([(0, False), (3, True)], (1, 5), [(1, 2)]),
        ([(0, False), (3, True)], (2, None), [(2, 2)]),
        ([(0, False), (3, True)], (3, 5), []),
        ([(0, False), (3, True), (6, False)], (1, 8), [(1, 2), (6, 8)]),
        ([(0, False), (4, True), (3, False)], (1, 8), [(1, 2), (3, 3)]),
        ([(0, True), (3, False), (3, True)], (1, 8), []),  # of two of one day the later version
        ([(0, True), (3, True), (3, False)], (1, 8), [(3, 8)]),
        ([(0, False), (0, True)], (-3, 8), [(-3, -1)]),
    ],
)
def test_a_pause_is_left_out_on_the_days_on_which_the_protocol_in_force_says_so(
    versions: list[tuple[int, bool]], pause: tuple[int, int | None], expected: list[tuple[int, int | None]]
) -> None:
    person = ParticipantFactory(trial=TrialFactory(protocol=None))
    for version, (effective, collect) in enumerate(versions, 1):
        ProtocolFactory(trial=person.trial, version=version, effective_on=on(effective), collect_in_pauses=collect)
    paused(person, *pause)
    assert left_out(person) == expected


def test_the_pauses_of_each_go_by_their_own_trials_protocol() -> None:
    silent, other = ParticipantFactory(), ParticipantFactory()
    beside = ParticipantFactory(trial=silent.trial)
    Protocol.objects.filter(trial=silent.trial).update(collect_in_pauses=False)
    for n, person in enumerate((silent, other, beside)):
        paused(person, n, n)
    found = collected_days([silent.pk, other.pk])
    assert set(found) == {silent.pk, other.pk}
    assert [list(found[one.pk].without) for one in (silent, other)] == [[(on(0), on(0))], []]


def test_dates_from_before_there_were_bounds_are_reckoned_with_as_the_nearest_within_them() -> None:
    first, last = dt.date.min, dt.date.max
    person = ParticipantFactory(monitoring_starts_on=first, monitoring_ends_on=last)
    assert (of(person).first, of(person).last, of(person).ends_on) == (EARLIEST, LATEST, LATEST)
    Pause.objects.create(participant=person, starts_on=first, ends_on=last, reason="Withdrawn", withdrawn=True)
    assert list(of(person).without) == [(EARLIEST, LATEST)]
    assert of(person).intervals() == []
    Participant.objects.filter(pk=person.pk).update(withdrawn_on=first)
    assert of(person).last == EARLIEST - ONE_DAY


def test_protocols_from_before_there_were_bounds_hold_from_the_nearest_date_within_them() -> None:
    person = ParticipantFactory(trial=TrialFactory(protocol=None))
    for version, (effective, collect) in enumerate(((dt.date.min, True), (dt.date.min, False), (dt.date.max, True)), 1):
        ProtocolFactory(trial=person.trial, version=version, effective_on=effective, collect_in_pauses=collect)
    paused(person, 2, None)
    assert list(of(person).without) == [(on(2), LATEST - ONE_DAY)]
