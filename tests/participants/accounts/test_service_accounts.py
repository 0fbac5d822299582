"""Making, listing and ending a trial's programs. Whom they reach: tests/api/test_service_accounts.py."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from participants.accounts.service_accounts import (
    ROLES,
    service_account_create,
    service_account_end,
    service_accounts,
)
from participants.models import AuditEntry, Membership, Trial, User
from participants.services import membership_grant
from tests.factories import MembershipFactory, TrialFactory, UserFactory
from tests.programs import brought_into

pytestmark = pytest.mark.django_db
ROLE = Membership.Role


@pytest.fixture
def trial() -> Trial:
    trial: Trial = TrialFactory.create(code="STRIDE-2")
    return trial


def test_a_program_has_any_role_but_a_managers() -> None:
    assert [role for role, _ in ROLES] == ["coordinator", "analyst", "viewer"]


@pytest.mark.parametrize("role", ["coordinator", "analyst", "viewer"])
def test_a_program_is_made_as_a_member_of_all_of_its_trial(trial: Trial, role: str) -> None:
    made = service_account_create(trial=trial, name="Nightly analysis, v2!", role=role)
    assert (made.trial, made.role, made.site, made.ended_at) == (trial, role, None, None)
    user = User.objects.get()
    assert made.user == user
    assert (user.email, user.first_name) == ("nightly-analysis-v2.stride-2@service.invalid", "Nightly analysis, v2!")
    assert (user.is_service, user.service_trial, user.is_active, user.is_staff) == (True, trial, True, False)
    assert not user.has_usable_password()
    assert made.user.service_trial == trial


def test_a_program_that_is_made_is_recorded_with_its_trial(trial: Trial) -> None:
    made = service_account_create(trial=trial, name="cron", role=ROLE.VIEWER)
    entry = AuditEntry.objects.get(action="service_account.create")
    assert (entry.trial, entry.thing) == (trial, f"user:{made.user.pk}")
    assert entry.detail.new == {"name": "cron", "role": "viewer"}


@pytest.mark.parametrize("role", ["manager", "", "owner"])
def test_another_role_is_refused(trial: Trial, role: str) -> None:
    with pytest.raises(ValidationError) as refused:
        service_account_create(trial=trial, name="cron", role=role)
    assert refused.value.message_dict == {"role": ["A program is coordinator, analyst or viewer."]}
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["x", "x" * 80, "9", "-a-"])
def test_a_name_of_1_to_80_characters_is_taken(trial: Trial, name: str) -> None:
    slug = name.strip("-")
    assert service_account_create(trial=trial, name=name, role=ROLE.VIEWER).user.email.startswith(f"{slug}.stride-2@")


@pytest.mark.parametrize("name", ["", " ", "-!-", "é", "x" * 81])
def test_another_name_is_refused(trial: Trial, name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        service_account_create(trial=trial, name=name, role=ROLE.VIEWER)
    said = ["Give it a name of 1 to 80 characters, e.g. nightly analysis."]
    assert refused.value.message_dict == {"name": said}
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["Nightly", "nightly", "nightly!"])
def test_a_name_is_given_once_in_a_trial_even_after_its_end(trial: Trial, name: str) -> None:
    service_account_end(service_account_create(trial=trial, name="Nightly", role=ROLE.VIEWER))
    with pytest.raises(ValidationError) as refused:
        service_account_create(trial=trial, name=name, role=ROLE.VIEWER)
    said = ["There is, or was, a service account of this name in the trial."]
    assert refused.value.message_dict == {"name": said}
    assert service_account_create(trial=TrialFactory.create(), name=name, role=ROLE.VIEWER).pk


def test_a_name_too_long_for_an_address_is_refused_and_nothing_is_left(trial: Trial) -> None:
    trial.code = "T" * 300
    with pytest.raises(ValidationError) as refused:
        service_account_create(trial=trial, name="cron", role=ROLE.VIEWER)
    assert list(refused.value.message_dict) == ["email"]
    assert not User.objects.exists()


def test_a_trials_programs_are_listed_by_name_then_as_they_were_made(trial: Trial) -> None:
    made = [service_account_create(trial=trial, name=name, role=ROLE.VIEWER) for name in ("b", "c", "a")]
    User.objects.filter(pk=made[1].user_id).update(first_name="b")
    User.objects.filter(pk=made[0].user_id).update(email="z@service.invalid")
    assert list(service_accounts(trial)) == [made[2], made[0], made[1]]


def test_who_is_no_program_of_the_trial_is_not_listed(trial: Trial) -> None:
    MembershipFactory.create(trial=trial)
    service_account_create(trial=TrialFactory.create(), name="theirs", role=ROLE.VIEWER)
    ended = service_account_create(trial=trial, name="ended", role=ROLE.VIEWER)
    Membership.objects.filter(pk=ended.pk).update(ended_at=timezone.now())
    person = UserFactory.create()  # with the trial of a program, as no program's account has
    User.objects.filter(pk=person.pk).update(service_trial=trial)
    MembershipFactory.create(trial=trial, user=person)
    assert not service_accounts(trial).exists()


def test_a_program_that_was_brought_into_another_trial_is_listed_and_ended_in_its_own_alone(trial: Trial) -> None:
    mine, other = service_account_create(trial=trial, name="mine", role=ROLE.VIEWER), TrialFactory.create()
    crossed = brought_into(mine.user, other)
    assert list(service_accounts(trial)) == [mine]
    assert not service_accounts(other).exists()
    service_account_end(mine)
    assert list(Membership.objects.filter(ended_at=None)) == [crossed]


def test_the_account_comes_with_each_of_the_list(trial: Trial, django_assert_num_queries: object) -> None:
    service_account_create(trial=trial, name="cron", role=ROLE.VIEWER)
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert [one.user.first_name for one in service_accounts(trial)] == ["cron"]


def test_its_end_ends_all_of_its_memberships_and_no_one_elses(trial: Trial) -> None:
    mine = service_account_create(trial=trial, name="mine", role=ROLE.VIEWER)
    site = trial.sites.create(code="here", name="Here")
    membership_grant(user=mine.user, trial=trial, role=ROLE.VIEWER, site=site)
    kept = service_account_create(trial=trial, name="kept", role=ROLE.VIEWER)
    person = MembershipFactory.create(trial=trial)
    service_account_end(mine)
    assert set(Membership.objects.filter(ended_at=None)) == {kept, person}
    assert list(User.objects.filter(is_active=False)) == [mine.user]
    ends = AuditEntry.objects.filter(action="membership.end")
    assert [entry.detail.reason for entry in ends] == ["service account ended"] * 2


def test_what_has_ended_keeps_its_end(trial: Trial) -> None:
    made = service_account_create(trial=trial, name="cron", role=ROLE.VIEWER)
    service_account_end(made)
    before = Membership.objects.get().ended_at
    service_account_end(made)
    assert Membership.objects.get().ended_at == before
    assert AuditEntry.objects.filter(action="membership.end").count() == 1
