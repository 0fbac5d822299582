"""The daily digest over a real mail server."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage

from dashboards.alerts import digests
from participants.models import Participant, Trial
from tests import factories
from tests.dashboards.messaging.conftest import NOW, FakeSmtpServer, part


def test_it_arrives_in_both_forms_with_links_to_the_site(
    smtp_server: FakeSmtpServer, trial: Trial, enrol: Callable[..., Participant]
) -> None:
    enrol("AX-0042", email="anna@home.example")
    user = factories.UserFactory.create(email="nurse@site.example")
    member = factories.MembershipFactory.create(trial=trial, user=user, started_at=NOW - dt.timedelta(days=9))
    digest = digests.claim(member.pk, NOW.date(), NOW)
    assert digest
    assert digests.send(digest, NOW)
    mail = message_from_bytes(smtp_server.raw[0], policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert (mail["To"], mail["Subject"]) == ("nurse@site.example", "STRIDE-2: 1 needs attention")
    assert "AX-0042: No data" in part(mail, "plain")
    assert "https://trials.site.example/trials/STRIDE-2/participants/AX-0042/" in part(mail, "html")
    assert b"anna" not in smtp_server.raw[0]
