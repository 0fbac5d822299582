"""Accounts through a real browser: the app, a passkey of Chromium's virtual authenticator, the session's end."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import Page, expect

from participants.models import Participant, SignIn
from tests.browser.axe import needs_axe, violations
from tests.browser.conftest import PASSWORD, OpenContext, sign_in, signed_in
from tests.participants.accounts.conftest import code_of


@pytest.fixture(autouse=True)
def _deployed(settings: Any, transactional_db: None) -> None:
    settings.SECOND_FACTOR = "required"
    settings.TOKEN_KEYS = ["a-key-for-the-tests"]


def with_key(page: Page) -> None:
    """The browser has a passkey store that says yes to everything."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def set_up_app(page: Page) -> str:
    page.get_by_role("link", name="Set up the app").click()
    key = page.get_by_label("Key").input_value()
    page.get_by_label("Code", exact=True).fill(code_of(key))
    page.get_by_role("button", name="Set up").click()
    page.get_by_role("link", name="I have saved them").click()
    return key


def test_a_manager_is_led_to_the_app_and_signs_in_with_it(open_context: OpenContext, participant: Participant) -> None:
    page = sign_in(open_context())
    page.wait_for_url("**/account/second-factor/")
    key = set_up_app(page)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.locator("summary").filter(has_text="manager").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("E-mail").fill("manager@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Code of your app").fill(code_of(key, 1))  # the one before was used
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")
    assert SignIn.objects.first().method == "password and authenticator app"  # type: ignore[union-attr]


def test_a_passkey_is_added_and_signs_in_without_a_password(
    open_context: OpenContext, participant: Participant
) -> None:
    page = sign_in(open_context())
    with_key(page)
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("Work laptop")
    page.get_by_role("button", name="Add the passkey").click()
    page.wait_for_url("**/account/recovery-codes/")
    assert Authenticator.objects.get(type="webauthn").wrap().name == "Work laptop"
    page.get_by_role("link", name="I have saved them").click()
    page.locator("summary").filter(has_text="manager").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(lambda address: "/login/" not in address)
    assert SignIn.objects.first().method == "passkey"  # type: ignore[union-attr]


def test_a_passkey_is_a_second_factor_after_the_password(open_context: OpenContext, participant: Participant) -> None:
    page = sign_in(open_context())
    with_key(page)
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Sign in with it alone").uncheck()
    page.get_by_role("button", name="Add the passkey").click()
    page.wait_for_url("**/account/recovery-codes/")
    page.get_by_role("link", name="I have saved them").click()
    page.locator("summary").filter(has_text="manager").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("E-mail").fill("manager@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/login/code/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(lambda address: "/login/" not in address)
    assert SignIn.objects.first().method == "password and passkey"  # type: ignore[union-attr]


def test_before_the_session_ends_the_page_warns_and_one_may_stay(
    open_context: OpenContext, participant: Participant, settings: Any
) -> None:
    settings.SECOND_FACTOR = "optional"
    settings.SESSION_IDLE_MINUTES = 2  # all of it is the warning's time
    page = signed_in(open_context())
    page.goto("/")
    expect(page.get_by_text("You will be signed out at")).to_be_visible()
    settings.SESSION_IDLE_MINUTES = 30
    page.get_by_role("button", name="Stay signed in").click()
    expect(page.get_by_text("You will be signed out at")).to_be_hidden()


def test_a_session_that_ended_leads_to_the_login(
    open_context: OpenContext, participant: Participant, settings: Any
) -> None:
    settings.SECOND_FACTOR = "optional"
    settings.SESSION_IDLE_MINUTES = 2
    page = signed_in(open_context())
    page.clock.install()
    page.goto("/")
    expect(page.get_by_text("You will be signed out at")).to_be_visible()
    settings.SESSION_IDLE_MINUTES = 0
    page.clock.fast_forward(21_000)  # it asks every 20 seconds
    page.wait_for_url("**/login/**")


@needs_axe
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_accounts_pages(
    open_context: OpenContext, participant: Participant, settings: Any, width: int, scheme: Any, tmp_path: Any
) -> None:
    context = open_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = signed_in(context)
    page.goto("/")
    page.wait_for_url("**/account/second-factor/")
    found = {"set up": violations(page)}
    page.goto("/account/second-factor/app/")
    found["app"] = violations(page)
    page.goto("/account/second-factor/")
    set_up_app(page)
    names = ("", "password/", "second-factor/", "recovery-codes/new/", "passkeys/", "passkeys/add/", "sign-ins/")
    for address in (*(f"/account/{name}" for name in names), "/trials/STRIDE-2/team/"):
        page.goto(address)
        found[address] = violations(page)
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if overflow > 0:
            found[f"{address} is too wide by"] = [overflow]
    page.context.clear_cookies()
    for address in ("/login/", "/account/password/reset/", "/account/password/reset/sent/", "/account/join/forged/"):
        page.goto(address)
        found[address] = violations(page)
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
