"""Bounces that come later, on the command's standard input."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from dashboards.models import Outreach
from participants.models import Participant
from participants.privacy import contacts
from tests.dashboards.messaging.conftest import NOW, held

pytestmark = pytest.mark.django_db
Enrol = Callable[..., Participant]

BOUNCE = """From: MAILER-DAEMON@mx.example
To: trials@site.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain

Your message could not be delivered.

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; ax-0078@example.org
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 no such user

--B
Content-Type: {kind}

Message-ID: <77@site.example>
Subject: A check

--B--
"""


@pytest.fixture
def bounce(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def run(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        call_command("take_bounce")

    return run


@pytest.fixture
def row(enrol: Enrol) -> Outreach:
    return held(enrol("AX-0078"), state="sent", sent_at=NOW, message_id="<77@site.example>")


@pytest.mark.parametrize("kind", ["message/rfc822", "text/rfc822-headers"])
def test_a_bounce_marks_the_email_and_the_address(bounce: Any, row: Outreach, kind: str) -> None:
    bounce(BOUNCE.format(action="failed", status="5.1.1", kind=kind))
    row.refresh_from_db()
    assert row.state == Outreach.State.BOUNCED
    assert "example.org" not in row.state_reason
    assert "no such address" in row.state_reason
    assert contacts.reach(contacts.contact_of(row.participant)).bounced_at is not None


@pytest.mark.parametrize("status", ["4.4.7", "5.2.2", "5.2.1", "5.2.3", "5.1.8", "5.4.4", "5.7.1", "5.0.0"])
def test_a_mailbox_that_is_full_or_stayed_unreachable_is_not_the_addresss_fault(
    bounce: Any, row: Outreach, status: str
) -> None:
    bounce(BOUNCE.format(action="failed", status=status, kind="message/rfc822"))
    row.refresh_from_db()
    assert row.state == Outreach.State.BOUNCED
    assert contacts.reach(contacts.contact_of(row.participant)).bounced_at is None


def test_a_delay_changes_nothing(bounce: Any, row: Outreach) -> None:
    bounce(BOUNCE.format(action="delayed", status="4.4.1", kind="message/rfc822"))
    row.refresh_from_db()
    assert row.state == Outreach.State.SENT


def test_the_same_bounce_twice_changes_nothing_more(bounce: Any, row: Outreach) -> None:
    for _ in range(2):
        bounce(BOUNCE.format(action="failed", status="5.1.1", kind="message/rfc822"))
    row.refresh_from_db()
    assert row.state == Outreach.State.BOUNCED


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("Subject: hello\n\nhello", "no part of type message/delivery-status"),
        (BOUNCE.format(action="failed", status="?", kind="message/rfc822"), "no Status"),
        (BOUNCE.format(action="failed", status="5.1.1", kind="text/plain"), "which message"),
        (BOUNCE.format(action="failed", status="5.1.1", kind="message/rfc822"), "None of our e-mails"),
        (
            "Content-Type: multipart/report; boundary=B\n\n--B\nContent-Type: message/delivery-status\n\n--B--",
            "recipient",
        ),
        ("\x00\x01\x02 \xff garbage", "no part of type"),
    ],
)
def test_what_is_no_bounce_of_ours_is_refused_with_a_reason(bounce: Any, text: str, says: str, db: None) -> None:
    with pytest.raises(CommandError, match=says) as caught:
        bounce(text)
    assert caught.value.returncode == 65
