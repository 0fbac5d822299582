"""Pending evaluations: what a payload marks, who evaluates it and when, and what is seen until then."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client

from dashboards.alerts import engine
from metrics import tasks
from metrics.batch import Payload, Replaced
from metrics.maintenance import data_check
from metrics.models import DayStatus, Gap, ParticipantDay, ParticipantStatusSummary, PendingEvaluation
from metrics.monitoring import evaluation, pending
from metrics.writing.writer import store, write
from participants.models import Participant
from participants.sql import PARTICIPANT_LOCK
from tests import factories
from tests.metrics.samples import NOON, NOW, batch, deliver

MONDAY = NOON.date()
ONE_DAY = dt.timedelta(days=1)


@pytest.fixture
def person(db: None) -> Participant:
    made: Participant = factories.ParticipantFactory.create(trial__code="STRIDE-2", study_id="AX-0042", time_zone="UTC")
    return made


def marked() -> dict[int, tuple[list[dt.date], list[dt.date]]]:
    """Marked dates, and those of which only the evidence is new, by participant."""
    rows = PendingEvaluation.objects.values_list("participant", "dates", "evidence_dates")
    return {pk: (sorted(dates), sorted(answered)) for pk, dates, answered in rows}


def statuses(person: Participant) -> dict[dt.date, str]:
    return dict(ParticipantDay.objects.filter(participant=person).values_list("date", "status"))


# --- What is marked ---


def test_a_payload_marks_its_days_and_evaluates_nothing(person: Participant) -> None:
    write(person, deliver(batch([60, 61])), now=NOW)
    assert marked() == {person.pk: ([MONDAY], [])}
    assert statuses(person) == {}


def test_payloads_add_to_what_is_marked(person: Participant) -> None:
    write(person, deliver(batch([60])), now=NOW)
    write(person, deliver(batch([60], start=NOON + ONE_DAY), batch([60], start=NOON)), now=NOW)
    assert marked() == {person.pk: ([MONDAY, MONDAY + ONE_DAY], [])}


def test_a_payload_that_changes_nothing_marks_nothing(person: Participant) -> None:
    store(person, deliver(batch([60, 61])), now=NOW)
    write(person, deliver(batch([60, 61])), now=NOW)
    assert marked() == {}


def answered(*days: dt.date) -> Payload:
    """The source's answer that these whole days hold no heart rate."""
    spans = [dt.datetime.combine(day, dt.time(), dt.UTC) for day in days]
    return Payload(replaces=[Replaced("testvendor", "heart_rate", at, at + ONE_DAY) for at in spans])


def test_an_answer_of_nothing_is_news_of_a_day_that_is_not_evaluated(person: Participant) -> None:
    write(person, answered(MONDAY), now=NOW)
    assert marked() == {person.pk: ([], [MONDAY])}


@pytest.mark.parametrize(
    ("status", "cause", "news"),
    [
        (DayStatus.PENDING, "", True),
        (DayStatus.VALID, "", False),
        (DayStatus.INVALID, "off_wrist", False),
        (DayStatus.LOST, "not_synced", True),
        (DayStatus.VALID, "platform", True),
    ],
)
def test_an_answer_is_news_of_a_settled_day_only_where_it_was_not_asked_for(
    person: Participant, status: DayStatus, cause: str, news: bool
) -> None:
    ParticipantDay.objects.create(
        participant=person, date=MONDAY, status=status, day_minutes=1440, worn_minutes=0, updated_at=NOW, known_at=NOW
    )
    if cause:
        Gap.objects.create(
            participant=person, date=MONDAY, starts_at=NOON, ends_at=NOON + ONE_DAY / 4, cause=cause, known_at=NOW
        )
    write(person, answered(MONDAY), now=NOW)
    assert marked() == ({person.pk: ([], [MONDAY])} if news else {})


# --- Who evaluates ---


def test_what_is_marked_is_evaluated_together_and_once(person: Participant) -> None:
    other = factories.ParticipantFactory.create(trial=person.trial, time_zone="UTC")
    for somebody in (person, other):
        write(somebody, deliver(batch([60, 61])), now=NOW)
    pending.settle(now=NOW)
    assert (marked(), [*statuses(person)], [*statuses(other)]) == ({}, [MONDAY], [MONDAY])
    before = ParticipantDay.objects.get(participant=person).updated_at
    pending.settle(now=NOW + ONE_DAY)
    assert ParticipantDay.objects.get(participant=person).updated_at == before


def test_any_evaluation_takes_in_what_is_marked(person: Participant) -> None:
    write(person, deliver(batch([60, 61])), now=NOW)
    evaluation.refresh(person, (), now=NOW)
    assert (marked(), [*statuses(person)]) == ({}, [MONDAY])


def test_a_batch_is_evaluated_once_so_many_are_marked(person: Participant, settings: Any) -> None:
    settings.EVALUATION_BATCH = 2
    write(person, deliver(batch([60])), now=NOW)
    pending.settle_batch()
    assert statuses(person) == {}
    write(factories.ParticipantFactory.create(trial=person.trial), deliver(batch([60])), now=NOW)
    pending.settle_batch()
    assert (marked(), [*statuses(person)]) == ({}, [MONDAY])


def test_what_a_killed_worker_marked_is_evaluated_by_the_beat(person: Participant) -> None:
    write(person, deliver(batch([60])), now=NOW)
    tasks.evaluate_pending()
    assert (marked(), [*statuses(person)]) == ({}, [MONDAY])


def test_one_who_cannot_be_evaluated_keeps_nobody_else_waiting(
    person: Participant, caplog: pytest.LogCaptureFixture
) -> None:
    other = factories.ParticipantFactory.create(trial=person.trial, time_zone="UTC")
    for somebody in (person, other):
        write(somebody, deliver(batch([60])), now=NOW)
    Participant.objects.filter(pk=person.pk).update(time_zone="Nowhere/At_All")
    with caplog.at_level(logging.ERROR):
        pending.settle(now=NOW)
    assert ([*marked()], [*statuses(other)]) == ([person.pk], [MONDAY])
    assert f"participant {person.pk} could not be evaluated" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_whom_another_is_writing_to_is_left_to_it_and_nobody_waits(person: Participant) -> None:
    write(person, deliver(batch([60])), now=NOW)
    parameters = connection.get_connection_params()
    parameters.pop("cursor_factory", None)
    parameters.pop("context", None)
    with psycopg.connect(**{**parameters, "dbname": connection.settings_dict["NAME"]}) as writer:
        writer.execute("SELECT pg_advisory_xact_lock(%s, %s)", [PARTICIPANT_LOCK, person.pk])
        pending.settle(now=NOW)
        assert [*marked()] == [person.pk]
        writer.rollback()
    pending.settle(now=NOW)
    assert (marked(), [*statuses(person)]) == ({}, [MONDAY])


# --- What is seen until then ---


@pytest.fixture
def manager(client: Client, person: Participant) -> Client:
    client.force_login(factories.MembershipFactory.create(trial=person.trial).user)
    return client


def recent(person: Participant) -> None:
    """New data of yesterday, marked and not evaluated."""
    now = dt.datetime.now(dt.UTC)
    write(person, deliver(batch([60, 61], start=now - ONE_DAY)), now=now)
    assert [*marked()] == [person.pk]


@pytest.mark.parametrize("page", ["", "/heatmap", "/adherence"])
def test_a_trial_s_pages_say_whose_data_are_being_evaluated(person: Participant, manager: Client, page: str) -> None:
    recent(person)
    note = "New data of 1 participant are being evaluated."
    assert note in manager.get(f"/trials/STRIDE-2{page}/").content.decode()
    pending.settle()
    assert note not in manager.get(f"/trials/STRIDE-2{page}/").content.decode()


@pytest.mark.parametrize(
    "address",
    [
        "/trials/STRIDE-2/participants/AX-0042/",
        "/trials/STRIDE-2/?format=csv",
        "/trials/STRIDE-2/heatmap/?format=csv",
        "/trials/STRIDE-2/adherence/?format=csv",
        "/api/v1/trials/STRIDE-2/participant-days",
        "/api/v1/trials/STRIDE-2/day-verdicts",
        "/api/v1/trials/STRIDE-2/gaps",
        "/api/v1/trials/STRIDE-2/standings",
        "/api/v1/trials/STRIDE-2/participants",
        "/api/v1/trials/STRIDE-2/participants/AX-0042",
    ],
)
def test_whoever_hands_out_statuses_evaluates_first(person: Participant, manager: Client, address: str) -> None:
    recent(person)
    assert manager.get(address).status_code == 200
    assert marked() == {}
    assert ParticipantStatusSummary.objects.get(participant=person).last_sample_at is not None


def test_alerts_go_by_what_is_evaluated(person: Participant) -> None:
    recent(person)
    engine.watch(person.trial_id, dt.datetime.now(dt.UTC))
    assert marked() == {}


def test_the_nightly_check_takes_new_data_for_no_violation(person: Participant) -> None:
    store(person, deliver(batch([60, 61], start=NOON - ONE_DAY)), now=NOW)
    write(person, deliver(batch([60, 61])), now=NOW)
    assert list(data_check.check([person])) == []
    assert marked() == {}
