"""Who gives staff their rights: nobody gives what they do not hold; and each change of rights leaves an entry."""

from __future__ import annotations

import getpass
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from participants.accounts.staff_groups import staff_groups_make
from participants.models import AuditEntry, User
from tests import factories

pytestmark = pytest.mark.django_db
SUPERUSER, ACCOUNTS = "superuser", "staff who change accounts"


def permission(codename: str) -> Permission:
    return Permission.objects.get(codename=codename)


def staff(*codenames: str, **more: Any) -> User:
    user: User = factories.UserFactory.create(is_staff=True, **more)
    user.user_permissions.set([permission(codename) for codename in codenames])
    return user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def editor() -> Client:
    """Staff who may change accounts and groups, and view trials."""
    return signed_in(staff("view_user", "change_user", "add_group", "change_group", "view_trial"))


@pytest.fixture
def root() -> Client:
    return signed_in(factories.UserFactory.create(is_staff=True, is_superuser=True))


def page(user: User) -> str:
    return reverse("admin:participants_user_change", args=[user.pk])


def save(client: Client, user: User, **more: Any) -> Any:
    """Save somebody's page as it is, but for what is told."""
    given = {
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "groups": [group.pk for group in user.groups.all()],
        "user_permissions": [one.pk for one in user.user_permissions.all()],
        **{name: "on" for name in ("is_active", "is_staff", "is_superuser") if getattr(user, name)},
    }
    return client.post(page(user), {**given, **more})


# --- Nobody gives what they do not hold ---


def test_staff_who_change_accounts_make_no_superuser(editor: Client) -> None:
    somebody = staff()
    assert save(editor, somebody, is_superuser="on", first_name="Ada").status_code == 302
    somebody.refresh_from_db()
    assert (somebody.is_superuser, somebody.first_name) == (False, "Ada")


def test_nor_themselves() -> None:
    me = staff("view_user", "change_user")
    client = signed_in(me)
    save(client, me, is_superuser="on")
    answer = save(client, me, user_permissions=[permission("change_contact").pk])
    assert "cannot give permissions" in answer.content.decode()
    me.refresh_from_db()
    assert (me.is_superuser, me.has_perm("participants.change_contact")) == (False, False)


def test_a_superuser_makes_one(root: Client) -> None:
    somebody = staff()
    save(root, somebody, is_superuser="on")
    somebody.refresh_from_db()
    assert somebody.is_superuser


@pytest.mark.parametrize("view", ["change", "password"])
def test_staff_do_not_edit_a_superuser_or_set_their_password(editor: Client, view: str) -> None:
    boss = factories.UserFactory.create(is_staff=True, is_superuser=True, email="boss@example.org")
    address = page(boss) if view == "change" else reverse("admin:auth_user_password_change", args=[boss.pk])
    before = boss.password
    said = {"email": "mine@example.org", "password1": "another-long-password", "password2": "another-long-password"}
    assert editor.post(address, said | {"usable_password": "true"}).status_code == 403
    boss.refresh_from_db()
    assert (boss.email, boss.password) == ("boss@example.org", before)


def test_nor_a_user_with_more_rights_than_they_have(editor: Client) -> None:
    equal, above = staff("view_trial"), staff("change_contact")
    assert save(editor, equal, first_name="Ada").status_code == 302
    assert save(editor, above, first_name="Ada").status_code == 403


def test_rights_that_one_holds_can_be_given(editor: Client) -> None:
    somebody = staff()
    assert save(editor, somebody, user_permissions=[permission("view_trial").pk]).status_code == 302
    assert User.objects.get(pk=somebody.pk).has_perm("participants.view_trial")


def test_a_group_with_more_rights_is_not_given(editor: Client) -> None:
    staff_groups_make()
    somebody = staff()
    group = Group.objects.get(name="Trial administrators")
    assert "cannot give permissions" in save(editor, somebody, groups=[group.pk]).content.decode()
    assert not somebody.groups.exists()


@pytest.mark.parametrize("new", [True, False])
def test_a_group_gets_no_rights_that_its_editor_does_not_hold(editor: Client, new: bool) -> None:
    group = None if new else Group.objects.create(name="Desk")
    address = reverse("admin:auth_group_add") if new else reverse("admin:auth_group_change", args=[group.pk])  # type: ignore[union-attr]
    wanted = [permission("view_trial").pk, permission("change_contact").pk]
    assert "cannot give permissions" in editor.post(address, {"name": "Desk", "permissions": wanted}).content.decode()
    assert editor.post(address, {"name": "Desk", "permissions": wanted[:1]}).status_code == 302
    assert [one.codename for one in Group.objects.get(name="Desk").permissions.all()] == ["view_trial"]


def test_rights_that_were_there_stay_when_something_else_is_saved(editor: Client) -> None:
    group = Group.objects.create(name="Desk")
    group.permissions.set([permission("change_contact")])
    said = {"name": "Front desk", "permissions": [permission("change_contact").pk]}
    assert editor.post(reverse("admin:auth_group_change", args=[group.pk]), said).status_code == 302
    assert Group.objects.get().permissions.count() == 1


# --- Each change leaves an entry ---


def told(action: str) -> Any:
    return AuditEntry.objects.filter(action=action).order_by("pk").last()


@pytest.mark.parametrize("flag", ["is_staff", "is_superuser", "is_active"])
def test_a_flag_is_recorded(root: Client, flag: str) -> None:
    somebody = factories.UserFactory.create()
    before = getattr(somebody, flag)
    save(root, somebody, **{flag: "" if before else "on"})
    entry = told("user.change")
    assert (entry.thing, entry.detail.old, entry.detail.new) == (
        f"user:{somebody.pk}",
        {flag: before},
        {flag: not before},
    )


def test_groups_and_permissions_of_a_user_are_recorded(root: Client) -> None:
    somebody, group = staff("view_trial"), Group.objects.create(name="Desk")
    save(root, somebody, groups=[group.pk], user_permissions=[permission("view_site").pk])
    new, old = told("user.change").detail.new, told("user.change").detail.old
    assert (old["groups"], new["groups"]) == ([], ["Desk"])
    assert "trial" in str(old["user_permissions"])
    assert "site" in str(new["user_permissions"])


def test_a_groups_permissions_and_its_end_are_recorded(root: Client) -> None:
    root.post(reverse("admin:auth_group_add"), {"name": "Desk", "permissions": [permission("view_trial").pk]})
    assert "trial" in str(told("group.add").detail.new["permissions"])
    group = Group.objects.get()
    address = reverse("admin:auth_group_change", args=[group.pk])
    root.post(address, {"name": "Desk", "permissions": [permission("change_contact").pk]})
    entry = told("group.change")
    assert ("trial" in str(entry.detail.old), "contact" in str(entry.detail.new)) == (True, True)
    root.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"})
    assert told("group.delete").thing == f"group:{group.pk}"


def test_the_groups_of_staff_are_recorded_when_they_are_made_or_changed_back() -> None:
    staff_groups_make()
    assert AuditEntry.objects.filter(action="group.change").count() == 2
    staff_groups_make()
    assert AuditEntry.objects.filter(action="group.change").count() == 2
    Group.objects.get(name="Enrolment staff").permissions.add(permission("change_user"))
    call_command("staff_groups")
    assert "participants.change_user" in told("group.change").detail.old["permissions"]


def test_a_person_who_changes_their_own_name_is_recorded(client: Client) -> None:
    me = factories.UserFactory.create(first_name="Ada")
    client.force_login(me)
    client.post(reverse("dashboards:account"), {"first_name": "Ada", "last_name": "Lovelace"})
    entry = told("account.rename")
    assert (entry.actor, entry.detail.old, entry.detail.new) == (me, {"last_name": ""}, {"last_name": "Lovelace"})
    client.post(reverse("dashboards:account"), {"first_name": "Ada", "last_name": "Lovelace"})
    assert AuditEntry.objects.filter(action="account.rename").count() == 1


def test_an_account_made_on_the_command_line_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a-long-test-password")
    call_command("createsuperuser", "--no-input", "--email", "root@example.org")
    entry = told("user.create")
    assert (entry.via, entry.detail.new) == (
        "command",
        {"email": "root@example.org", "is_staff": True, "is_superuser": True},
    )


def test_a_password_set_on_the_command_line_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    user = factories.UserFactory.create()
    monkeypatch.setattr(getpass, "getpass", lambda prompt="": "another-long-password")
    call_command("changepassword", user.email)
    assert told("user.set_password").thing == f"user:{user.pk}"
