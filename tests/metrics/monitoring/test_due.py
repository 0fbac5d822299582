"""Who is evaluated as time passes: whose day or patience ends, or whose evidence may have changed; nobody else."""

from __future__ import annotations

import datetime as dt

import pytest

from metrics import tasks
from metrics.models import ParticipantDay, ParticipantStatusSummary
from metrics.monitoring import due, evaluation
from metrics.monitoring.next_evaluation import NEVER
from metrics.writing.writer import store
from participants import services
from participants.models import Participant, Trial
from tests import broker
from tests.factories import ParticipantFactory, ProtocolFactory, TrialFactory
from tests.metrics.samples import batch, deliver

# Monday, 4 May 2026, begins at 22:00 UTC of the day before in Amsterdam.
START = dt.datetime(2026, 5, 3, 22, tzinfo=dt.UTC)
MONDAY = dt.date(2026, 5, 4)
HOUR, ONE_DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture
def person(db: None) -> Participant:
    made: Participant = ParticipantFactory.create(monitoring_starts_on=MONDAY, monitoring_ends_on=MONDAY + 27 * ONE_DAY)
    return made


def evaluated(person: Participant, now: dt.datetime) -> dt.datetime | None:
    """When the participant is to be evaluated again, evaluated now."""
    evaluation.refresh(person, now=now)
    return ParticipantStatusSummary.objects.get(participant=person).evaluate_at


def wear(person: Participant, hours: int, *, day: int = 0, now: dt.datetime) -> None:
    samples = batch([70.0] * hours * 60, start=START + day * ONE_DAY, step=60)
    store(person, deliver(samples), now=now)


def test_the_next_local_day_is_the_first_thing_to_come(person: Participant) -> None:
    assert evaluated(person, START + 12 * HOUR) == START + ONE_DAY


def test_a_pending_day_is_evaluated_when_its_time_is_up(person: Participant) -> None:
    ProtocolFactory.create(trial=person.trial, effective_on=MONDAY - ONE_DAY, version=7, lost_after_hours=30)
    wear(person, 1, now=START + 12 * HOUR)
    up = START + ONE_DAY + 30 * HOUR
    assert evaluated(person, up - 2 * HOUR) == up
    assert ParticipantDay.objects.get(participant=person, date=MONDAY).status == "p"
    assert evaluated(person, up) == START + 3 * ONE_DAY
    assert ParticipantDay.objects.get(participant=person, date=MONDAY).status == "i"


def test_whoever_left_is_not_evaluated_again(person: Participant) -> None:
    wear(person, 12, now=START + 12 * HOUR)
    services.participant_withdraw(person, on=MONDAY + ONE_DAY, reason="moved away")
    assert evaluated(person, START + 40 * ONE_DAY) == NEVER


def test_after_the_last_day_only_open_days_are_waited_for(person: Participant) -> None:
    assert evaluated(person, START + 60 * ONE_DAY) == NEVER


def test_a_version_of_the_protocol_that_is_to_come_is_waited_for(person: Participant) -> None:
    ProtocolFactory.create(trial=person.trial, effective_on=MONDAY + 70 * ONE_DAY, version=7)
    assert evaluated(person, START + 60 * ONE_DAY) == START + 70 * ONE_DAY


def test_those_whose_time_has_come_are_taken_once(person: Participant) -> None:
    evaluation.refresh(person, now=START + 12 * HOUR)
    assert due.by_the_clock(START + ONE_DAY - dt.timedelta(seconds=1)) == []
    assert due.by_the_clock(START + ONE_DAY) == [person.pk]
    assert due.by_the_clock(START + ONE_DAY) == []
    assert due.by_the_clock(START + ONE_DAY + due.AGAIN) == [person.pk]  # the message was lost


def test_of_whom_it_is_not_known_when_they_are_taken(person: Participant) -> None:
    evaluation.refresh(person, now=START + 12 * HOUR)
    ParticipantStatusSummary.objects.update(evaluate_at=None)
    assert due.by_the_clock(START + 12 * HOUR) == [person.pk]


def test_an_hour_in_which_nothing_changes_evaluates_nobody(person: Participant) -> None:
    evaluation.refresh(person, now=START + 12 * HOUR)
    assert due.by_evidence(START + 13 * HOUR) == []


def test_days_of_a_closed_trial_are_evaluated_once_more(person: Participant) -> None:
    evaluation.refresh(person, now=START + 12 * HOUR)
    Trial.objects.filter(pk=person.trial_id).update(status=Trial.Status.CLOSED, closed_at=START + 14 * HOUR)
    assert due.by_evidence(START + 15 * HOUR) == [person.pk]
    evaluation.refresh(person, now=START + 16 * HOUR)
    assert due.by_evidence(START + 17 * HOUR) == []


def test_each_minute_newcomers_and_those_whose_time_has_come_are_evaluated(person: Participant) -> None:
    newcomer = ParticipantFactory.create(trial=TrialFactory.create())
    evaluation.refresh(person, now=START + 12 * HOUR)
    with broker.tasks_run_at_once():
        tasks.evaluate_new()
    assert ParticipantStatusSummary.objects.filter(participant=newcomer).exists()
    assert ParticipantStatusSummary.objects.get(participant=person).updated_at > START + ONE_DAY
