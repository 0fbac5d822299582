"""Inviting colleagues into a trial: who may, what the link does, and when it does nothing any more."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse

from config.celery import app
from participants import tasks
from participants.accounts import services as accounts_services
from participants.models import AuditEntry, ColleagueInvitation, Membership, Trial, User
from tests import broker, factories
from tests.participants.accounts.conftest import person, sign_in, text

NEW = "four-unlike-words-here"


@pytest.fixture
def invite(client: Client, manager: User, settings: Any) -> Any:
    """The manager asks somebody in; returns the path of the link that was sent."""
    settings.SECOND_FACTOR = "optional"
    client.force_login(manager)

    def ask(email: str = "new@example.org", role: str = "coordinator", site: Any = "") -> str:
        asked = {"email": email, "role": role, "site": site}
        answer = client.post(reverse("dashboards:team", args=["STRIDE-2"]), asked)
        assert answer.status_code == 303, text(answer)
        settings.SECOND_FACTOR = "required"
        found = re.search(r"https://trials.example.org(/account/join/\S+)", str(mail.outbox[-1].body))
        assert found
        return found[1]

    return ask


FORM = {"first_name": "Ada", "last_name": "New", "password1": NEW, "password2": NEW}


def test_a_colleague_makes_an_account_and_is_led_to_a_second_factor(invite: Any, trial: Trial) -> None:
    guest, address = Client(), invite()
    assert "STRIDE-2" in text(guest.get(address))
    guest.post(address, FORM)
    user = User.objects.get(email="new@example.org")
    assert user.memberships.get().role == "coordinator"
    assert guest.get("/").headers["Location"] == "/account/second-factor/"


def test_the_site_of_the_invitation_limits_the_membership(invite: Any, trial: Trial) -> None:
    site = factories.SiteFactory.create(trial=trial)
    Client().post(invite(site=site.pk), FORM)
    assert Membership.objects.get(user__email="new@example.org").site == site


def test_looking_at_the_link_accepts_nothing(invite: Any) -> None:
    Client().get(invite())
    assert not User.objects.filter(email="new@example.org").exists()


def test_the_link_works_once(invite: Any) -> None:
    address = invite()
    Client().post(address, FORM)
    assert Client().get(address).status_code == 410


def test_the_link_expires(invite: Any) -> None:
    address = invite()
    with time_machine.travel("2099-01-01T00:00Z"):
        assert Client().get(address).status_code == 410


def test_a_revoked_link_does_nothing(invite: Any, client: Client, settings: Any) -> None:
    address = invite()
    settings.SECOND_FACTOR = "optional"
    pk = ColleagueInvitation.objects.get().pk
    client.post(reverse("dashboards:team-revoke", args=["STRIDE-2", pk]))
    assert Client().post(address, FORM).status_code == 410


def test_a_second_invitation_replaces_the_first(invite: Any, settings: Any) -> None:
    first = invite()
    settings.SECOND_FACTOR = "optional"
    second = invite()
    assert Client().get(first).status_code == 410
    assert Client().get(second).status_code == 200


def test_an_invitation_by_a_member_who_left_is_void(invite: Any) -> None:
    address = invite()
    Membership.objects.update(ended_at="2026-01-01T00:00Z")
    assert Client().get(address).status_code == 410


def test_who_has_an_account_signs_in_and_accepts(invite: Any, trial: Trial) -> None:
    person("known@example.org")
    address, guest = invite("known@example.org", "viewer"), Client()
    assert "You have an account" in text(guest.get(address))
    assert guest.post(address, FORM).status_code == 200  # makes no second account
    sign_in(guest, "known@example.org")
    guest.post(address)
    assert Membership.objects.get(user__email="known@example.org").role == "viewer"


def test_the_link_is_for_the_invited_address_alone(invite: Any) -> None:
    person("other@example.org")
    address, guest = invite(), Client()
    sign_in(guest, "other@example.org")
    assert guest.post(address).status_code == 410
    assert not Membership.objects.filter(user__email="other@example.org").exists()


def test_only_managers_of_all_sites_invite(trial: Trial) -> None:
    site = factories.SiteFactory.create(trial=trial)
    of_site = factories.MembershipFactory.create(trial=trial, site=site).user
    coordinator = factories.MembershipFactory.create(trial=trial, role="coordinator").user
    manager = factories.MembershipFactory.create(trial=trial).user
    assert [accounts_services.led_by(user).exists() for user in (of_site, coordinator, manager)] == [False, False, True]


def test_the_code_is_not_in_the_database(invite: Any) -> None:
    code = invite().split("/")[3]
    assert code not in str(list(ColleagueInvitation.objects.values()))


def test_inviting_accepting_and_revoking_are_in_the_audit_trail(invite: Any, client: Client, settings: Any) -> None:
    Client().post(invite(), FORM)
    settings.SECOND_FACTOR = "optional"
    invite("again@example.org")
    settings.SECOND_FACTOR = "optional"
    pk = ColleagueInvitation.objects.get(email="again@example.org").pk
    client.post(reverse("dashboards:team-revoke", args=["STRIDE-2", pk]))
    actions = list(
        AuditEntry.objects.filter(action__startswith="colleague.").order_by("pk").values_list("action", flat=True)
    )
    assert actions == ["colleague.invite", "colleague.join", "colleague.invite", "colleague.revoke"]


def test_a_member_is_not_invited_again(invite: Any, client: Client, manager: User) -> None:
    asked = {"email": manager.email, "role": "viewer", "site": ""}
    answer = client.post(reverse("dashboards:team", args=["STRIDE-2"]), asked)
    assert "a member there already" in text(answer)


def test_guessing_links_is_limited(client: Client) -> None:
    answers = [client.get(f"/account/join/guess{number}/").status_code for number in range(31)]
    assert answers == [410] * 30 + [429]


# --- what never went out --------------------------------------------------------------------------------------------


@pytest.fixture
def lost(trial: Trial, manager: User) -> ColleagueInvitation:
    """An invitation whose task died before it sent anything."""
    with broker.tasks_run_at_once(False):
        made = accounts_services.colleague_invite(
            trial=trial, email="new@example.org", role="viewer", site=None, by=manager
        )
    assert not mail.outbox
    return made


def minutes_after(invitation: ColleagueInvitation, minutes: float) -> dt.datetime:
    return invitation.created_at + dt.timedelta(minutes=minutes)


def test_an_invitation_whose_task_died_is_sent_by_the_next_sweep(lost: ColleagueInvitation) -> None:
    assert accounts_services.invitations_due(minutes_after(lost, 1.9)) == []
    with time_machine.travel(minutes_after(lost, 2.1), tick=False):
        tasks.resume_invitations()
        tasks.resume_invitations()
    assert [one.to for one in mail.outbox] == [["new@example.org"]]
    lost.refresh_from_db()
    assert lost.sent_at is not None
    assert accounts_services.invitations_due(minutes_after(lost, 60)) == []


def test_a_mail_server_that_is_away_is_tried_each_ten_minutes_for_hours_and_then_no_more(
    lost: ColleagueInvitation, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # where nothing listens
    tried = 0
    for minute in range(0, 24 * 60, 5):
        with time_machine.travel(minutes_after(lost, minute + 2.5), tick=False):
            for pk in accounts_services.invitations_due(minutes_after(lost, minute + 2.5)):
                tried += 1
                with pytest.raises(OSError, match="refused"):
                    accounts_services.invitation_send(pk)
    lost.refresh_from_db()
    assert (tried, lost.attempts, lost.sent_at, lost.code_hash) == (accounts_services.MOST_ATTEMPTS,) * 2 + (None, "")


@pytest.mark.parametrize("ended", ["accepted_at", "revoked_at", "expires_at"])
def test_what_is_over_is_not_sent_any_more(lost: ColleagueInvitation, ended: str) -> None:
    ColleagueInvitation.objects.update(**{ended: lost.created_at + dt.timedelta(minutes=3)})
    assert accounts_services.invitations_due(minutes_after(lost, 5)) == []


def test_a_manager_sends_an_invitation_again_and_the_link_before_is_void(
    invite: Any, client: Client, settings: Any
) -> None:
    first = invite()
    settings.SECOND_FACTOR = "optional"
    pk = ColleagueInvitation.objects.get().pk
    answer = client.post(reverse("dashboards:team-again", args=["STRIDE-2", pk]), follow=True)
    assert "A new link goes to new@example.org" in text(answer)
    second = re.search(r"(/account/join/\S+)", str(mail.outbox[-1].body))
    assert second
    assert Client().get(first).status_code == 410
    assert Client().get(second[1]).status_code == 200
    assert AuditEntry.objects.filter(action="colleague.invite_again").count() == 1


def test_the_team_page_says_that_an_invitation_was_not_sent(
    client: Client, manager: User, lost: Any, settings: Any
) -> None:
    settings.SECOND_FACTOR = "optional"
    client.force_login(manager)
    page = reverse("dashboards:team", args=["STRIDE-2"])
    assert "on its way" in text(client.get(page))
    ColleagueInvitation.objects.update(attempts=3)
    assert "not sent yet, tried 3 times" in text(client.get(page))


def test_the_schedule_sends_lost_invitations() -> None:
    assert app.conf.beat_schedule["resume-invitations"]["task"] == tasks.resume_invitations.name
