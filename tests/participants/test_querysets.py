"""Who may see whom: every question of participants.querysets, asked by everybody whom one of its rules is about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Permission
from django.utils import timezone

from participants.audit import record
from participants.models import AuditEntry, Membership, Participant, Protocol, Site, Trial, User
from participants.querysets import reads_whole_audit_trail
from tests.factories import (
    MembershipFactory,
    ParticipantFactory,
    ProtocolFactory,
    SiteFactory,
    TrialFactory,
    UserFactory,
)
from tests.programs import brought_into, program

pytestmark = pytest.mark.django_db
ROLE = Membership.Role
HERE, THERE = "here", "there"
ALL = {"at here", "at there", "at none"}


@pytest.fixture
def trial() -> Trial:
    """A trial with a manager, two sites, a participant at each and one at none, and one who was erased; and another."""
    trial: Trial = TrialFactory.create(code="MINE")
    other = TrialFactory.create(code="OTHER")
    for one in (trial, other):
        MembershipFactory.create(trial=one)
    for code in (HERE, THERE):
        site = SiteFactory.create(trial=trial, code=code)
        ParticipantFactory.create(trial=trial, site=site, arm=f"at {code}")
    ParticipantFactory.create(trial=trial, arm="at none")
    ParticipantFactory.create(trial=trial, arm="erased", status=Participant.Status.ERASED)
    ParticipantFactory.create(trial=other, site=SiteFactory.create(trial=other, code="elsewhere"), arm="of another")
    return trial


def member(trial: Trial, role: str, site: str | None = None, **more: Any) -> User:
    at = trial.sites.get(code=site) if site else None
    user: User = MembershipFactory.create(trial=trial, role=role, site=at, **more).user
    return user


def with_token(user: User, trials: frozenset[int] | None = None, *, read_only: bool = False) -> User:
    """As whoever comes with a token of theirs."""
    user.token_trials, user.read_only = trials, read_only
    return user


def gone(trial: Trial) -> User:
    user = member(trial, ROLE.MANAGER)
    user.is_active = False
    user.save()
    return user


def managing_program(trial: Trial) -> User:
    user = program(trial)
    user.memberships.update(role=ROLE.MANAGER)
    return user


def program_of_another(trial: Trial) -> User:
    user = program(Trial.objects.get(code="OTHER"))
    brought_into(user, trial)
    return user


class Unknown(AnonymousUser):
    """Nobody who signed in, whatever else is said of them."""

    is_active = is_staff = True  # type: ignore[assignment]
    is_service = read_only = False
    token_trials = None


def of_another(trial: Trial) -> User:
    return MembershipFactory.create(trial=Trial.objects.get(code="OTHER")).user  # type: ignore[no-any-return]


def answers(user: Any) -> dict[str, Any]:
    """What each question answers to somebody, of what belongs to the trial."""
    trials, mine = Trial.objects.filter(code="MINE"), Participant.objects.filter(trial__code="MINE")
    here, there = (Site.objects.get(code=code) for code in (HERE, THERE))
    return {
        "sees": trials.visible_to(user).exists(),
        "sees all": trials.visible_whole_to(user).exists(),
        "leads": trials.led_by(user).exists(),
        "reads as who leads": trials.led_by(user, reading=True).exists(),
        "enrols": trials.enrolled_by(user).exists(),
        "enrols at": {site.code for site in (here, there) if trials.enrolled_by(user, site).exists()},
        "sites": set(Site.objects.filter(trial__code="MINE").visible_to(user).values_list("code", flat=True)),
        "people": set(mine.visible_to(user).values_list("arm", flat=True)),
        "manages": set(mine.managed_by(user).values_list("arm", flat=True)),
    }


NOTHING: dict[str, Any] = {
    "sees": False, "sees all": False, "leads": False, "reads as who leads": False, "enrols": False,
    "enrols at": set(), "sites": set(), "people": set(), "manages": set(),
}  # fmt: skip
READS = NOTHING | {"sees": True, "sees all": True, "sites": {HERE, THERE}, "people": ALL}
ACTS = READS | {"enrols": True, "enrols at": {HERE, THERE}, "manages": ALL}
LEADS = ACTS | {"leads": True, "reads as who leads": True}
READS_HERE = NOTHING | {"sees": True, "sites": {HERE}, "people": {"at here"}}
ACTS_HERE = READS_HERE | {"enrols at": {HERE}, "manages": {"at here"}}


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (lambda trial: member(trial, ROLE.MANAGER), LEADS),
        (lambda trial: member(trial, ROLE.COORDINATOR), ACTS),
        (lambda trial: member(trial, ROLE.ANALYST), READS),
        (lambda trial: member(trial, ROLE.VIEWER), READS),
        (lambda trial: member(trial, ROLE.MANAGER, HERE), ACTS_HERE),
        (lambda trial: member(trial, ROLE.COORDINATOR, HERE), ACTS_HERE),
        (lambda trial: member(trial, ROLE.VIEWER, HERE), READS_HERE),
        (lambda trial: member(trial, ROLE.MANAGER, ended_at=timezone.now()), NOTHING),
        (gone, NOTHING),
        (of_another, NOTHING),
        (lambda _: UserFactory.create(is_staff=True, is_superuser=True), NOTHING),
        (lambda _: AnonymousUser(), NOTHING),
        (lambda _: Unknown(), NOTHING),
        (program, ACTS),
        (program_of_another, NOTHING),
        (managing_program, ACTS),
        (lambda trial: with_token(member(trial, ROLE.MANAGER), frozenset([trial.pk])), LEADS),
        (lambda trial: with_token(member(trial, ROLE.MANAGER), frozenset([trial.pk + 1])), NOTHING),
        (lambda trial: with_token(member(trial, ROLE.MANAGER), frozenset()), NOTHING),
        (
            lambda trial: with_token(member(trial, ROLE.MANAGER), read_only=True),
            READS | {"reads as who leads": True},
        ),
        (lambda trial: with_token(member(trial, ROLE.COORDINATOR), read_only=True), READS),
    ],
    ids=[
        "manager", "coordinator", "analyst", "viewer", "manager of a site", "coordinator of a site", "viewer of a site",
        "former manager", "account that was closed", "manager of another trial", "superuser", "nobody", "unknown",
        "program", "program of another trial", "program that was made a manager", "token of the trial",
        "token of another trial", "token of no trial", "manager's reading token", "coordinator's reading token",
    ],
)  # fmt: skip
def test_each_sees_and_does_what_is_theirs(trial: Trial, who: Callable[[Trial], Any], expected: dict[str, Any]) -> None:
    assert answers(who(trial)) == expected


def test_a_token_that_may_only_read_leads_nothing_and_reads_what_its_manager_reads(trial: Trial) -> None:
    reading = with_token(member(trial, ROLE.MANAGER), read_only=True)
    assert not Trial.objects.led_by(reading).exists()
    assert list(Trial.objects.led_by(reading, reading=True)) == [trial]


def test_a_second_membership_adds_its_site_and_what_one_may_do_stays_with_its_own(trial: Trial) -> None:
    user = member(trial, ROLE.VIEWER, THERE)
    MembershipFactory.create(user=user, trial=trial, role=ROLE.COORDINATOR, site=trial.sites.get(code=HERE))
    expected = {"sites": {HERE, THERE}, "people": {"at here", "at there"}}
    assert answers(user) == ACTS_HERE | expected


# --- Study ids ---


def test_a_spelling_in_another_trial_does_not_hide_the_one_here(trial: Trial) -> None:
    mine = ParticipantFactory.create(trial=trial, study_id="ZERO-1")
    theirs = ParticipantFactory.create(study_id="zero-1")
    assert set(Participant.objects.with_study_id("zero-1")) == {mine, theirs}
    assert list(Participant.objects.filter(trial=trial).with_study_id("zero-1")) == [mine]


def test_no_id_holds_a_null_character(trial: Trial) -> None:
    ParticipantFactory.create(trial=trial, study_id="ZERO-1")
    found = Participant.objects.spelt_like(["zero-1", "ZERO-1\0"])
    assert [one.study_id for one in found] == ["ZERO-1"]
    assert not Participant.objects.spelt_like(["\0"]).exists()


# --- Protocols ---


def test_protocols_are_in_force_from_their_day_on_newest_first() -> None:
    day = dt.date(2026, 5, 4)
    trial = TrialFactory.create(protocol=None)
    for version, effective_on in ((1, day), (3, day), (2, day), (4, day - dt.timedelta(days=1))):
        ProtocolFactory.create(trial=trial, version=version, effective_on=effective_on)

    def versions(on: dt.date) -> list[int]:
        return [one.version for one in Protocol.objects.in_force(on)]

    assert versions(day - dt.timedelta(days=2)) == []
    assert versions(day - dt.timedelta(days=1)) == [4]
    assert versions(day) == [3, 2, 1, 4]


# --- The audit trail ---


@pytest.fixture
def entries(trial: Trial) -> None:
    """An entry of each trial and one of none."""
    record("test.act", trial=trial, thing="mine")
    record("test.act", trial=Trial.objects.get(code="OTHER"), thing="other")
    record("test.act", thing="none")


def staff(**more: Any) -> User:
    user: User = UserFactory.create(is_staff=True, **more)
    user.user_permissions.add(Permission.objects.get(codename="view_auditentry"))
    return user


def leading(trial: Trial, user: User) -> User:
    MembershipFactory.create(trial=trial, user=user)
    return user


def without_staff(trial: Trial) -> User:
    user = staff()
    user.is_staff = False
    user.save()
    return leading(trial, user)


def staff_program(trial: Trial) -> User:
    user = program(trial)
    user.is_staff = True
    user.save()
    user.user_permissions.add(Permission.objects.get(codename="view_auditentry"))
    return user


@pytest.mark.parametrize(
    ("who", "expected", "whole"),
    [
        (lambda _: staff(), {"mine", "other", "none"}, True),
        (lambda trial: with_token(staff(), frozenset([trial.pk])), {"mine"}, True),
        (lambda _: with_token(staff(), frozenset()), set(), True),
        (lambda trial: leading(trial, UserFactory.create(is_staff=True)), {"mine"}, False),
        (without_staff, {"mine"}, False),
        (lambda trial: member(trial, ROLE.MANAGER), {"mine"}, False),
        (lambda trial: with_token(member(trial, ROLE.MANAGER), read_only=True), {"mine"}, False),
        (lambda trial: member(trial, ROLE.MANAGER, HERE), set(), False),
        (lambda trial: member(trial, ROLE.COORDINATOR), set(), False),
        (staff_program, set(), False),
        (gone, set(), False),
        (lambda _: staff(is_active=False), set(), False),
        (lambda _: UserFactory.create(is_staff=True, is_superuser=True, is_active=False), set(), False),
        (lambda _: AnonymousUser(), set(), False),
        (lambda _: Unknown(), set(), False),
    ],
    ids=[
        "staff", "staff's token of one trial", "staff's token of no trial", "staff without the permission",
        "the permission without being staff", "manager", "manager's reading token", "manager of a site",
        "coordinator", "program that was made staff", "closed account", "closed account of staff",
        "closed account of a superuser", "nobody", "unknown",
    ],
)  # fmt: skip
@pytest.mark.usefixtures("entries")
def test_entries_are_read_by_who_leads_their_trial_and_by_staff_who_may(
    trial: Trial, who: Callable[[Trial], Any], expected: set[str], whole: bool
) -> None:
    user = who(trial)
    found = AuditEntry.objects.filter(action="test.act").visible_to(user)
    assert set(found.values_list("thing", flat=True)) == expected
    assert bool(reads_whole_audit_trail(user)) == whole


# --- Accounts ---


def test_an_account_is_made_with_what_was_said_and_recorded() -> None:
    user = User.objects.create_user(" Ada@Example.ORG", "a-long-test-password", first_name="Ada")
    assert (user.email, user.first_name, user.is_staff, user.is_superuser) == ("ada@example.org", "Ada", False, False)
    assert user.check_password("a-long-test-password")
    entry = AuditEntry.objects.get(action="user.create")
    assert (entry.thing, entry.detail.new) == (
        f"user:{user.pk}",
        {"email": "ada@example.org", "is_staff": False, "is_superuser": False},
    )


def test_a_superuser_is_staff_too_unless_said_otherwise() -> None:
    made = User.objects.create_superuser("root@example.org", "a-long-test-password")
    assert (made.is_staff, made.is_superuser) == (True, True)
    made = User.objects.create_superuser("other@example.org", None, is_staff=False)
    assert (made.is_staff, made.is_superuser, made.has_usable_password()) == (False, True, False)


def test_an_account_without_an_address_is_refused() -> None:
    with pytest.raises(ValueError, match="needs an e-mail address"):
        User.objects.create_user("")
    assert not User.objects.exists()


def test_an_account_is_found_however_its_address_is_written() -> None:
    user = UserFactory.create(email="ada@example.org")
    UserFactory.create(email="bob@example.org")
    assert list(User.objects.by_address(" ADA@example.org")) == [user]
    assert User.objects.get_by_natural_key(" ADA@example.org") == user
    with pytest.raises(User.DoesNotExist):
        User.objects.get_by_natural_key(None)


def test_people_may_join_and_of_programs_those_of_the_trial(trial: Trial) -> None:
    other, people = Trial.objects.get(code="OTHER"), set(User.objects.all())
    mine, theirs = program(trial), program(other)
    UserFactory.create(is_active=False)
    assert set(User.objects.may_join(trial)) == {*people, mine}
    assert set(User.objects.may_join(other)) == {*people, theirs}
    User.objects.filter(pk=mine.pk).update(is_active=False)
    assert set(User.objects.may_join(trial)) == people
