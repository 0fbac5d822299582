"""A withdrawal that was a mistake: undone by two people, asked for consent anew, the days between left out."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from metrics.models import DayStatus, ParticipantDay
from metrics.selection.collection_window import collected_of
from metrics.writing.writer import store
from participants.models import Participant, Pause, Trial, User
from participants.privacy import consent
from participants.services import participant_withdraw, pause_remove
from participants.services.reinstatement import ReinstatementRefused, reinstatement_decide, reinstatement_request
from tests.factories import ParticipantFactory, UserFactory
from tests.metrics.samples import batch, deliver

pytestmark = pytest.mark.django_db
ONE_DAY = dt.timedelta(days=1)


@pytest.fixture
def today() -> dt.date:
    return timezone.localdate(timezone=dt.timezone(dt.timedelta(hours=1)))


@pytest.fixture
def person(today: dt.date) -> Participant:
    """Worn for ten days, then withdrawn from four days ago on, by mistake."""
    person: Participant = ParticipantFactory(monitoring_starts_on=today - 10 * ONE_DAY)
    now = timezone.now()
    for n in range(1, 11):
        at = now.replace(hour=8, minute=0, second=0, microsecond=0) - n * ONE_DAY
        store(person, deliver(batch([70.0] * 660, start=at, step=60)), now=now)
    participant_withdraw(person, on=today - 4 * ONE_DAY)
    return person


def undo(person: Participant, *, by: User | None = None, other: User | None = None) -> None:
    row = reinstatement_request(person, by=by or UserFactory(), reason="the wrong study id")
    reinstatement_decide(row, by=other or UserFactory(), approve=True)
    person.refresh_from_db()


def test_they_take_part_again_and_the_days_between_stay_left_out(person: Participant, today: dt.date) -> None:
    undo(person)
    assert (person.status, person.withdrawn_on) == (Participant.Status.INVITED, None)
    within = collected_of(person)
    assert [today - n * ONE_DAY in within for n in (5, 4, 1, 0)] == [True, False, False, True]
    days = dict(ParticipantDay.objects.filter(participant=person).values_list("date", "status"))
    assert days[today - 5 * ONE_DAY] == DayStatus.VALID
    assert days[today - 4 * ONE_DAY] == DayStatus.EXCLUDED
    assert days[today - ONE_DAY] == DayStatus.EXCLUDED


def test_who_asked_cannot_approve(person: Participant) -> None:
    user = UserFactory()
    row = reinstatement_request(person, by=user, reason="a mistake")
    with pytest.raises(ReinstatementRefused, match="Another person"):
        reinstatement_decide(row, by=user, approve=True)
    person.refresh_from_db()
    assert person.status == Participant.Status.WITHDRAWN


def test_it_is_decided_once(person: Participant) -> None:
    row = reinstatement_request(person, by=UserFactory(), reason="a mistake")
    with pytest.raises(ReinstatementRefused, match="requested already"):
        reinstatement_request(person, by=UserFactory(), reason="again")
    reinstatement_decide(row, by=UserFactory(), approve=False)
    with pytest.raises(ReinstatementRefused, match="already"):
        reinstatement_decide(row, by=UserFactory(), approve=True)
    person.refresh_from_db()
    assert person.status == Participant.Status.WITHDRAWN


@pytest.mark.parametrize("status", ["active", "completed", "erased"])
def test_only_a_withdrawal_can_be_undone(status: str) -> None:
    with pytest.raises(ReinstatementRefused, match="not withdrawn"):
        reinstatement_request(ParticipantFactory(status=status), by=UserFactory(), reason="x")


def test_not_in_a_closed_trial(person: Participant) -> None:
    Trial.objects.filter(pk=person.trial_id).update(status="closed", closed_at=timezone.now())
    with pytest.raises(ReinstatementRefused, match="closed"):
        reinstatement_request(person, by=UserFactory(), reason="x")


def test_nothing_is_collected_until_consent_that_was_given_before_is_given_anew(
    person: Participant, today: dt.date
) -> None:
    document = consent.document_add(person.trial, version="1", title="Information", effective_on=dt.date(2026, 1, 1))
    person.consents.create(
        document=document, how="paper", given_at=timezone.now() - 30 * ONE_DAY, withdrawn_at=timezone.now() - ONE_DAY
    )
    undo(person)
    assert consent.consent_missing(person, today) == document
    assert today not in collected_of(person)
    consent.consent_give(person, document, how="paper")
    within = collected_of(person)
    assert [today - n * ONE_DAY in within for n in (5, 4, 1, 0)] == [True, False, False, True]


def test_the_days_that_are_left_out_cannot_be_taken_back_as_a_pause(person: Participant) -> None:
    undo(person)
    with pytest.raises(ValueError, match="undone"):
        pause_remove(Pause.objects.get(participant=person), why="x")
