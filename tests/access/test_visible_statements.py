"""Statements that are compiled once: whoever asks by them sees whom the querysets show."""

from __future__ import annotations

import itertools

import pytest
from django.utils import timezone

from participants.models import Membership, Participant, Site, Trial, User
from participants.visible_statements import visible_participants, visible_trial
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def trials() -> list[tuple[Trial, Site | None]]:
    """What a membership may be of: two trials, the first with two sites, each with participants, one of them erased."""
    first, second = factories.TrialFactory.create(), factories.TrialFactory.create()
    north, south = (factories.SiteFactory.create(trial=first) for _ in range(2))
    of: list[tuple[Trial, Site | None]] = [(first, None), (first, north), (first, south), (second, None)]
    for trial, site in of:
        factories.ParticipantFactory.create(trial=trial, site=site)
        factories.ParticipantFactory.create(trial=trial, site=site, status=Participant.Status.ERASED)
    return of


def assert_sees_the_same(user: User) -> None:
    for trial in Trial.objects.all():
        people = Participant.objects.visible_to(user).filter(trial=trial)
        assert visible_trial(user, trial.code) == Trial.objects.visible_to(user).filter(pk=trial.pk).first()
        assert visible_participants(user, trial) == list(people.order_by("study_id"))
        for participant in Participant.objects.all():
            names = [participant.study_id.upper(), participant.study_id.lower(), "nobody"]
            seen = sorted(person.pk for person in visible_participants(user, trial, names))
            assert seen == sorted(people.with_study_ids(names).values_list("pk", flat=True))


def test_members_of_whole_trials_and_of_sites_see_the_same(trials: list[tuple[Trial, Site | None]]) -> None:
    for number, pair in enumerate(itertools.combinations([None, *trials], 2)):
        user = factories.UserFactory.create(email=f"member-{number}@example.org")
        for trial, site in (one for one in pair if one):
            Membership.objects.create(user=user, trial=trial, site=site, role="viewer")
        assert_sees_the_same(user)


def test_service_accounts_see_the_same(trials: list[tuple[Trial, Site | None]]) -> None:
    user = factories.UserFactory.create(is_service=True, service_trial=trials[0][0])
    Membership.objects.create(user=user, trial=trials[0][0], role="viewer")
    assert visible_trial(user, trials[0][0].code) == trials[0][0]
    assert visible_trial(user, trials[3][0].code) is None
    assert_sees_the_same(user)


def test_a_token_of_some_trials_sees_those_alone(trials: list[tuple[Trial, Site | None]]) -> None:
    user = factories.UserFactory.create()
    for trial in (trials[0][0], trials[3][0]):
        Membership.objects.create(user=user, trial=trial, role="viewer")
    user.token_trials = frozenset([trials[3][0].pk])
    assert visible_trial(user, trials[0][0].code) is None
    assert visible_trial(user, trials[3][0].code) == trials[3][0]
    assert_sees_the_same(user)


def test_an_ended_membership_and_a_user_who_left_see_nobody(trials: list[tuple[Trial, Site | None]]) -> None:
    trial, _ = trials[0]
    ended = factories.MembershipFactory.create(trial=trial, ended_at=timezone.now()).user
    left = factories.MembershipFactory.create(trial=trial).user
    left.is_active = False
    for user in (ended, left):
        assert visible_trial(user, trial.code) is None
        assert visible_participants(user, trial) == []


def test_of_two_ids_that_differ_in_case_the_one_written_so_is_meant(trials: list[tuple[Trial, Site | None]]) -> None:
    trial, _ = trials[3]
    user = factories.MembershipFactory.create(trial=trial).user
    older, newer = (factories.ParticipantFactory.create(trial=trial, study_id=f"Q-{n}") for n in range(2))
    Participant.objects.filter(pk=older.pk).update(study_id="q-9")
    Participant.objects.filter(pk=newer.pk).update(study_id="Q-9", case_twin=True)
    assert visible_participants(user, trial, ["Q-9"]) == [newer]
    assert visible_participants(user, trial, ["q-9"]) == [older]
    assert_sees_the_same(user)
