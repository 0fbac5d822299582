"""Every page of the administration: who gets in, what it never shows, and that lists stay quick."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from ingestion.models import Connection
from participants.accounts.staff_groups import GROUPS
from participants.models import ApiToken, Contact, Participant, Trial
from tests import factories
from tests.participants.admin.conftest import ENCRYPTED

APPS = ("participants", "ingestion", "dashboards", "metrics")
MODELS = sorted(
    (m for m in admin.site._registry if m._meta.app_label in APPS), key=lambda m: (m._meta.app_label, m.__name__)
)
LABELS = [model._meta.label_lower for model in MODELS]


def address(label: str, page: str, *args: Any) -> str:
    return reverse(f"admin:{label.replace('.', '_')}_{page}", args=args)


def pages(label: str) -> list[str]:
    """The list, a search in it and each row's page."""
    [model] = [m for m in MODELS if m._meta.label_lower == label]
    rows = [address(label, "change", row.pk) for row in model._default_manager.all()[:3]]
    return [address(label, "changelist"), address(label, "changelist") + "?q=x", *rows]


@pytest.mark.parametrize("label", LABELS)
def test_a_superuser_opens_every_page(superuser: Client, everything: Participant, label: str) -> None:
    found = {page: superuser.get(page).status_code for page in pages(label)}
    assert set(found.values()) == {200}, found
    assert superuser.get(address(label, "add")).status_code in (200, 403)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("group", sorted(GROUPS))
def test_a_group_opens_what_is_its_own_and_nothing_else(
    enroller: Client, administrator: Client, everything: Participant, group: str, label: str
) -> None:
    client = enroller if group == "Enrolment staff" else administrator
    verbs = GROUPS[group].get(label, ())
    expected = 200 if verbs else 403
    assert {client.get(page).status_code for page in pages(label)} == {expected}
    if "add" not in verbs:
        assert client.get(address(label, "add")).status_code == 403


@pytest.mark.parametrize("label", LABELS)
def test_others_are_sent_away(client: Client, everything: Participant, label: str) -> None:
    for user in (None, factories.MembershipFactory.create(trial=everything.trial).user):
        if user:
            client.force_login(user)
        assert {client.get(page).status_code for page in pages(label)} == {302}


def test_no_page_shows_encrypted_text_a_token_or_what_makes_a_link(superuser: Client, everything: Participant) -> None:
    contact = Contact.objects.get()
    digest = ApiToken.objects.get().digest
    secrets = (
        ENCRYPTED,
        contact.encrypted_name,
        contact.encrypted_email,
        digest,
        "nonce-of-a-link",
        "body-of-a-notice",
    )
    for label in LABELS:
        for page in pages(label):
            html = superuser.get(page).content.decode()
            assert not [secret for secret in secrets if secret in html], page


def test_contact_data_stand_on_one_page_for_those_who_may_alone(
    superuser: Client, administrator: Client, everything: Participant
) -> None:
    for label in LABELS:
        html = superuser.get(address(label, "changelist")).content.decode()
        assert "jo@example.org" not in html, label
    assert (
        "jo@example.org" in administrator.get(address("participants.contact", "change", everything.pk)).content.decode()
    )


def test_staff_without_a_group_see_nothing_but_the_first_page(client: Client, everything: Participant) -> None:
    client.force_login(factories.UserFactory.create(is_staff=True))
    html = client.get(reverse("admin:index")).content.decode()
    assert "no group was given" in html
    assert client.get(address("participants.participant", "changelist")).status_code == 403


def test_the_first_page_counts_what_needs_staff(administrator: Client, everything: Participant) -> None:
    Participant.objects.filter(pk=everything.pk).update(status="invited")
    Connection.objects.update(status="reconnect")
    html = administrator.get(reverse("admin:index")).content.decode()
    for what in ("data requests that failed", "invitations unused", "participants not connected", "connections lost"):
        assert f'<b>1</b><span class="wt-desk-what">{what}</span>' in html


@pytest.mark.parametrize("label", ["participants.participant", "ingestion.connection", "ingestion.invitation"])
def test_a_list_asks_as_much_for_many_as_for_few(
    superuser: Client, trial: Trial, label: str, django_assert_max_num_queries: Any
) -> None:
    people = factories.ParticipantFactory.create_batch(60, trial=trial, site=trial.sites.get())
    for person in people:
        Connection.objects.create(participant=person, trial=trial, provider="fake", external_user_id=person.study_id)
        person.invitations.create(expires_at=person.enrolled_at)
    superuser.get(address(label, "changelist"))
    with django_assert_max_num_queries(16):
        assert superuser.get(address(label, "changelist")).status_code == 200


def test_nothing_with_a_history_is_deleted(superuser: Client, everything: Participant) -> None:
    kept = ["participants.participant", "participants.trial", "participants.protocol", "participants.membership"]
    for label in [*kept, "participants.auditentry", "ingestion.connection", "participants.user"]:
        [model] = [m for m in MODELS if m._meta.label_lower == label]
        row = model._default_manager.order_by("pk")[0]
        assert superuser.post(address(label, "delete", row.pk), {"post": "yes"}).status_code == 403, label
    site = everything.trial.sites.get()
    assert superuser.get(address("participants.site", "delete", site.pk)).status_code == 200
    Participant.objects.update(site=site)
    assert superuser.get(address("participants.site", "delete", site.pk)).status_code == 403


def test_the_schedule_is_for_who_runs_connections(administrator: Client, enroller: Client) -> None:
    page = administrator.get(reverse("admin:ingestion_schedule")).content.decode()
    assert "ingestion.tick" in page
    assert "every 1 min" in page
    assert enroller.get(reverse("admin:ingestion_schedule")).status_code == 403
