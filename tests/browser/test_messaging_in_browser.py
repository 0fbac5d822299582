"""Writing to participants in a real browser, to a real mail server."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from playwright.sync_api import expect

from benchmarks import monitoring_data
from dashboards.messaging import sending
from metrics.models import Cause, ParticipantStatusSummary
from participants.models import Participant, Protocol, Trial
from participants.privacy import contacts
from participants.privacy.demo_contacts import demo_contacts_ensure
from tests import factories
from tests.browser.conftest import PASSWORD, OpenContext, signed_in
from tests.dashboards.messaging.conftest import FakeSmtpServer, part, smtp_server  # noqa: F401  the fixture

pytestmark = pytest.mark.browser


@pytest.fixture
def trial(transactional_db: None, settings: Any) -> Trial:
    """Two silent people, one English and one Dutch, who may be written to at any hour."""
    settings.TOKEN_KEYS = ["a-key-for-the-tests"]
    now = dt.datetime.now(dt.UTC)
    made: Trial = monitoring_data.fill("KNEE", 12, 30, now=now)
    made.is_demo = True
    made.save(update_fields=["is_demo"])
    Protocol.objects.filter(trial=made).update(quiet_from=dt.time(0), quiet_until=dt.time(0))
    user = factories.UserFactory.build(email="manager@example.org")
    user.set_password(PASSWORD)
    user.save()
    factories.MembershipFactory.create(trial=made, user=user)
    demo_contacts_ensure(made)
    for person, language in zip(people(made), ("en", "nl"), strict=True):
        contacts.contact_store(person, name="Robin Oak", email=f"{language}@example.org", language=language)
        ParticipantStatusSummary.objects.filter(participant=person).update(
            cause=Cause.NOT_SYNCED, access="ok", excused="", waiting=False, critical_at=now - dt.timedelta(hours=1)
        )
    return made


def people(trial: Trial) -> list[Participant]:
    return list(Participant.objects.filter(trial=trial).order_by("study_id")[:2])


def test_an_email_is_written_previewed_and_sent(
    open_context: OpenContext,
    trial: Trial,
    smtp_server: FakeSmtpServer,  # noqa: F811
) -> None:
    first, second = (person.study_id for person in people(trial))
    page = signed_in(open_context())
    page.goto(f"/trials/KNEE/contact/?to={first}&to={second}")
    expect(page.get_by_role("button", name="Send 2 now")).to_be_enabled()
    body = page.get_by_label("Text", exact=True)
    body.fill("Dear {{ nmae }}")
    expect(page.get_by_text("There is no {{ nmae }}")).to_be_visible()
    expect(page.get_by_role("button", name="Send 2 now")).to_be_disabled()
    body.fill("Your ")
    expect(page.locator(".mail-body")).to_contain_text("Your ")
    with page.expect_response(re.compile("/contact/")):  # a preview that is still to come would replace the next
        page.get_by_role("button", name="device", exact=True).click()
    expect(body).to_have_value("Your {{ device }}")
    page.get_by_role("button", name=second, exact=True).click()
    expect(page.get_by_label("Language shown")).to_have_value("nl")
    expect(page.locator(".mail-body")).to_contain_text("Wilt u dit vandaag doen?")
    page.get_by_role("button", name="Plain text").click()
    expect(page.locator(".mail-plain")).to_contain_text("Beste [first name]")
    page.get_by_role("checkbox", name=f"Write to {second}").uncheck()
    page.get_by_role("button", name="Send 1 now").click()
    page.wait_for_url(re.compile("/contacts/"))
    expect(page.get_by_text("0 of 1 sent, 1 being sent")).to_be_visible()
    assert sending.send_due() == 1
    expect(page.get_by_text("1 of 1 sent.")).to_be_visible()
    (mail,) = smtp_server.mails
    assert mail["To"] == "en@example.org"
    assert part(mail, "plain").startswith("Your ")
