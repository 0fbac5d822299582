"""Which functions of the apps are called where something happens to a participant or a trial, and in which order."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.apps import apps
from pytest_django import DjangoDbBlocker

import dashboards.subject_access
import ingestion.erasure
import ingestion.subject_access
import metrics.erasure
import metrics.subject_access
from ingestion.connections import end_of_collection, grants
from ingestion.sync import gap_evidence
from metrics.monitoring import evaluation, evidence
from metrics.reevaluation import recompute
from metrics.writing.row_followers import followers
from participants import hooks, querysets, trial_closing
from participants.audit import log
from participants.models import Participant, Trial
from participants.privacy import subject_access_sections
from participants.registration import Hook
from tests.factories import ParticipantFactory

OURS = ("participants", "metrics", "ingestion", "dashboards")


def registered() -> dict[str, list[object]]:
    return {name: list(hook) for name, hook in vars(hooks).items() if isinstance(hook, Hook)}


def test_functions_are_called_in_the_order_in_which_they_were_registered() -> None:
    hook: Hook[Callable[[], int]] = Hook()
    hook.register(first := lambda: 1)
    hook.register(second := lambda: 2)
    hook.register(first)
    assert list(hook) == [first, second]


def test_nobody_is_called_before_anybody_is_registered() -> None:
    assert list(Hook()) == []


def test_every_app_takes_part_where_it_should() -> None:
    named = registered()
    assert named == {
        "participant_changed": [evaluation.participant_changed],
        "participants_changed": [evaluation.participants_changed],
        "participant_left": [grants.let_go],
        "trial_ends": [end_of_collection.open_connections],
        "trial_dates_changed": [recompute.trial_changed],
        "trial_closed": [end_of_collection.trial_closed],
        "erasers": [metrics.erasure.erase, ingestion.erasure.erase],
        "subject_access_sections": [
            subject_access_sections.sections,
            metrics.subject_access.sections,
            ingestion.subject_access.sections,
            dashboards.subject_access.sections,
        ],
    }
    assert list(evidence.collectors) == [gap_evidence.collect]
    assert list(querysets.user_created) == [log.record_user_created]


def test_registering_again_changes_nothing_and_asks_no_database(django_db_blocker: DjangoDbBlocker) -> None:
    before, collector, told = registered(), list(evidence.collectors), len(followers)
    with django_db_blocker.block():
        for name in OURS:
            apps.get_app_config(name).ready()
    assert (registered(), list(evidence.collectors), len(followers)) == (before, collector, told)


def test_what_several_would_end_is_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks.trial_ends, "functions", [lambda trial: (2, 1), lambda trial: (3, 0)])
    assert trial_closing.ends(Trial()) == trial_closing.Ends(connections=5, invitations=1)


@pytest.mark.django_db
def test_who_left_is_let_go_once_that_is_stored(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Callable[..., object]
) -> None:
    participant = ParticipantFactory.create()
    told: list[Participant] = []
    monkeypatch.setattr(hooks.participant_left, "functions", [told.append])
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[attr-defined]
        hooks.left(participant)
        assert told == []
    assert told == [participant]
