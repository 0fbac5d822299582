"""The collection interval: each bound on both sides, as dates and as instants."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from metrics.batch import instant, microseconds
from metrics.local_time import LocalCalendar
from metrics.participant_calendars import calendar_of
from metrics.selection.collection_window import EVER, NEVER, Collected, collected, collected_by, collected_of
from metrics.time_buckets import Span
from participants.collection_interval import CollectedDays
from participants.models import Consent, ConsentDocument, Participant, Pause, Protocol, Trial
from tests.factories import ParticipantFactory, TrialFactory

pytestmark = pytest.mark.django_db

ONE_DAY = dt.timedelta(days=1)
MAY_4 = dt.date(2026, 5, 4)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)


@pytest.mark.parametrize(
    ("who", "trial"),
    [
        ({"monitoring_ends_on": MAY_4}, {}),
        ({}, {"ends_on": MAY_4}),
        ({"monitoring_ends_on": MAY_4 + ONE_DAY}, {"ends_on": MAY_4}),
        ({"withdrawn_on": MAY_4 + ONE_DAY, "status": Participant.Status.WITHDRAWN}, {"ends_on": MAY_4 + 9 * ONE_DAY}),
    ],
)
def test_the_last_day_is_collected_to_its_midnight_and_the_next_is_not(
    who: dict[str, Any], trial: dict[str, Any]
) -> None:
    found = collected_of(ParticipantFactory(trial=TrialFactory(**trial), **who))
    assert MAY_4 in found
    assert MAY_4 + ONE_DAY not in found
    assert found.ends_at == at("2026-05-05T00:00+02:00")
    assert found.covers(at("2026-05-04T23:59:59.999999+02:00"))
    assert not found.covers(at("2026-05-05T00:00+02:00"))


@pytest.mark.parametrize(
    ("who", "trial"),
    [
        ({"monitoring_starts_on": MAY_4}, {}),
        ({}, {"starts_on": MAY_4}),
        ({"monitoring_starts_on": MAY_4 - ONE_DAY}, {"starts_on": MAY_4}),
    ],
)
def test_the_first_day_is_collected_from_its_midnight_and_the_one_before_is_not(
    who: dict[str, Any], trial: dict[str, Any]
) -> None:
    found = collected_of(ParticipantFactory(trial=TrialFactory(**trial), **who))
    assert MAY_4 in found
    assert MAY_4 - ONE_DAY not in found
    assert found.starts_at == at("2026-05-04T00:00+02:00")
    assert found.covers(at("2026-05-04T00:00+02:00"))
    assert not found.covers(at("2026-05-03T23:59:59.999999+02:00"))


def test_without_dates_everything_is_collected() -> None:
    found = collected_of(ParticipantFactory())
    assert (found.starts_at, found.ends_at, found.days.open) == (None, None, True)
    assert dt.date(2006, 1, 1) in found
    assert dt.date(2099, 1, 1) in found


def test_a_closed_trial_collects_to_the_instant_of_its_closing_and_is_open_no_more() -> None:
    found = collected_of(
        ParticipantFactory(trial=TrialFactory(status=Trial.Status.CLOSED, closed_at=at("2026-05-04T15:00+02:00")))
    )
    assert MAY_4 in found
    assert MAY_4 + ONE_DAY not in found
    assert found.covers(at("2026-05-04T14:59:59+02:00"))
    assert not found.covers(at("2026-05-04T15:00+02:00"))
    assert not found.days.open


def test_of_an_erased_participant_nothing_may_be_had() -> None:
    found = collected_of(ParticipantFactory(status=Participant.Status.ERASED))
    assert list(found.spans) == []
    assert MAY_4 not in found


@pytest.mark.parametrize("given_again", [True, False])
def test_consent_that_was_taken_back_ends_it_unless_given_again(given_again: bool) -> None:
    person = ParticipantFactory()
    for version, ended in (("1", at("2026-05-04T09:00+02:00")), ("2", None)):
        document = ConsentDocument.objects.create(
            trial=person.trial, version=version, title="Consent", effective_on=dt.date(2026, 1, 1)
        )
        if ended or given_again:
            Consent.objects.create(
                participant=person, document=document, how="paper", given_at=at("2026-01-02T09:00+01:00"),
                withdrawn_at=ended,
            )  # fmt: skip
    found = collected_of(person)
    assert found.ends_at == (None if given_again else at("2026-05-04T09:00+02:00"))


def test_paused_days_are_collected_unless_the_protocol_says_otherwise() -> None:
    person = ParticipantFactory()
    Pause.objects.create(participant=person, starts_on=MAY_4, ends_on=MAY_4 + ONE_DAY, reason="holidays")
    assert MAY_4 in collected_of(person)
    Protocol.objects.filter(trial=person.trial).update(collect_in_pauses=False)
    found = collected_of(person)
    assert [date in found for date in (MAY_4 - ONE_DAY, MAY_4, MAY_4 + ONE_DAY, MAY_4 + 2 * ONE_DAY)] == [
        True, False, False, True,
    ]  # fmt: skip
    span = Span(microseconds(at("2026-05-03T12:00+02:00")), microseconds(at("2026-05-06T12:00+02:00")))
    assert found.within(span) == [
        Span(span.start, microseconds(at("2026-05-04T00:00+02:00"))),
        Span(microseconds(at("2026-05-06T00:00+02:00")), span.end),
    ]
    times = np.array([span.start, microseconds(at("2026-05-05T12:00+02:00")), span.end - 1])
    assert found.holds(times).tolist() == [True, False, True]


def test_a_pause_without_an_end_leaves_out_all_that_follows() -> None:
    person = ParticipantFactory(monitoring_starts_on=MAY_4 - 3 * ONE_DAY, monitoring_ends_on=MAY_4 + 9 * ONE_DAY)
    Protocol.objects.filter(trial=person.trial).update(collect_in_pauses=False)
    Pause.objects.create(participant=person, starts_on=MAY_4, reason="holidays")
    assert list(collected_of(person).days.intervals()) == [(MAY_4 - 3 * ONE_DAY, MAY_4 - ONE_DAY)]


def test_the_protocol_in_force_on_each_day_of_a_pause_decides() -> None:
    person = ParticipantFactory()
    Protocol.objects.create(trial=person.trial, version=2, effective_on=MAY_4 + ONE_DAY, collect_in_pauses=False)
    Pause.objects.create(participant=person, starts_on=MAY_4, ends_on=MAY_4 + 2 * ONE_DAY, reason="holidays")
    found = collected_of(person)
    assert [MAY_4 + n * ONE_DAY in found for n in range(4)] == [True, False, False, True]


def test_it_is_read_from_the_database_and_not_from_the_object() -> None:
    person = ParticipantFactory()
    Participant.objects.filter(pk=person.pk).update(monitoring_ends_on=MAY_4)
    assert MAY_4 + ONE_DAY not in collected_of(person)


# --- as instants ------------------------------------------------------------------------------------------------------


def on(n: int | None) -> dt.date | None:
    return None if n is None else MAY_4 + n * ONE_DAY


def paused(person: Participant, first: int, last: int | None) -> None:
    """Days of which nothing is had, whatever the protocol says."""
    Pause.objects.create(
        participant=person, starts_on=MAY_4 + first * ONE_DAY, ends_on=on(last), reason="Withdrawn", withdrawn=True
    )


def us(text: str) -> int:
    return microseconds(at(text))


def spans(*pairs: tuple[int, int]) -> Collected:
    return Collected(CollectedDays(), [Span(*pair) for pair in pairs])


def test_the_parts_of_a_span_and_what_is_outside_have_both_their_bounds() -> None:
    known = spans((10, 20), (30, 40))
    assert known.within(Span(0, 50)) == [Span(10, 20), Span(30, 40)]
    assert known.within(Span(19, 31)) == [Span(19, 20), Span(30, 31)]
    assert known.within(Span(20, 30)) == []
    assert known.within(Span(40, 50)) == []
    assert known.outside() == [Span(EVER, 10), Span(20, 30), Span(40, NEVER)]
    assert known.holds(np.array([9, 10, 19, 20, 29, 30, 39, 40])).tolist() == [
        False, True, True, False, False, True, True, False,
    ]  # fmt: skip


def test_where_there_is_no_bound_nothing_is_outside() -> None:
    assert spans((EVER, NEVER)).outside() == []
    assert spans((EVER, 10)).outside() == [Span(10, NEVER)]
    assert spans((10, NEVER)).outside() == [Span(EVER, 10)]
    assert spans().outside() == [Span(EVER, NEVER)]
    assert (spans().starts_at, spans().ends_at) == (None, None)
    for whole in (spans((EVER, NEVER)), spans((EVER, 10), (20, NEVER))):
        assert (whole.starts_at, whole.ends_at) == (None, None)
    assert spans((EVER, 10), (20, 30)).ends_at == instant(30)
    assert spans((0, 10), (20, NEVER)).starts_at == instant(0)


def test_an_interval_of_days_is_one_of_instants_from_midnight_to_midnight() -> None:
    person = ParticipantFactory(monitoring_starts_on=MAY_4, monitoring_ends_on=on(9))
    paused(person, 2, 3)
    found = collected_of(person)
    assert found.spans == [
        Span(us("2026-05-04T00:00+02:00"), us("2026-05-06T00:00+02:00")),
        Span(us("2026-05-08T00:00+02:00"), us("2026-05-14T00:00+02:00")),
    ]
    assert (found.starts_at, found.ends_at) == (at("2026-05-04T00:00+02:00"), at("2026-05-14T00:00+02:00"))
    assert found.over_at == at("2026-05-14T00:00+02:00")
    assert collected_by(person, calendar_of(person)) == found
    assert collected_by(person, LocalCalendar(ZoneInfo("UTC"))).starts_at == at("2026-05-04T00:00Z")
    assert collected([person]) == {person.pk: found}


@pytest.mark.parametrize(
    ("closed_at", "ends_on", "last", "over_at"),
    [
        ("2026-05-04T15:00+02:00", None, 0, "2026-05-04T15:00+02:00"),
        ("2026-05-05T00:00+02:00", None, 0, "2026-05-05T00:00+02:00"),  # nothing of the next day
        ("2026-05-05T00:00:00.000001+02:00", None, 1, "2026-05-05T00:00:00.000001+02:00"),
        ("2026-05-04T15:00+02:00", 3, 0, "2026-05-04T15:00+02:00"),
        ("2026-05-09T15:00+02:00", 3, 3, "2026-05-08T00:00+02:00"),
        (None, 3, 3, "2026-05-08T00:00+02:00"),
        (None, None, None, None),
    ],
)
def test_it_is_over_with_the_last_day_or_the_instant_of_the_closing_whichever_comes_first(
    closed_at: str | None, ends_on: int | None, last: int | None, over_at: str | None
) -> None:
    trial = TrialFactory(closed_at=closed_at and at(closed_at), ends_on=on(ends_on))
    found = collected_of(ParticipantFactory(trial=trial))
    assert found.days.last == on(last)
    assert found.over_at == found.ends_at == (over_at and at(over_at))


def test_a_pause_without_an_end_does_not_make_it_over() -> None:
    person = ParticipantFactory(monitoring_ends_on=on(9))
    paused(person, 2, None)
    found = collected_of(person)
    assert found.ends_at == at("2026-05-06T00:00+02:00")
    assert found.over_at == at("2026-05-14T00:00+02:00")


def test_what_was_closed_before_it_began_has_no_instant() -> None:
    trial = TrialFactory(closed_at=at("2026-05-04T00:00+02:00"), starts_on=MAY_4)
    assert collected_of(ParticipantFactory(trial=trial)).spans == []
    later = TrialFactory(closed_at=at("2026-05-04T00:00:01+02:00"), starts_on=MAY_4)
    assert collected_of(ParticipantFactory(trial=later)).spans == [
        Span(us("2026-05-04T00:00+02:00"), us("2026-05-04T00:00:01+02:00"))
    ]


def test_a_day_that_a_zone_skipped_has_no_instant() -> None:
    never = dt.date(2011, 12, 30)
    person = ParticipantFactory(
        time_zone="Pacific/Apia", monitoring_starts_on=never, monitoring_ends_on=never + 2 * ONE_DAY
    )
    paused(person, (never - MAY_4).days + 1, (never - MAY_4).days + 1)
    assert collected_of(person).spans == [Span(us("2011-12-31T10:00Z"), us("2012-01-01T10:00Z"))]
