"""The attention status that is stored is what the rules give, at any instant and however the row was written."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db.models import Case, When
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from metrics.models import Access, Exclusion, ParticipantStatusSummary
from metrics.monitoring import status
from metrics.monitoring.status import AttentionStatus as Is
from participants.models import Participant
from tests.factories import ParticipantFactory, ParticipantStatusSummaryFactory, TrialFactory

NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)

instants = st.none() | st.integers(-3, 3).map(lambda hours: NOW + hours * HOUR)
columns = {
    "silent_at": instants,
    "critical_at": instants,
    "access": st.sampled_from(Access.values),
    "excused": st.just("") | st.sampled_from(Exclusion.values),
    "waiting": st.booleans(),
    "low_wear": st.booleans(),
    "low_sleep": st.integers(0, 2),
}
summaries = st.fixed_dictionaries(columns)
changes = st.fixed_dictionaries({}, optional=columns)


def true_of(row: dict[str, Any], now: dt.datetime) -> set[Is]:
    """The rules of docs/data-model.md, of a row's columns alone."""
    if row["excused"]:
        excuses = {"paused": Is.PAUSED, "after_end": Is.COMPLETED, "withdrawn": Is.WITHDRAWN}
        return {excuses[row["excused"]]} if row["excused"] in excuses else set()
    true = {Is.WAITING} if row["waiting"] else set()
    true |= {Is.RECONNECT} if row["access"] in (Access.DEAD, Access.PARTIAL) else set()
    true |= {Is.UNCONNECTED} if row["access"] == Access.NEVER else set()
    true |= {Is.LOW_WEAR} if row["low_wear"] else set()
    true |= {Is.LOW_SLEEP} if row["low_sleep"] else set()
    if not row["waiting"] and row["critical_at"]:
        if row["critical_at"] <= now:
            true.add(Is.CRITICAL)
        elif row["silent_at"] and row["silent_at"] <= now:
            true.add(Is.SILENT)
    return true


class AtAnyInstant(TestCase):
    @given(rows=st.lists(st.tuples(summaries, st.lists(changes, max_size=2)), min_size=3, max_size=8))
    @settings(deadline=None, max_examples=30)
    def test_the_stored_status_is_the_one_that_the_rules_give(self, rows: list[tuple[Any, list[Any]]]) -> None:
        trial = TrialFactory()
        stands = {}
        for made, later in rows:
            participant = ParticipantFactory(trial=trial)
            ParticipantStatusSummaryFactory(participant=participant, **made)
            for change in later:
                change_row(participant, change)
            stands[participant.pk] = made | {name: value for change in later for name, value in change.items()}
        people = Participant.objects.filter(trial=trial)
        for now in [NOW + hours * HOUR / 2 for hours in range(-7, 8, 2)] + [NOW, NOW + HOUR]:
            true = {pk: true_of(row, now) for pk, row in stands.items()}
            most_urgent = {pk: min(them, default=Is.WELL) for pk, them in true.items()}
            asked = status.conditions(now)
            rules = {one.name: Case(When(rule, then=True), default=False) for one, rule in asked.items()}
            for row in status.with_attention_status(people, now).annotate(**rules).values():
                assert row["attention_status"] == most_urgent[row["id"]]
                assert {one for one in asked if row[one.name]} == true[row["id"]]
            counts = status.counts(people, now)
            assert counts.attention == sum(one in status.ATTENTION for one in most_urgent.values())
            assert all(counts[one] == sum(one in them for them in true.values()) for one in asked)
            assert counts[Is.WELL] == sum(not them for them in true.values())


def change_row(participant: Participant, change: dict[str, Any]) -> None:
    """Change the row by one statement, or by saving the object where that is a single column."""
    rows = ParticipantStatusSummary.objects.filter(participant=participant)
    if len(change) == 1:
        row = rows.get()
        for name, value in change.items():
            setattr(row, name, value)
        row.save()
    elif change:
        rows.update(**change)


@pytest.mark.django_db
def test_participants_of_whom_nothing_is_known_yet_wait() -> None:
    participant = ParticipantFactory()
    people = Participant.objects.filter(pk=participant.pk)
    assert status.with_attention_status(people, NOW).get().attention_status == Is.WAITING
    counts = status.counts(people, NOW)
    assert (counts[Is.WAITING], counts[Is.WELL], counts.attention, counts.everybody) == (1, 0, 0, 1)


@pytest.mark.django_db
def test_a_trials_counts_have_its_newest_sample() -> None:
    trial = TrialFactory()
    for hours in (5, 2, 9):
        ParticipantStatusSummaryFactory(participant=ParticipantFactory(trial=trial), last_sample_at=NOW - hours * HOUR)
    ParticipantFactory(trial=TrialFactory(code="OTHER"))
    by_trial = status.by_trial(Participant.objects.all(), NOW)
    newest = {(counts.everybody, counts.newest) for counts in by_trial.values()}
    assert newest == {(3, NOW - 2 * HOUR), (1, None)}
