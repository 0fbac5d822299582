"""From the invitation to the first data, page by page, in a real browser against the simulator over real HTTP."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from ingestion import live_providers
from ingestion.models import Connection
from ingestion.sync import dispatch
from participants.models import Participant
from tests import broker, factories
from tests.browser.conftest import PASSWORD, OpenContext, signed_in
from tests.paths import ROOT

pytestmark = pytest.mark.browser

SECRETS = re.compile(r"code=|state=|token")


@pytest.fixture(scope="module")
def simulator() -> Iterator[str]:
    """The address of a simulator of our own, as a process of its own."""
    command = [sys.executable, "manage.py", "simulate_google", "--participants", "24", "--port", "0"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    assert process.stdout
    said = process.stdout.readline()
    found = re.search(r"http://[\d.]+:\d+", said)
    try:
        assert found, said
        yield found[0]
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@pytest.fixture
def person(transactional_db: None, live_server: Any, simulator: str, settings: Any) -> Iterator[Participant]:
    """An invited participant of a demo trial at a site that talks to the simulator, monitored since yesterday."""
    settings.PUBLIC_URL = live_server.url
    settings.TOKEN_KEYS = ["a key for tests"]
    settings.LIVE_PROVIDERS = {
        "google_health": {"client_id": "sim-client", "client_secret": "sim-secret", "simulator_url": simulator}
    }
    live_providers.provider.cache_clear()
    trial = factories.TrialFactory.create(code="STRIDE-2", is_demo=True)
    user = factories.UserFactory.build(email="manager@example.org")
    user.set_password(PASSWORD)
    user.save()
    factories.MembershipFactory.create(trial=trial, user=user)
    made: Participant = factories.ParticipantFactory.create(
        trial=trial,
        study_id="AX-0042",
        status=Participant.Status.INVITED,
        monitoring_starts_on=dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1),
    )
    yield made
    live_providers.provider.cache_clear()


@pytest.fixture
def phone(open_context: OpenContext, simulator: str) -> BrowserContext:
    """The participant's own phone, which may go to the simulator too."""
    context = open_context(viewport={"width": 390, "height": 844})
    context.route(f"{simulator}/**", lambda route: route.continue_())
    return context


def invited(context: BrowserContext) -> tuple[Page, str]:
    """The manager makes a link; the manager's page, and the link."""
    page = signed_in(context)
    page.goto("/trials/STRIDE-2/participants/AX-0042/")
    page.get_by_role("button", name="Invite").click()
    expect(page.get_by_role("img", name="QR code of the link")).to_be_visible()
    return page, page.locator("#link").input_value()


def consent(page: Page, link: str, choose: Callable[[Page], None], button: str = "Continue") -> None:
    """Open the link, go to the vendor's screen, choose there, and come back."""
    page.goto(link)
    page.get_by_role("button", name="Continue to Google Health").click()
    expect(page.get_by_role("heading", name="Sign in with Google")).to_be_visible()
    choose(page)
    page.get_by_role("button", name=button, exact=True).click()


def nothing(page: Page) -> None:
    """Leave the vendor's screen as it is."""


def test_from_the_invitation_to_the_first_data_on_the_manager_s_screen(
    open_context: OpenContext, phone: BrowserContext, person: Participant
) -> None:
    manager, link = invited(open_context())
    manager.get_by_role("link", name="Done").click()
    expect(manager.locator("#connection .status", has_text="Unconnected")).to_be_visible()

    page = phone.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    consent(page, link, nothing)
    expect(page.get_by_role("heading", name="Your watch is connected")).to_be_visible()
    assert not SECRETS.search(page.url)

    # The open page follows by itself: first the connection, then its data.
    expect(manager.locator("#connection .status", has_text="Connected")).to_be_visible()
    expect(manager.get_by_role("heading", name="No data yet")).to_be_visible()
    ((connection_id,),) = broker.sent("ingestion.sync_connection")
    dispatch.serve(connection_id)  # the test is the worker
    expect(manager.locator("[data-chart][data-drawn=true]").first).to_be_visible()
    assert errors == []


def test_stopping_on_the_phone_shows_on_the_manager_s_screen(
    open_context: OpenContext, phone: BrowserContext, person: Participant
) -> None:
    manager, link = invited(open_context())
    page = phone.new_page()
    consent(page, link, nothing)
    page.get_by_role("link", name="Stop sharing").click()
    page.get_by_role("button", name="Stop sharing").click()
    expect(page.get_by_role("heading", name="You have stopped sharing")).to_be_visible()
    manager.goto("/trials/STRIDE-2/participants/AX-0042/")
    expect(manager.locator("#connection").get_by_text("they stopped sharing")).to_be_visible()
    assert Connection.objects.get().encrypted_tokens == ""


def without_sleep(page: Page) -> None:
    page.get_by_role("checkbox", name="sleep").uncheck()


def account_without_a_device(page: Page) -> None:
    bare = page.locator("#account option", has_text="no Fitbit").first
    page.locator("#account").select_option(bare.get_attribute("value"))


@pytest.mark.parametrize(
    ("choose", "button", "heading"),
    [
        (nothing, "Cancel", "You said no, and that is fine"),
        (without_sleep, "Continue", "Connected, but a part is missing"),
        (account_without_a_device, "Continue", "There is no device on this account"),
    ],
)
def test_what_may_come_of_the_vendor_s_screen(
    open_context: OpenContext,
    phone: BrowserContext,
    person: Participant,
    choose: Callable[[Page], None],
    button: str,
    heading: str,
) -> None:
    _, link = invited(open_context())
    page = phone.new_page()
    consent(page, link, choose, button)
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.get_by_role("link", name="Try again").or_(page.get_by_role("button", name="Try again"))).to_be_visible()
