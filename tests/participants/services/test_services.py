"""Trials, protocols and enrolment by their services, and who may see whom."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from participants.models import Membership, Participant, Protocol, Trial, User
from participants.services import EnrolmentError, participant_enrol, protocol_revise, trial_create
from tests.factories import MembershipFactory, ParticipantFactory, SiteFactory, TrialFactory, UserFactory

pytestmark = pytest.mark.django_db
TODAY = dt.date(2026, 11, 23)


def seen(user: User | AnonymousUser) -> set[str]:
    return set(Participant.objects.visible_to(user).values_list("study_id", flat=True))


def test_a_new_trial_has_a_protocol_with_the_default_thresholds() -> None:
    trial = trial_create(code="STRIDE-2", title="Walking", time_zone="Europe/Amsterdam")
    protocol = trial.protocols.get()
    assert (protocol.version, protocol.valid_day_minutes, protocol.adherence_target) == (1, 600, 0.7)


@pytest.mark.parametrize("code", ["", "two words", "a/b", "-x"])
def test_a_trials_code_must_fit_into_an_address(code: str) -> None:
    with pytest.raises(ValidationError):
        trial_create(code=code, title="Walking")


def test_a_participant_lives_in_the_trials_zone_unless_another_is_given() -> None:
    trial = TrialFactory(time_zone="Europe/Amsterdam")
    assert participant_enrol(trial=trial, study_id="A-1").time_zone == "Europe/Amsterdam"
    assert participant_enrol(trial=trial, study_id="A-2", time_zone="Asia/Tokyo").time_zone == "Asia/Tokyo"


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="not an IANA time zone"):
        participant_enrol(trial=TrialFactory(), study_id="A-1", time_zone="Amsterdam")


def test_a_study_id_is_taken_once_in_a_trial() -> None:
    person = ParticipantFactory()
    with pytest.raises(ValidationError, match="taken"):
        participant_enrol(trial=person.trial, study_id=person.study_id)
    assert participant_enrol(trial=TrialFactory(), study_id=person.study_id)


def test_a_site_of_another_trial_is_refused() -> None:
    with pytest.raises(ValidationError, match="another trial"):
        participant_enrol(trial=TrialFactory(), study_id="A-1", site=SiteFactory())


def test_nobody_is_enrolled_into_a_closed_trial() -> None:
    with pytest.raises(EnrolmentError, match="closed"):
        participant_enrol(trial=TrialFactory(status=Trial.Status.CLOSED), study_id="A-1")


def test_a_revised_protocol_gets_the_next_version_and_a_day_to_come() -> None:
    trial = TrialFactory()
    revised = protocol_revise(Protocol(trial=trial, effective_on=TODAY + dt.timedelta(days=1)), today=TODAY)
    assert revised.version == 2
    assert Protocol.objects.filter(trial=trial).in_force(TODAY).values_list("version", flat=True).first() == 1
    with pytest.raises(ValueError, match="tomorrow"):
        protocol_revise(Protocol(trial=trial, effective_on=TODAY), today=TODAY)


def test_a_member_sees_their_trials_participants_and_nobody_else() -> None:
    membership = MembershipFactory()
    mine, _ = ParticipantFactory(trial=membership.trial), ParticipantFactory()
    assert seen(membership.user) == {mine.study_id}


def test_a_member_of_a_site_sees_that_site_only() -> None:
    site = SiteFactory()
    membership = MembershipFactory(trial=site.trial, site=site)
    mine, _ = ParticipantFactory(trial=site.trial, site=site), ParticipantFactory(trial=site.trial)
    assert seen(membership.user) == {mine.study_id}


def test_an_ended_membership_shows_nothing() -> None:
    membership = MembershipFactory(ended_at=timezone.now())
    ParticipantFactory(trial=membership.trial)
    assert seen(membership.user) == set()
    assert not Trial.objects.visible_to(membership.user).exists()


def test_superusers_inactive_and_anonymous_users_see_nobody_by_that() -> None:
    person = ParticipantFactory()
    inactive = MembershipFactory(trial=person.trial, user=UserFactory(is_active=False)).user
    for user in (UserFactory(is_superuser=True, is_staff=True), inactive, AnonymousUser()):
        assert seen(user) == set()


def test_erased_participants_are_seen_by_nobody() -> None:
    membership = MembershipFactory()
    ParticipantFactory(trial=membership.trial, status=Participant.Status.ERASED)
    assert seen(membership.user) == set()


def test_two_memberships_in_one_trial_show_a_participant_once() -> None:
    site = SiteFactory()
    membership = MembershipFactory(trial=site.trial, site=site)
    MembershipFactory(trial=site.trial, user=membership.user)
    ParticipantFactory(trial=site.trial, site=site)
    assert Participant.objects.visible_to(membership.user).count() == 1


def test_a_membership_is_current_once() -> None:
    membership = MembershipFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(user=membership.user, trial=membership.trial, role=Membership.Role.VIEWER)


def test_an_e_mail_address_signs_in_whatever_its_case() -> None:
    user = User.objects.create_user("Manager@Example.org", "a-long-test-password")
    assert User.objects.get_by_natural_key("MANAGER@example.ORG") == user
