"""The protocol's rules: each raises once, follows what it sees, and resolves its alert."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from dashboards.alerts import engine as alerts_engine
from dashboards.models import Alert, AlertEvent
from metrics.models import Access, Cause, Exclusion, ParticipantStatusSummary
from participants.models import Participant, Protocol, Trial
from tests import factories

NOW = dt.datetime(2026, 11, 23, 8, 12, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(minutes=1)
Rule, Level, What = Alert.Rule, Alert.Level, AlertEvent.What


def hours_ago(hours: float) -> dt.datetime:
    return NOW - dt.timedelta(hours=hours)


def summary(participant: Participant, **changes: Any) -> ParticipantStatusSummary:
    """How a participant stands from now on; what is not named is well."""
    before = ParticipantStatusSummary.objects.filter(participant=participant)
    written = max((row.updated_at for row in before), default=hours_ago(1)) + dt.timedelta(seconds=1)
    before.delete()
    made: ParticipantStatusSummary = factories.ParticipantStatusSummaryFactory.create(
        participant=participant, updated_at=written, **changes
    )
    return made


def silent(hours: float = 60) -> dict[str, Any]:
    """The fields of somebody whose newest sample is so old."""
    last = hours_ago(hours)
    return {
        "last_sample_at": last,
        "silent_at": last + dt.timedelta(hours=48),
        "critical_at": last + dt.timedelta(hours=120),
        "overwritten_at": last + dt.timedelta(hours=168),
        "cause": Cause.NOT_SYNCED,
        "cause_since": last,
    }


def watch(trial: Trial, now: dt.datetime = NOW) -> alerts_engine.Outcome:
    outcome = alerts_engine.watch(trial.pk, now)
    assert outcome is not None
    return outcome


def told(alert: Alert) -> list[str]:
    return [event.what for event in alert.events.all()]


CASES: dict[str, tuple[dict[str, Any], str, int]] = {
    "never connected": ({"access": Access.NEVER, "access_since": hours_ago(73)}, Rule.NEVER_CONNECTED, Level.WARN),
    "access dead": ({"access": Access.DEAD, "access_since": hours_ago(1)}, Rule.RECONNECT, Level.WARN),
    "consent partial": ({"access": Access.PARTIAL, "access_since": hours_ago(1)}, Rule.RECONNECT, Level.WARN),
    "silent for 60 h": (silent(60), Rule.NO_UPLOAD, Level.WARN),
    "silent for 121 h": (silent(121), Rule.NO_UPLOAD, Level.CRITICAL),
    "low wear": ({"low_wear": True, "adherence": 0.6, "best_adherence": 0.8}, Rule.LOW_WEAR, Level.WARN),
    "out of reach": ({"low_wear": True, "out_of_reach": True}, Rule.LOW_WEAR, Level.CRITICAL),
    "few nights": ({"low_sleep": 1, "nights_recorded": 4}, Rule.LOW_SLEEP, Level.WARN),
    "hardly any nights": ({"low_sleep": 2, "nights_recorded": 1}, Rule.LOW_SLEEP, Level.CRITICAL),
}


@pytest.mark.parametrize(("fields", "rule", "level"), CASES.values(), ids=CASES)
def test_each_rule_raises_once_and_resolves(
    trial: Trial, participant: Participant, fields: dict[str, Any], rule: str, level: int
) -> None:
    summary(participant, **fields)
    assert (watch(trial).raised, watch(trial, LATER).raised) == (1, 0)
    alert = Alert.objects.get()
    assert (alert.rule, alert.level, alert.raised_at, alert.updated_at) == (rule, level, NOW, NOW)

    summary(participant)
    assert watch(trial, LATER).resolved == 1
    alert.refresh_from_db()
    assert (alert.resolved_at, alert.resolution) == (LATER, "recovered")
    assert told(alert) == [What.RAISED, What.RESOLVED]


def test_a_participant_who_is_well_raises_nothing(trial: Trial, participant: Participant) -> None:
    summary(participant)
    assert not watch(trial).any


def test_an_invitation_is_given_the_protocols_time(trial: Trial, participant: Participant) -> None:
    summary(participant, access=Access.NEVER, access_since=hours_ago(71))
    assert not watch(trial).any
    assert watch(trial, NOW + dt.timedelta(hours=1)).raised == 1


def test_the_same_alert_becomes_critical_and_says_since_when(trial: Trial, participant: Participant) -> None:
    summary(participant, **silent(119.5))
    watch(trial)
    assert watch(trial, NOW + dt.timedelta(hours=1)).worse == 1
    alert = Alert.objects.get()
    assert alert.level == Level.CRITICAL
    assert alert.facts["last_sample_at"] == hours_ago(119.5).isoformat()
    assert alert.facts["cause"] == "not_synced"
    assert told(alert) == [What.RAISED, What.WORSE]


def test_an_alert_becomes_less_than_critical_again(trial: Trial, participant: Participant) -> None:
    summary(participant, low_sleep=2, nights_recorded=2)
    watch(trial)
    summary(participant, low_sleep=1, nights_recorded=4)
    assert watch(trial, LATER).better == 1
    assert told(Alert.objects.get()) == [What.RAISED, What.BETTER]


def test_new_facts_change_the_alert_and_write_no_event(trial: Trial, participant: Participant) -> None:
    summary(participant, low_wear=True, adherence=0.61)
    watch(trial)
    summary(participant, low_wear=True, adherence=0.62)
    assert not watch(trial, LATER).any
    alert = Alert.objects.get()
    assert (alert.facts["adherence"], alert.updated_at) == (0.62, LATER)
    assert told(alert) == [What.RAISED]


def test_after_it_was_resolved_the_rule_raises_a_new_one(trial: Trial, participant: Participant) -> None:
    for number, fields in enumerate((silent(), {}, silent())):
        summary(participant, **fields)
        watch(trial, NOW + dt.timedelta(minutes=number))
    assert Alert.objects.count() == 2
    assert Alert.objects.filter(resolved_at=None).count() == 1


@pytest.mark.parametrize(
    "excused", [Exclusion.PAUSED, Exclusion.WITHDRAWN, Exclusion.AFTER_END, Exclusion.BEFORE_START]
)
def test_the_excused_get_none_and_open_ones_are_resolved(
    trial: Trial, participant: Participant, excused: Exclusion
) -> None:
    summary(participant, **silent(), low_wear=True)
    watch(trial)
    summary(participant, **silent(), low_wear=True, low_sleep=2, excused=excused)
    assert watch(trial, LATER).resolved == 2
    assert {alert.resolution for alert in Alert.objects.all()} == {"excused"}
    assert not watch(trial, LATER).any


def test_an_erased_participant_has_no_open_alert(trial: Trial, participant: Participant) -> None:
    summary(participant, **silent())
    watch(trial)
    Participant.objects.update(status=Participant.Status.ERASED)
    assert watch(trial, LATER).resolved == 1


def test_while_waiting_for_us_no_upload_is_neither_raised_nor_resolved(trial: Trial, participant: Participant) -> None:
    summary(participant, **silent(), waiting=True)
    assert not watch(trial).any
    summary(participant, **silent())
    watch(trial)
    summary(participant, **silent(121), waiting=True)
    assert not watch(trial, LATER).any
    assert Alert.objects.get().level == Level.WARN


def test_a_rule_that_the_protocol_does_not_name_is_silent(trial: Trial, participant: Participant) -> None:
    summary(participant, **silent(), low_wear=True)
    watch(trial)
    Protocol.objects.update(alert_rules=["low_wear"])
    assert watch(trial, LATER).resolved == 1
    assert Alert.objects.get(rule=Rule.NO_UPLOAD).resolution == "rule_off"


@pytest.mark.parametrize("status", [Trial.Status.DRAFT, Trial.Status.CLOSED])
def test_a_trial_that_does_not_run_raises_nothing_and_closes_what_is_open(
    trial: Trial, participant: Participant, status: str
) -> None:
    summary(participant, **silent())
    watch(trial)
    Trial.objects.update(status=status)
    assert alerts_engine.trials_to_watch(LATER) == {trial.pk: {participant.pk}}
    watch(trial, LATER)
    assert Alert.objects.get().resolution == "excused"
    assert alerts_engine.trials_to_watch(LATER) == {}


def test_what_was_acknowledged_stays_so_when_it_becomes_worse(trial: Trial, participant: Participant) -> None:
    summary(participant, **silent(119.5))
    watch(trial)
    Alert.objects.update(acknowledged_at=NOW)
    watch(trial, NOW + dt.timedelta(hours=1))
    assert Alert.objects.get().acknowledged_at == NOW


def test_becoming_critical_ends_a_snooze(trial: Trial, participant: Participant) -> None:
    summary(participant, **silent(119.5))
    watch(trial)
    Alert.objects.update(snoozed_until=NOW + dt.timedelta(days=7))
    watch(trial, NOW + dt.timedelta(minutes=20))
    assert Alert.objects.get().snoozed_until is not None
    watch(trial, NOW + dt.timedelta(hours=1))
    assert Alert.objects.get().snoozed_until is None


def test_another_trials_participants_are_left_alone(trial: Trial, participant: Participant) -> None:
    stranger = factories.ParticipantFactory.create()
    summary(stranger, **silent())
    assert not watch(trial).any
    assert Alert.objects.count() == 0


def test_a_thousand_people_take_a_handful_of_statements(trial: Trial) -> None:
    people = factories.ParticipantFactory.create_batch(120, trial=trial)
    for number, person in enumerate(people):
        fields = [silent(), {"low_wear": True}, {"low_sleep": 1}, {}][number % 4]
        factories.ParticipantStatusSummaryFactory.create(participant=person, **fields)
    with CaptureQueriesContext(
        database,
    ) as raising:
        assert watch(trial).raised == 90
    with CaptureQueriesContext(database) as idle:
        assert not watch(trial, LATER).any
    assert len(raising) <= 10
    assert len(idle) <= 6


def test_a_minute_in_which_nothing_differs_takes_three_statements_for_all_trials(trial: Trial) -> None:
    for each in (trial, factories.TrialFactory.create(status=Trial.Status.RUNNING)):
        Protocol.objects.get_or_create(trial=each, version=1, defaults={"effective_on": NOW.date()})
        for fields in (silent(), {"low_wear": True}, {}):
            summary(factories.ParticipantFactory.create(trial=each), **fields)
        watch(each)
    with CaptureQueriesContext(database) as idle:
        assert alerts_engine.trials_to_watch(LATER) == {}
    assert len(idle) == 3


def test_only_trials_in_which_something_differs_are_watched(trial: Trial, participant: Participant) -> None:
    summary(participant, **silent(119.5))
    watch(trial)
    assert alerts_engine.trials_to_watch(LATER) == {}
    assert alerts_engine.trials_to_watch(NOW + dt.timedelta(hours=1)) == {
        trial.pk: {participant.pk}
    }  # it becomes critical
    summary(participant, **silent(60))
    assert alerts_engine.trials_to_watch(LATER) == {trial.pk: {participant.pk}}  # its facts may be others


def test_what_is_held_as_it_is_differs_once(trial: Trial, participant: Participant) -> None:
    summary(participant, **silent(60))
    watch(trial)
    summary(participant, **silent(121), waiting=True)
    assert alerts_engine.trials_to_watch(LATER) == {trial.pk: {participant.pk}}
    watch(trial, LATER)
    assert alerts_engine.trials_to_watch(LATER) == {}


def test_low_wear_of_days_counted_anew_differs_once(trial: Trial, participant: Participant) -> None:
    summary(participant, low_wear=True, recounted=True)
    assert alerts_engine.trials_to_watch(NOW) == {}
    summary(participant, low_wear=True)
    assert watch(trial).raised == 1
    summary(participant, low_wear=True, out_of_reach=True, recounted=True)
    assert watch(trial, LATER).worse == 0
    assert alerts_engine.trials_to_watch(LATER) == {}


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_raise_one_alert() -> None:
    trial = factories.TrialFactory.create()
    person = factories.ParticipantFactory.create(trial=trial)
    summary(person, **silent(), low_wear=True)
    gate = threading.Barrier(4)

    def run() -> alerts_engine.Outcome | None:
        gate.wait(10)
        try:
            return alerts_engine.watch(trial.pk, NOW)
        finally:
            database.close()

    with ThreadPoolExecutor(4) as pool:
        outcomes = [future.result(30) for future in [pool.submit(run) for _ in range(4)]]
    assert sum(outcome.raised for outcome in outcomes if outcome) == 2
    assert (Alert.objects.count(), AlertEvent.objects.count()) == (2, 2)
