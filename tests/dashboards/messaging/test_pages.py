"""The letter's page, the log, calls, opt-out, the demo's mailbox: what they show, to whom, and what they store."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from dashboards.messaging import sending, unsubscribe
from dashboards.models import Outreach
from metrics.models import Access, Cause
from participants.models import Contact, Membership, Participant, Site, Trial
from participants.privacy import contacts
from tests import factories
from tests.dashboards.messaging.conftest import NOW, FakeSmtpServer, held

Enrol = Callable[..., Participant]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def url(trial: Trial) -> str:
    return reverse("dashboards:contact", args=[trial.code])


def form(*ids: str, **fields: Any) -> dict[str, Any]:
    return {
        "listed": ",".join(ids),
        "to": list(ids),
        "template": "sync",
        "template_was": "sync",
        "language": "en",
        "language_was": "en",
        "subject.en": "Hello {{ first_name }}",
        "body.en": "Dear {{ first_name }}, from {{ site_name }}",
        "reason": "silent for days",
        "batch": str(uuid.uuid4()),
        **fields,
    }


def test_the_page_shows_cause_language_and_when_it_goes(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer
) -> None:
    enrol("AX-0078", language="nl")
    page = manager.get(url(trial), {"to": "AX-0078"}).content.decode()
    assert "Write to 1 participant<" in page
    assert "Not yet synced" in page
    assert "Dutch · never written to" in page
    assert "Send 1 now" in page
    assert "Synchroniseer uw horloge" not in page  # the list shows the default language's titles
    assert "Please sync your watch" in page
    assert "Even uw horloge nakijken" in page


def test_name_and_address_are_nowhere_in_the_page(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer
) -> None:
    enrol("AX-0078")
    page = manager.get(url(trial), {"to": "AX-0078"}).content.decode()
    assert '<span class="var">first name</span>' in page
    assert "Zwaantje" not in page
    assert "ax-0078@example.org" not in page
    assert "77777" not in page


def test_the_template_follows_the_cause(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer
) -> None:
    enrol("AX-1", access=Access.NEVER, cause=Cause.NEVER_CONNECTED)
    assert b'value="connect" selected' in manager.get(url(trial), {"to": "AX-1"}).content


def test_a_template_that_does_not_fit_is_named_with_the_one_that_does(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer
) -> None:
    enrol("AX-1")
    enrol("AX-2")
    enrol("AX-3", access=Access.NEVER, cause=Cause.NEVER_CONNECTED)
    page = manager.get(url(trial), {"to": ["AX-1", "AX-2", "AX-3"]}).content.decode()
    assert "Use “Finish connecting” for it" in page
    assert "?template=connect&amp;to=AX-3" in page


def test_sending_stores_held_rows_once_however_often_the_button_is_pressed(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer
) -> None:
    enrol("AX-0078")
    enrol("AX-0311", language="nl")
    sent = form("AX-0078", "AX-0311", do="send")
    first, second = manager.post(url(trial), sent), manager.post(url(trial), sent)
    assert first.status_code == second.status_code == 303
    assert Outreach.objects.count() == 2
    dutch = Outreach.objects.get(participant__study_id="AX-0311")
    assert (dutch.language, dutch.title) == ("nl", "Even uw horloge nakijken")
    assert dutch.by is not None
    assert (dutch.by.email, dutch.reason) == ("manager@site.example", "silent for days")
    assert sending.send_due() == 2
    assert len(smtp_server.mails) == 2


def test_who_is_unchecked_gets_nothing(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer
) -> None:
    enrol("AX-0078")
    enrol("AX-0311")
    manager.post(url(trial), form("AX-0078", "AX-0311", to=["AX-0078"], do="send"))
    assert [row.participant.study_id for row in Outreach.objects.all()] == ["AX-0078"]


def test_who_was_written_to_lately_is_held(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer
) -> None:
    person = enrol("AX-0078")
    yesterday = NOW - dt.timedelta(hours=20)
    held(person, state=Outreach.State.SENT, sent_at=yesterday, state_at=yesterday)
    page = manager.get(url(trial), {"to": "AX-0078"}).content.decode()
    assert "Hold 1 until they may go" in page
    assert "Held until today, 13:12" in page
    manager.post(url(trial), form("AX-0078", do="send"))
    assert Outreach.objects.latest("pk").send_after == NOW + dt.timedelta(hours=4)


def test_nobody_who_opted_out_is_written_to(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer
) -> None:
    contacts.opt_out(enrol("AX-0078"), now=NOW)
    page = manager.get(url(trial), {"to": "AX-0078"}).content.decode()
    assert "wants no more reminders" in page
    assert manager.post(url(trial), form("AX-0078", do="send")).status_code == 422
    assert not Outreach.objects.exists()


def test_an_unknown_variable_is_an_error_shown_to_who_writes(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer
) -> None:
    enrol("AX-0078")
    answer = manager.post(url(trial), form("AX-0078", do="send", **{"body.en": "Hi {{ nmae }}"}))
    assert answer.status_code == 422
    assert "There is no {{ nmae }}" in answer.content.decode()
    assert not Outreach.objects.exists()


def test_the_preview_escapes_and_follows_what_is_typed(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer
) -> None:
    enrol("AX-0078")
    typed = form("AX-0078", **{"body.en": "<script>alert(1)</script> {{ device }}"})
    part = manager.post(url(trial), typed, headers={"HX-Request": "true"}).content.decode()
    assert "&lt;script&gt;" in part
    assert "<script>" not in part
    assert '<span class="var">Band 4</span>' in part
    assert 'id="submit-bar" hx-swap-oob="true"' in part
    assert "<html" not in part


def test_choosing_another_template_replaces_the_text(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer
) -> None:
    enrol("AX-0078")
    page = manager.post(url(trial), form("AX-0078", template="charge")).content.decode()
    assert "Your watch needs charging" in page
    assert "from {{ site_name }}" not in page


def test_choosing_a_language_shows_its_text_and_a_participant_who_reads_it(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer
) -> None:
    enrol("AX-0078")
    enrol("AX-0311", language="de")
    page = manager.post(url(trial), form("AX-0078", "AX-0311", language="de", person="AX-0078")).content.decode()
    assert 'name="subject.de" value="Ein kurzer Blick auf Ihre Uhr" maxlength' in page
    assert 'name="subject.en" value="Hello {{ first_name }}"' in page  # what was written stays
    assert "You changed the English text; the German one goes as it is saved." in page


def test_a_test_goes_to_who_writes_with_a_made_up_name(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer
) -> None:
    enrol("AX-0078")
    page = manager.post(url(trial), form("AX-0078", do="test")).content.decode()
    assert "Sent to manager@site.example" in page
    (mail,) = smtp_server.mails
    assert mail["To"] == "manager@site.example"
    assert mail["Subject"] == "Hello Robin"
    assert "Zwaantje" not in mail.as_string()
    assert not Outreach.objects.exists()


def test_without_a_mail_server_nothing_is_stored(manager: Client, trial: Trial, enrol: Enrol, settings: Any) -> None:
    settings.EMAIL_HOST = ""
    enrol("AX-0078")
    answer = manager.post(url(trial), form("AX-0078", do="send"))
    assert "no mail server" in answer.content.decode()
    assert not Outreach.objects.exists()


def test_a_filter_of_the_trials_page_is_a_selection(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer
) -> None:
    enrol("AX-0078")
    enrol("AX-0311", access=Access.NEVER, cause=Cause.NEVER_CONNECTED)
    page = manager.get(url(trial), {"all": "1", "show": "never-connected"}).content.decode()
    assert "AX-0311" in page
    assert "AX-0078" not in page


def test_others_trials_and_sites_are_not_found(client: Client, trial: Trial, site: Site, enrol: Enrol) -> None:
    enrol("AX-0078")
    other = factories.ParticipantFactory.create(
        trial=trial, study_id="AX-9", site=factories.SiteFactory.create(trial=trial)
    )
    client.force_login(factories.MembershipFactory.create(trial=trial, site=other.site).user)
    for name in ("contact", "call-list"):
        address = reverse(f"dashboards:{name}", args=[trial.code])
        assert client.get(address, {"to": ["AX-0078", "AX-9"]}).status_code == 404
        assert client.get(address, {"to": "AX-9"}).status_code == 200
    assert client.post(url(trial), form("AX-0078", do="send")).status_code == 404
    client.force_login(factories.MembershipFactory.create().user)
    assert client.get(url(trial), {"to": "AX-0078"}).status_code == 404


def test_a_viewer_may_not_write_call_or_see_names(client: Client, trial: Trial, enrol: Enrol) -> None:
    enrol("AX-0078")
    client.force_login(factories.MembershipFactory.create(trial=trial, role=Membership.Role.VIEWER).user)
    assert client.get(url(trial), {"to": "AX-0078"}).status_code == 404
    assert client.get(reverse("dashboards:call-list", args=[trial.code]), {"to": "AX-0078"}).status_code == 404
    assert client.get(reverse("dashboards:call-log", args=[trial.code, "AX-0078"])).status_code == 404
    assert client.get(reverse("dashboards:contacts", args=[trial.code])).status_code == 200


@pytest.mark.parametrize("people", [1, 12])
def test_the_compose_page_makes_a_fixed_number_of_queries(
    manager: Client,
    trial: Trial,
    enrol: Enrol,
    smtp_server: FakeSmtpServer,
    people: int,
    django_assert_max_num_queries: Any,
) -> None:
    ids = [enrol(f"AX-{number}").study_id for number in range(people)]
    manager.get(url(trial), {"to": ids})
    with django_assert_max_num_queries(12):
        manager.get(url(trial), {"to": ids})


def test_the_call_list_opens_names_and_numbers_for_managers(manager: Client, trial: Trial, enrol: Enrol) -> None:
    enrol("AX-0078")
    page = manager.get(reverse("dashboards:call-list", args=[trial.code]), {"to": "AX-0078"}).content.decode()
    assert "Zwaantje Quickenborne" in page
    assert "+31 6 555 77777" in page
    assert "Not yet synced" in page


def test_a_call_is_kept_once(manager: Client, trial: Trial, enrol: Enrol) -> None:
    enrol("AX-0078")
    address = reverse("dashboards:call-log", args=[trial.code, "AX-0078"])
    sent = {"batch": str(uuid.uuid4()), "outcome": "Reached her", "said": "Was on holiday", "reason": "silent"}
    assert [manager.post(address, sent).status_code for _ in range(2)] == [303, 303]
    call = Outreach.objects.get()
    assert (call.kind, call.title, call.body, call.state) == ("call", "Reached her", "Was on holiday", "sent")


def test_pages_say_of_anybody_what_is_stored_as_of_a_woman(manager: Client, trial: Trial, enrol: Enrol) -> None:
    person = enrol("AX-0078")
    held(person, kind="call", state="sent", sent_at=NOW, title="Reached her", template=None)
    held(person, state="dropped", state_reason="she wants no more reminders")
    log = manager.get(reverse("dashboards:contacts", args=[trial.code])).content.decode()
    page = manager.get(reverse("dashboards:participant", args=[trial.code, "AX-0078"])).content.decode()
    assert "<summary>Reached</summary>" in log
    assert "They want no more reminders" in log
    assert "Call: Reached<" in page
    assert "Not sent: they want no more reminders" in page


def test_the_outcome_of_a_call_is_chosen_by_its_stored_value(manager: Client, trial: Trial, enrol: Enrol) -> None:
    enrol("AX-0078")
    form_page = manager.get(reverse("dashboards:call-log", args=[trial.code, "AX-0078"])).content.decode()
    assert 'value="Reached her" required> Reached</label>' in form_page


def test_a_call_without_a_reason_is_refused(manager: Client, trial: Trial, enrol: Enrol) -> None:
    enrol("AX-0078")
    address = reverse("dashboards:call-log", args=[trial.code, "AX-0078"])
    assert manager.post(address, {"outcome": "Reached her", "reason": ""}).status_code == 422
    assert not Outreach.objects.exists()


def test_the_log_says_the_result(manager: Client, trial: Trial, enrol: Enrol) -> None:
    person, sent = enrol("AX-0078"), NOW - dt.timedelta(days=2)
    held(person, state="sent", sent_at=sent)
    held(person, state="sent", sent_at=sent, back_at=sent + dt.timedelta(hours=4, minutes=25))
    held(enrol("AX-0311"), state="bounced", state_reason="550 5.1.1, there is no such address")
    address = reverse("dashboards:contacts", args=[trial.code])
    page = manager.get(address).content.decode()
    assert "Waiting for data (sent 2\u00a0d ago)" in page
    assert "Data came back after 4\u00a0h\u00a025" in page
    assert "log-trouble" in page
    waiting = manager.get(address, {"show": "waiting"}).content.decode()
    assert "Waiting for data (sent 2" in waiting
    assert "Data came back after" not in waiting
    assert "AX-0311" not in waiting


def test_the_log_shows_a_site_its_own(client: Client, trial: Trial, enrol: Enrol) -> None:
    held(enrol("AX-0078"))
    elsewhere = factories.SiteFactory.create(trial=trial)
    client.force_login(factories.MembershipFactory.create(trial=trial, site=elsewhere).user)
    page = client.get(reverse("dashboards:contacts", args=[trial.code])).content.decode()
    assert "AX-0078" not in page


def test_a_batch_that_is_going_out_is_asked_for_again(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer
) -> None:
    row = held(enrol("AX-0078"))
    address = reverse("dashboards:contacts", args=[trial.code])
    assert b'hx-trigger="every 2s"' in manager.get(address, {"batch": str(row.batch)}).content
    sending.send_due()
    page = manager.get(address, {"batch": str(row.batch)}).content
    assert b"1 of 1 sent" in page
    assert b"every 2s" not in page


def test_opting_out_asks_first_is_in_their_language_and_can_be_undone(client: Client, enrol: Enrol) -> None:
    person = enrol("AX-0078", language="nl")
    address = reverse("dashboards:opt-out", args=[unsubscribe.code_of(person)])
    page = client.get(address).content.decode()
    assert "Geen herinneringen" in page
    assert 'lang="nl"' in page
    assert "Zwaantje" not in page
    assert contacts.reach(contacts.contact_of(person)).opted_out_at is None
    client.post(address)
    assert contacts.reach(contacts.contact_of(person)).opted_out_at == NOW
    assert "U krijgt geen herinneringen meer" in client.get(address).content.decode()
    client.post(address, {"undo": "1"})
    assert contacts.reach(contacts.contact_of(person)).opted_out_at is None


def test_one_click_of_a_mailbox_needs_no_token(enrol: Enrol) -> None:
    person = enrol("AX-0078")
    strict = Client(enforce_csrf_checks=True)
    address = reverse("dashboards:opt-out", args=[unsubscribe.code_of(person)])
    strict.post(address, {"List-Unsubscribe": "One-Click"})
    assert contacts.reach(contacts.contact_of(person)).opted_out_at == NOW


def test_a_forged_opt_out_link_is_not_found(client: Client, enrol: Enrol) -> None:
    enrol("AX-0078")
    assert client.post("/opt-out/1:abc:def/").status_code == 404


def test_the_mailbox_is_for_managers_of_a_demo_and_shows_their_mails(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer, settings: Any, tmp_path: Path
) -> None:
    settings.DEMO_MAIL_FOLDER = str(tmp_path)
    person = enrol("AX-0078")
    held(person)
    sending.send_due()
    (tmp_path / "0001-1.eml").write_bytes(smtp_server.raw[0])
    address = reverse("dashboards:mailbox")
    assert manager.get(address).status_code == 404
    Trial.objects.update(is_demo=True)
    page = manager.get(address).content.decode()
    assert "AX-0078" in page
    assert 'sandbox="' in page
    assert "Dear Zwaantje" in page
    stranger = Client()
    stranger.force_login(factories.MembershipFactory.create(trial__is_demo=True).user)
    factories.ParticipantFactory.create(trial=Trial.objects.exclude(pk=trial.pk).get())
    assert "AX-0078" not in stranger.get(address).content.decode()
    settings.DEMO_MAIL_FOLDER = ""
    assert manager.get(address).status_code == 404


def test_contacts_are_encrypted_and_re_encrypted(enrol: Enrol, settings: Any) -> None:
    person = enrol("AX-0078")
    row = Contact.objects.get()
    assert "Zwaantje" not in f"{row.encrypted_name}{row.encrypted_email}{row.encrypted_phone}"
    settings.TOKEN_KEYS = ["a-newer-key", "a-key-for-the-tests"]
    call_command("reseal_tokens")
    settings.TOKEN_KEYS = ["a-newer-key"]
    assert contacts.contact_open(person).name == "Zwaantje Quickenborne"
    assert "Zwaantje" not in repr(contacts.contact_open(person))


def test_staff_without_the_permission_see_no_contact(client: Client, enrol: Enrol) -> None:
    person = enrol("AX-0078")
    staff = factories.UserFactory.create(is_staff=True)
    client.force_login(staff)
    change = reverse("admin:participants_contact_change", args=[person.pk])
    assert client.get(change).status_code == 403
    assert client.get(reverse("admin:participants_contact_changelist")).status_code == 403


def test_staff_with_it_open_and_change_a_contact(client: Client, enrol: Enrol) -> None:
    person = enrol("AX-0078")
    client.force_login(factories.UserFactory.create(is_staff=True, is_superuser=True))
    change = reverse("admin:participants_contact_change", args=[person.pk])
    page = client.get(change).content.decode()
    assert "Zwaantje Quickenborne" in page
    assert Contact.objects.get().encrypted_email not in page
    listed = client.get(reverse("admin:participants_contact_changelist")).content.decode()
    assert "AX-0078" in listed
    assert "Zwaantje" not in listed
    client.post(change, {"name": "Ada Lo", "email": "ada@example.org", "phone": "", "language": "de"})
    assert contacts.contact_open(person).email == "ada@example.org"


def test_staff_add_a_contact_and_templates_are_checked(client: Client, trial: Trial) -> None:
    person = factories.ParticipantFactory.create(trial=trial)
    client.force_login(factories.UserFactory.create(is_staff=True, is_superuser=True))
    given = {"participant": person.pk, "name": "Ada Lo", "email": "ada@example.org", "phone": "", "language": "en"}
    assert client.post(reverse("admin:participants_contact_add"), given).status_code == 302
    assert contacts.contact_open(person).first_name == "Ada"
    letter = {"trial": trial.pk, "code": "x", "language": "en", "title": "X", "subject": "X", "body": "{{ nmae }}"}
    page = client.post(reverse("admin:dashboards_messagetemplate_add"), letter).content.decode()
    assert "There is no {{ nmae }}" in page


def test_the_participants_page_tells_managers_that_they_opted_out(
    manager: Client, client: Client, trial: Trial, enrol: Enrol
) -> None:
    person = enrol("AX-0078")
    address = reverse("dashboards:participant", args=[trial.code, "AX-0078"])
    assert "Opted out" not in manager.get(address).content.decode()
    contacts.opt_out(person, now=NOW)
    assert "<b>Opted out</b> of e-mails since today, 09:12" in manager.get(address).content.decode()
    client.force_login(factories.MembershipFactory.create(trial=trial, role=Membership.Role.VIEWER).user)
    assert "Opted out" not in client.get(address).content.decode()


def test_an_alert_is_answered_by_the_email_that_names_it(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer
) -> None:
    alert = factories.AlertFactory.create(participant=enrol("AX-0078"))
    page = manager.get(url(trial), {"to": "AX-0078", "alert": alert.pk}).content.decode()
    assert 'name="reason" value="Warning: no upload"' in page
    manager.post(url(trial), form("AX-0078", do="send", alert=alert.pk))
    assert Outreach.objects.get().alert == alert


def test_an_alert_of_another_participant_is_not_answered(
    manager: Client, trial: Trial, enrol: Enrol, smtp_server: FakeSmtpServer
) -> None:
    enrol("AX-0078")
    foreign = factories.AlertFactory.create()
    manager.post(url(trial), form("AX-0078", do="send", alert=foreign.pk))
    assert Outreach.objects.get().alert is None
