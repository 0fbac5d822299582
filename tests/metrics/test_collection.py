"""The collection interval: each bound on both sides, as dates and as instants."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest

from metrics.batch import microseconds
from metrics.collection import collected_of
from metrics.grids import Span
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


def test_of_somebody_erased_nothing_may_be_had() -> None:
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
