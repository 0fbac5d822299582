"""Memberships read with the user of a session: who goes by them sees whom who asks in each statement sees."""

from __future__ import annotations

import itertools

import pytest
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone

from participants.accounts import session_user
from participants.models import Membership, Participant, Site, Trial, User
from tests import factories

pytestmark = pytest.mark.django_db
ROLES = ("manager", "coordinator", "viewer")


def queries(user: User) -> dict[str, QuerySet[Trial] | QuerySet[Participant] | QuerySet[Site]]:
    """Every query of participants.querysets whose answer follows from memberships."""
    trials, people = Trial.objects, Participant.objects
    return {
        "trials seen": trials.visible_to(user),
        "trials led": trials.led_by(user),
        "trials seen whole": trials.visible_whole_to(user),
        "participants seen": people.visible_to(user),
        "participants managed": people.managed_by(user),
        "sites seen": Site.objects.visible_to(user),
    }


def answers(user: User) -> dict[str, set[int]]:
    return {name: set(answer.values_list("pk", flat=True)) for name, answer in queries(user).items()}


def of_session(user: User) -> User:
    """The same user as a request that only reads has them."""
    read = session_user.session_user(user.pk)
    assert read is not None
    session_user.keep(read, "GET")
    assert read.known_memberships is not None
    return read


def two_trials() -> list[tuple[Trial, Site | None]]:
    """What a membership may be of: two trials, the first with two sites, each with participants, one of them erased."""
    first, second = factories.TrialFactory.create(), factories.TrialFactory.create()
    north, south = (factories.SiteFactory.create(trial=first) for _ in range(2))
    of: list[tuple[Trial, Site | None]] = [(first, None), (first, north), (first, south), (second, None)]
    for trial, site in of:
        factories.ParticipantFactory.create(trial=trial, site=site)
        factories.ParticipantFactory.create(trial=trial, site=site, status=Participant.Status.ERASED)
    return of


def test_known_memberships_answer_as_asking_does() -> None:
    of = two_trials()
    held = [None, *itertools.product(range(len(of)), ROLES)]
    for number, pair in enumerate(itertools.combinations(held, 2)):
        user = factories.UserFactory.create(email=f"member-{number}@example.org")
        for place, role in (one for one in pair if one):
            trial, site = of[place]
            Membership.objects.get_or_create(user=user, trial=trial, site=site, defaults={"role": role})
        assert answers(of_session(user)) == answers(user), pair


def test_an_ended_membership_is_not_known() -> None:
    trial, _ = two_trials()[0]
    ended = factories.MembershipFactory.create(trial=trial, role="manager", ended_at=timezone.now())
    assert not any(answers(of_session(ended.user)).values())


def test_a_user_who_was_switched_off_sees_nobody() -> None:
    trial, _ = two_trials()[0]
    user = factories.MembershipFactory.create(trial=trial, role="manager").user
    read = of_session(user)
    read.is_active = False
    assert not any(answers(read).values())


def test_a_request_that_changes_something_asks() -> None:
    user = factories.MembershipFactory.create(role="manager").user
    read = session_user.session_user(user.pk)
    assert read is not None
    session_user.keep(read, "POST")
    assert read.known_memberships is None
    Membership.objects.update(ended_at=timezone.now())
    assert not any(answers(read).values())


def test_what_a_token_may_reach_is_asked() -> None:
    trial, _ = two_trials()[0]
    read = of_session(factories.MembershipFactory.create(trial=trial, role="manager").user)
    read.token_trials = frozenset()
    assert not any(answers(read).values())


def test_the_next_request_knows_a_membership_that_has_ended(client: Client) -> None:
    member = factories.MembershipFactory.create(role="viewer")
    client.force_login(member.user)
    assert client.get(f"/trials/{member.trial.code}/").status_code == 200
    Membership.objects.update(ended_at=timezone.now())
    assert client.get(f"/trials/{member.trial.code}/").status_code == 404


def test_the_users_memberships_are_read_with_the_user(client: Client, django_assert_num_queries: object) -> None:
    """The session, the user, and what the page shows: whom they see is not asked again."""
    client.force_login(factories.UserFactory.create())
    with django_assert_num_queries(3):  # type: ignore[operator]
        assert client.get("/").status_code == 200
