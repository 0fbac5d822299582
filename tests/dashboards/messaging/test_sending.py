"""Sending through a real SMTP server: what goes out, the limits at that moment, refusals, retries, killed workers."""

from __future__ import annotations

import datetime as dt
import importlib
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from dashboards.messaging import sending, templates
from dashboards.messaging import services as messaging_services
from dashboards.models import Outreach
from metrics.models import Cause, ParticipantStatusSummary
from participants import services
from participants.models import Participant, Site, Trial
from participants.privacy import contacts
from tests.dashboards.messaging.conftest import NOW, FakeSmtpServer, held, part

Enrol = Callable[..., Participant]
pytestmark = pytest.mark.django_db
State = Outreach.State


def send(now: dt.datetime = NOW) -> int:
    return sending.send_due(clock=lambda: now)


def test_an_email_goes_out_in_both_parts_with_its_headers(smtp_server: FakeSmtpServer, enrol: Enrol) -> None:
    row = held(enrol("AX-0078"))
    assert send() == 1
    (mail,) = smtp_server.mails
    row.refresh_from_db()
    assert mail["To"] == "ax-0078@example.org"
    assert mail["From"] == '"STRIDE-2, Harbour" <trials@site.example>'
    assert mail["Reply-To"] == "harbour@site.example"
    assert mail["Message-ID"] == row.message_id
    assert mail["List-Unsubscribe"].strip().startswith("<https://trials.site.example/opt-out/")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    plain, html = (part(mail, kind) for kind in ("plain", "html"))
    assert "Dear Zwaantje," in plain
    assert "Dear Zwaantje," in html
    assert "Friday 20 November, 09:12" in plain
    assert (row.state, row.sent_at, row.attempts) == (State.SENT, NOW, 1)


def test_a_sites_name_with_a_line_break_from_before_adds_no_header(smtp_server: FakeSmtpServer, enrol: Enrol) -> None:
    person = enrol("AX-0078")
    Site.objects.filter(trial=person.trial).update(name="Harbour\r\nBcc: thief@example.org")
    held(person, title="From {{ site_name }}")
    assert send() == 1
    (mail,) = smtp_server.mails
    assert mail["Bcc"] is None
    assert "Harbour" in mail["From"]
    assert "\n" not in mail["From"]


@pytest.mark.parametrize("name", ["Harbour\r\nBcc: x@example.org", "a\nb", "a\0b", "a\x85b"])
def test_a_sites_name_is_one_line_everywhere(enrol: Enrol, name: str) -> None:
    trial = enrol("AX-0078").trial
    with pytest.raises(ValidationError, match="one line"):
        services.site_create(trial=trial, code="NEW", name=name)
    with pytest.raises(ValidationError, match="one line"):
        services.site_update(Site.objects.filter(trial=trial).first(), name=name)  # type: ignore[arg-type]


def test_the_log_keeps_the_text_as_sent_but_for_the_name(smtp_server: FakeSmtpServer, enrol: Enrol) -> None:
    row = held(enrol("AX-0078"))
    send()
    row.refresh_from_db()
    assert row.title == "A check for [first name]"
    assert "Friday 20 November" in row.body
    assert "Zwaantje" not in row.body


def test_the_reconnect_link_is_made_when_it_is_sent_and_not_kept(smtp_server: FakeSmtpServer, enrol: Enrol) -> None:
    person = enrol("AX-0078")
    row = held(person, body="Open {{ reconnect_link }} please")
    send()
    assert "https://trials.site.example/connect/" in part(smtp_server.mails[0], "plain")
    row.refresh_from_db()
    assert "/connect/" not in row.body
    assert person.invitations.count() == 1


def test_running_twice_sends_once(smtp_server: FakeSmtpServer, enrol: Enrol) -> None:
    held(enrol("AX-0078"))
    assert (send(), send()) == (1, 0)
    assert len(smtp_server.mails) == 1


def test_a_permanent_refusal_bounces_and_marks_the_address(smtp_server: FakeSmtpServer, enrol: Enrol) -> None:
    person = enrol("AX-0078")
    smtp_server.answers["ax-0078"] = "550 5.1.1 <ax-0078@example.org> no such user"
    row = held(person)
    send()
    row.refresh_from_db()
    assert (row.state, row.state_reason) == (State.BOUNCED, "550 5.1.1, there is no such address")
    assert contacts.reach(contacts.contact_of(person)).bounced_at == NOW


def test_another_address_is_not_a_bounced_one(enrol: Enrol) -> None:
    person = enrol("AX-0078")
    contacts.bounced(person, "550", now=NOW)
    contacts.contact_store(person, name="Z", email="new@example.org", language="en")
    assert contacts.reach(contacts.contact_of(person)).bounced_at is None


@pytest.mark.parametrize(
    ("answer", "state", "barred"),
    [
        ("550 5.1.1 no such user", State.BOUNCED, True),
        ("550 5.1.10 null MX", State.BOUNCED, True),
        ("550 unknown user", State.BOUNCED, True),
        ("553 mailbox name not allowed", State.BOUNCED, True),
        ("550 5.7.1 blocked", State.FAILED, False),
        ("554 transaction failed", State.FAILED, False),
        ("550 5.1.8 bad sender", State.FAILED, False),
        ("552 5.2.3 too long", State.FAILED, False),
        ("550 5.3.4 too big", State.FAILED, False),
        ("552 5.2.2 mailbox full", State.HELD, False),
        ("550 5.2.1 mailbox disabled", State.HELD, False),
        ("452 4.2.2 mailbox full", State.HELD, False),
        ("450 4.1.1 not now", State.HELD, False),
    ],
)
def test_only_an_address_that_does_not_exist_is_barred(
    smtp_server: FakeSmtpServer, enrol: Enrol, answer: str, state: State, barred: bool
) -> None:
    person = enrol("AX-0078")
    smtp_server.answers["ax-0078"] = answer
    row = held(person)
    send()
    row.refresh_from_db()
    assert row.state == state
    assert (contacts.reach(contacts.contact_of(person)).bounced_at is not None) == barred
    if barred:
        contacts.bounce_lift(person, reason="the server was wrong", now=NOW)
        assert contacts.reach(contacts.contact_of(person)).bounced_at is None
    with pytest.raises(ValueError, match="already"):
        contacts.bounce_lift(person, reason="again", now=NOW)


def test_a_full_mailbox_is_tried_for_hours_and_written_to_another_time(
    smtp_server: FakeSmtpServer, enrol: Enrol
) -> None:
    person = enrol("AX-0078")
    smtp_server.answers["ax-0078"] = "552 5.2.2 mailbox full"
    row = held(person)
    for minutes in (0, 1, 6, 21, 81, 321):
        send(NOW + dt.timedelta(minutes=minutes))
    row.refresh_from_db()
    assert (row.state, row.attempts) == (State.FAILED, 6)
    assert row.state_reason == "given up after 6 attempts: 552 5.2.2, the mailbox is full"
    smtp_server.answers.clear()
    held(person)
    assert send(NOW + dt.timedelta(days=2)) == 1


@pytest.mark.parametrize(
    ("reason", "stays"),
    [
        ("550 5.1.1, there is no such address", True),
        ("5xx 5.1.10, there is no such address", True),
        ("550", True),
        ("552 5.2.2, the mailbox does not take mail", False),
        ("5xx 5.2.1, the mailbox does not take mail", False),
        ("550 5.7.1, refused by a policy", False),
        ("550 5.1.8, there is no such address", False),
        ("552", False),
        ("554", False),
        ("by hand", True),
    ],
)
def test_the_migration_lifts_what_was_barred_for_a_full_mailbox(enrol: Enrol, reason: str, stays: bool) -> None:
    person = enrol("AX-0078")
    contacts.bounced(person, reason, now=NOW)
    lifted = importlib.import_module("participants.migrations.0016_full_mailboxes").LIFTED
    with connection.cursor() as cursor:
        cursor.execute(lifted)
    assert (contacts.reach(contacts.contact_of(person)).bounced_at is not None) == stays


def test_a_refused_message_fails_without_blaming_the_address(smtp_server: FakeSmtpServer, enrol: Enrol) -> None:
    person = enrol("AX-0078")
    smtp_server.on_data = "554 5.7.1 looks like spam"
    row = held(person)
    send()
    row.refresh_from_db()
    assert (row.state, row.state_reason) == (State.FAILED, "554 5.7.1, refused by a policy")
    assert contacts.reach(contacts.contact_of(person)).bounced_at is None


def test_a_passing_refusal_is_tried_again_later_and_given_up_in_the_end(
    smtp_server: FakeSmtpServer, enrol: Enrol
) -> None:
    person = enrol("AX-0078")
    smtp_server.answers["ax-0078"] = "451 4.7.1 greylisted"
    row, now = held(person), NOW
    for minutes in sending.BACKOFF:
        send(now)
        row.refresh_from_db()
        assert (row.state, row.send_after) == (State.HELD, now + dt.timedelta(minutes=minutes))
        now = row.send_after
    send(now)
    row.refresh_from_db()
    assert row.state == State.FAILED
    assert row.state_reason.startswith("given up after 6 attempts")


def test_a_server_that_comes_back_gets_the_email_once(smtp_server: FakeSmtpServer, enrol: Enrol, settings: Any) -> None:
    row, port = held(enrol("AX-0078")), settings.EMAIL_PORT
    settings.EMAIL_PORT = 9  # nobody listens there
    assert send() == 0
    settings.EMAIL_PORT = port
    assert send(NOW + dt.timedelta(minutes=1)) == 1
    row.refresh_from_db()
    assert (row.state, len(smtp_server.mails)) == (State.SENT, 1)


def test_what_a_killed_worker_was_sending_fails_and_is_never_sent_again(
    smtp_server: FakeSmtpServer, enrol: Enrol
) -> None:
    row = held(enrol("AX-0078"))
    assert sending.claim(row.pk, NOW) is not None  # and then the worker dies
    later = NOW + sending.STALE + dt.timedelta(seconds=1)
    assert send(later) == 0
    row.refresh_from_db()
    assert (row.state, row.state_reason) == (State.FAILED, sending.MAY_HAVE_GONE)
    assert not smtp_server.mails


def test_a_claim_is_won_once(smtp_server: FakeSmtpServer, enrol: Enrol) -> None:
    row = held(enrol("AX-0078"))
    assert sending.claim(row.pk, NOW) is not None
    assert sending.claim(row.pk, NOW) is None


def test_who_opted_out_meanwhile_gets_nothing(smtp_server: FakeSmtpServer, enrol: Enrol) -> None:
    person = enrol("AX-0078")
    row = held(person)
    contacts.opt_out(person, now=NOW)
    assert send() == 0
    row.refresh_from_db()
    assert (row.state, row.state_reason) == (State.DROPPED, "she wants no more reminders")
    assert not smtp_server.mails


def test_who_withdrew_meanwhile_gets_nothing(smtp_server: FakeSmtpServer, enrol: Enrol) -> None:
    person = enrol("AX-0078")
    row = held(person)
    Participant.objects.filter(pk=person.pk).update(status=Participant.Status.WITHDRAWN)
    send()
    row.refresh_from_db()
    assert row.state == State.DROPPED


def test_two_emails_to_one_participant_keep_their_distance(smtp_server: FakeSmtpServer, enrol: Enrol) -> None:
    person = enrol("AX-0078")
    held(person)
    second = held(person)
    assert send() == 1
    second.refresh_from_db()
    assert (second.state, second.send_after) == (State.HELD, NOW + dt.timedelta(hours=24))


def test_quiet_hours_hold_an_email_until_the_morning_of_their_clock(smtp_server: FakeSmtpServer, enrol: Enrol) -> None:
    row = held(enrol("AX-0078"))
    night = dt.datetime(2026, 11, 23, 22, 30, tzinfo=dt.UTC)  # 23:30 in Amsterdam
    assert send(night) == 0
    row.refresh_from_db()
    assert row.send_after == dt.datetime(2026, 11, 24, 7, 0, tzinfo=dt.UTC)
    assert send(row.send_after) == 1


def test_an_email_that_asks_for_data_is_dropped_when_they_came(
    smtp_server: FakeSmtpServer, enrol: Enrol, trial: Trial
) -> None:
    templates.templates_ensure(trial)
    person = enrol("AX-0078")
    template = templates.in_language(templates.templates_of(trial), "sync", "en")
    row = held(person, template=template)
    ParticipantStatusSummary.objects.filter(participant=person).update(last_sample_at=NOW - dt.timedelta(minutes=5))
    send()
    row.refresh_from_db()
    assert (row.state, row.state_reason) == (State.DROPPED, sending.CAME_BACK)


def test_an_email_that_asks_to_wear_the_watch_goes_although_data_came(
    smtp_server: FakeSmtpServer, enrol: Enrol, trial: Trial
) -> None:
    templates.templates_ensure(trial)
    person = enrol("AX-0078", cause=Cause.OFF_WRIST)
    template = templates.in_language(templates.templates_of(trial), "wear", "en")
    held(person, template=template)
    ParticipantStatusSummary.objects.filter(participant=person).update(last_sample_at=NOW - dt.timedelta(minutes=5))
    assert send() == 1


def test_no_log_line_holds_a_name_or_an_address(
    smtp_server: FakeSmtpServer, enrol: Enrol, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    held(enrol("AX-0078"))
    held(enrol("AX-0311", email="refused@example.org"))
    smtp_server.answers["refused"] = "550 5.1.1 <refused@example.org> unknown"
    send()
    ours = "\n".join(r.getMessage() for r in caplog.records if not r.name.startswith(("mail.log", "asyncio")))
    assert "outreach" in ours
    for secret in ("Zwaantje", "Quickenborne", "example.org", "77777"):
        assert secret not in ours
    stored = "".join(f"{r.title}{r.body}{r.state_reason}" for r in Outreach.objects.all())
    assert "refused@example.org" not in stored
    assert "Zwaantje" not in stored


def test_data_after_an_email_close_the_loop(smtp_server: FakeSmtpServer, enrol: Enrol) -> None:
    person, silent = enrol("AX-0078"), enrol("AX-0311")
    row, other = held(person), held(silent)
    send()
    assert messaging_services.outreach_close_loop(NOW) == 0
    back = NOW + dt.timedelta(hours=4, minutes=25)
    ParticipantStatusSummary.objects.filter(participant=person).update(
        last_sample_at=NOW - dt.timedelta(hours=2), arrived_at=back
    )
    assert messaging_services.outreach_close_loop(back) == 1
    row.refresh_from_db()
    other.refresh_from_db()
    assert (row.back_at, other.back_at) == (back, None)
    assert messaging_services.outreach_close_loop(back) == 0


def test_closing_the_loop_takes_one_statement_for_everybody(
    smtp_server: FakeSmtpServer, enrol: Enrol, django_assert_num_queries: Any
) -> None:
    for number in range(5):
        held(enrol(f"AX-{number}"))
    send()
    ParticipantStatusSummary.objects.update(last_sample_at=NOW)
    with django_assert_num_queries(2):
        assert messaging_services.outreach_close_loop(NOW) == 5
