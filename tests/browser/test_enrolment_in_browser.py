"""Staff enrol a list, invite everybody on it and withdraw one, in a real browser under the strict content policy."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import BrowserContext, FilePayload, Page, expect

from ingestion.models import Invitation
from participants.accounts.staff_groups import staff_groups_make
from participants.models import AuditEntry, Participant
from tests import factories
from tests.browser.conftest import OpenContext

pytestmark = [pytest.mark.browser]
FILE = b"study_id;site;arm\nAX-0101;N;walking\nAX-0102;N;control\n"


@pytest.fixture
def page(transactional_db: None, open_context: OpenContext, live_server: Any, settings: Any) -> Page:
    """Signed in as enrolment staff; every complaint of the browser fails the test."""
    from django.conf import settings as conf
    from django.test import Client

    settings.TOKEN_KEYS = ["a-key-for-the-tests"]
    staff_groups_make()
    trial = factories.TrialFactory.create(code="STRIDE-2")
    factories.SiteFactory.create(trial=trial, code="N", name="North")
    user = factories.UserFactory.create(is_staff=True)
    user.groups.add(Group.objects.get(name="Enrolment staff"))
    client = Client()
    client.force_login(user)
    context: BrowserContext = open_context()
    cookie = client.cookies[conf.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": conf.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.complaints = complaints  # type: ignore[attr-defined]
    return opened


def choose(page: Page, *study_ids: str, action: str) -> None:
    page.goto("/admin/participants/participant/")
    for study_id in study_ids:
        page.get_by_role("row").filter(has_text=study_id).get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option(label=action)
    page.get_by_role("button", name="Go").click()


def test_staff_enrol_by_a_file_invite_and_withdraw(page: Page) -> None:
    page.goto("/admin/")
    page.get_by_role("link", name="Enrol by a file").click()
    page.get_by_label("Trial:").select_option(label="STRIDE-2")
    wrong = FilePayload(name="people.csv", mimeType="text/csv", buffer=FILE.replace(b";N;control", b";South;control"))
    page.get_by_label("CSV file:").set_input_files(files=[wrong])
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("There is no such site in STRIDE-2. Known: N.")).to_be_visible()
    assert not Participant.objects.exists()
    page.complaints.clear()  # type: ignore[attr-defined]  # the browser's line about the 400

    page.get_by_role("link", name="Another file").click()
    page.get_by_label("Trial:").select_option(label="STRIDE-2")
    page.get_by_label("CSV file:").set_input_files(
        files=[FilePayload(name="people.csv", mimeType="text/csv", buffer=FILE)]
    )
    page.get_by_role("button", name="Check the file").click()
    page.get_by_role("button", name="Enrol 2").click()
    expect(page.get_by_text("2 participants enrolled in STRIDE-2.")).to_be_visible()

    choose(page, "AX-0101", "AX-0102", action="Invite")
    page.get_by_role("button", name="Make the links").click()
    expect(page.locator("article")).to_have_count(2)
    assert Invitation.objects.filter(cancelled_at=None).count() == 2

    choose(page, "AX-0102", action="Withdraw")
    expect(page.get_by_text("This cannot be undone here.")).to_be_visible()
    page.get_by_label("Reason:").fill("moved away")
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("1 withdrawn.")).to_be_visible()
    assert Participant.objects.get(study_id="AX-0102").status == "withdrawn"
    assert AuditEntry.objects.get(action="participant.withdraw").via == "admin"
    assert page.complaints == []  # type: ignore[attr-defined]


def test_the_pages_of_the_administration_keep_the_content_policy(page: Page, live_server: Any) -> None:
    person = factories.ParticipantFactory.create(study_id="AX-0001")
    addresses = ["", "participants/participant/", f"participants/participant/{person.pk}/change/"]
    for address in [*addresses, "participants/participant/add/", "participants/pause/add/", "participants/contact/"]:
        page.goto(f"/admin/{address}")
        page.wait_for_load_state("networkidle")
    page.goto("/admin/participants/pause/add/")
    page.locator(".select2-selection").first.click()
    expect(page.get_by_role("option", name="AX-0001")).to_be_visible()
    assert page.complaints == []  # type: ignore[attr-defined]
