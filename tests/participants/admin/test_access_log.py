"""Staff's reads count: what the administration shows of a participant leaves an entry, opened contact data one more."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from participants.models import AuditEntry, Contact, Participant, User
from participants.privacy import contacts
from tests import factories
from tests.participants.admin.test_pages import MODELS
from tests.paths import ROOT

pytestmark = pytest.mark.django_db
# Shown in the administration, with a row of AX-0042.
KINDS = "participant contact pause connection connectionevent device invitation syncwindow alert"
OF_SOMEBODY = [model for model in MODELS if model._meta.model_name in KINDS.split()]
SECRETS = ("Jo Example", "jo@example.org", "020 555 0123")


@pytest.fixture
def person(everything: Participant) -> Participant:
    return everything


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:{name}", args=args)


def said(person: Participant) -> list[str]:
    return list(
        AuditEntry.objects.filter(participant=person, via="admin").order_by("pk").values_list("action", flat=True)
    )


def only(verb: str) -> Client:
    """Staff with one permission on contacts."""
    user: User = factories.UserFactory.create(is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename=f"{verb}_contact"))
    client = Client()
    client.force_login(user)
    return client


def test_contact_data_in_the_admin_are_recorded_as_opened(administrator: Client, person: Participant) -> None:
    html = administrator.get(page("participants_contact_change", person.pk)).content.decode()
    assert all(secret in html for secret in SECRETS)
    assert "contact.open" in said(person)
    told = [vars(entry) | vars(getattr(entry, "detail", entry)) for entry in AuditEntry.objects.all()]
    assert not any(secret in str(told) for secret in SECRETS)


def test_each_time_they_are_shown_is_an_entry(administrator: Client, person: Participant) -> None:
    for _ in range(3):
        administrator.get(page("participants_contact_change", person.pk))
    assert said(person).count("contact.open") == 3


def test_who_may_only_view_opens_nothing(person: Participant) -> None:
    html = only("view").get(page("participants_contact_change", person.pk)).content.decode()
    assert not any(secret in html for secret in SECRETS)
    assert said(person) == ["participant.view"]


def test_what_was_typed_wrongly_is_shown_again_and_nothing_opened(
    administrator: Client,
    person: Participant,
) -> None:
    wrong = {"participant": person.pk, "email": "no address", "language": "en"}
    html = administrator.post(page("participants_contact_change", person.pk), wrong).content.decode()
    assert "no address" in html
    assert not any(secret in html for secret in SECRETS)
    assert "contact.open" not in said(person)


def test_saving_stores_what_was_typed(administrator: Client, person: Participant) -> None:
    typed = {"name": "Jo Example", "email": "jo@example.net", "phone": "", "language": "nl"}
    administrator.post(page("participants_contact_change", person.pk), typed)
    assert contacts.contact_open(person).email == "jo@example.net"
    assert "contact.store" in said(person)


@pytest.mark.parametrize("view", ["history", "delete"])
def test_other_pages_of_a_contact_show_none_of_them(superuser: Client, person: Participant, view: str) -> None:
    html = superuser.get(page(f"participants_contact_{view}", person.pk)).content.decode()
    assert not any(secret in html for secret in SECRETS)
    assert said(person) == ["participant.view"]


@pytest.mark.parametrize("asked", ["", "?q=jo@example.org", "?q=AX", "?language=en"])
def test_lists_and_searches_show_none_of_them_and_are_recorded(
    superuser: Client,
    person: Participant,
    asked: str,
) -> None:
    html = superuser.get(page("participants_contact_changelist") + asked).content.decode()
    assert not any(secret in html.replace('value="jo@example.org"', "") for secret in SECRETS)
    entry = AuditEntry.objects.get(action="admin.list")
    assert (entry.thing, entry.via) == ("participants.contact", "admin")


def test_deleting_them_is_recorded(superuser: Client, person: Participant) -> None:
    superuser.post(page("participants_contact_delete", person.pk), {"post": "yes"})
    assert not Contact.objects.exists()
    assert "contact.remove" in said(person)


def test_nothing_opens_them_without_an_entry() -> None:
    """`contact_export` is for the participant's own file alone; all others go by `contact_open`, which records."""
    callers = [
        str(file.relative_to(ROOT))
        for app in ("participants", "metrics", "ingestion", "dashboards", "config")
        for file in (ROOT / app).rglob("*.py")
        if re.search(r"\bcontact_export\b|decrypt\([^)]*encrypted_(name|email|phone)", file.read_text())
    ]
    assert sorted(callers) == ["participants/privacy/contacts.py", "participants/privacy/subject_access_sections.py"]


@pytest.mark.parametrize("model", OF_SOMEBODY, ids=lambda model: model._meta.label_lower)
def test_each_page_about_a_participant_is_a_look(superuser: Client, person: Participant, model: Any) -> None:
    before = AuditEntry.objects.filter(participant=person, action="participant.view").count()
    name = model._meta.label_lower.replace(".", "_")
    superuser.get(page(f"{name}_change", model._default_manager.order_by("pk")[0].pk))
    assert AuditEntry.objects.filter(participant=person, action="participant.view").count() == before + 1


def test_lists_without_participants_are_no_look(superuser: Client, person: Participant) -> None:
    superuser.get(page("participants_trial_changelist"))
    superuser.get(page("metrics_metric_changelist"))
    assert not AuditEntry.objects.filter(action="admin.list").exists()
