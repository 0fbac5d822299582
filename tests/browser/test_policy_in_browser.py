"""No page trips over its own content security policy: a browser walks all of them and tells what it stopped."""

from __future__ import annotations

import datetime as dt
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils.safestring import mark_safe
from playwright.sync_api import BrowserContext, Page, expect

from dashboards.messaging.template_engine import email_html
from ingestion import live_providers
from ingestion.connections import invitations
from participants.models import Trial, User
from tests.browser.conftest import OpenContext, signed_in
from tests.browser.test_axe import PAGES, address, someone, trial  # noqa: F401  the fixture

pytestmark = pytest.mark.browser

LISTEN = """
  document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`policy: ${event.violatedDirective} stopped ${event.blockedURI} at line ${event.lineNumber}`));
"""


def told(context: BrowserContext) -> list[str]:
    """What browsers of this context stop for the policy's sake, and every other error of theirs, as it comes."""
    found: list[str] = []
    context.add_init_script(LISTEN)
    context.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    context.on("weberror", lambda error: found.append(str(error.error)))
    return found


# Once a page is loaded: its scripts have run, and what they asked the browser to draw is drawn.
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"


def walked(page: Page, addresses: list[str], found: list[str], *, asks_for_more: bool = True) -> list[str]:
    """What was told while these addresses were opened, each with its address.

    `asks_for_more`: their scripts ask the server again after loading; there is half a second's silence to wait for.
    """
    lines = []
    for one in addresses:
        found.clear()
        page.goto(one)
        if asks_for_more:
            page.wait_for_load_state("networkidle")
        else:
            page.evaluate(DRAWN)
        lines += [f"{one}: {text}" for text in found]
    return lines


def test_no_page_is_stopped_by_the_policy(
    open_context: OpenContext,
    trial: Trial,  # noqa: F811
    settings: Any,
    tmp_path: Path,
) -> None:
    settings.DEMO_MAIL_FOLDER = str(tmp_path)
    context = open_context()
    found = told(context)
    page = signed_in(context)
    assert walked(page, [address(one, trial) for one in PAGES], found) == []


def test_charts_of_all_ranges_and_the_heat_maps_day_are_drawn(
    open_context: OpenContext,
    trial: Trial,  # noqa: F811
) -> None:
    context = open_context()
    found = told(context)
    page = signed_in(context)
    person = address("participant", trial)
    assert walked(page, [f"{person}?range={one}" for one in ("day", "week", "month")], found) == []
    page.goto(address("heat map", trial))
    page.locator("[data-heat] a, .heat a, a[href*='/heatmap/']").first.click()
    page.wait_for_load_state("networkidle")
    assert found == []


def test_the_administration_is_not_stopped_by_the_policy(
    open_context: OpenContext,
    trial: Trial,  # noqa: F811
) -> None:
    User.objects.filter(email="manager@example.org").update(is_staff=True, is_superuser=True)
    context = open_context()
    found = told(context)
    page = signed_in(context)
    addresses = [reverse("admin:index")]
    for model in admin.site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        addresses.append(reverse(f"admin:{name}_changelist"))
        row = model._default_manager.order_by("pk").first()
        if row is not None:
            addresses.append(reverse(f"admin:{name}_change", args=[row.pk]))
    assert walked(page, addresses, found, asks_for_more=False) == []


def test_an_e_mail_in_the_demo_s_mailbox_keeps_its_styles(
    open_context: OpenContext,
    trial: Trial,  # noqa: F811
    settings: Any,
    tmp_path: Path,
) -> None:
    settings.DEMO_MAIL_FOLDER = str(tmp_path)
    mail = EmailMessage()
    mail["To"], mail["From"], mail["Subject"] = "manager@example.org", "trials@example.org", "A letter"
    mail["Date"] = dt.datetime.now(dt.UTC)
    mail.set_content("plain")
    body = mark_safe('<p style="margin:0 0 16px">Hello</p>')
    html = email_html(body, footer="You get this", opt_out_text="Stop", opt_out="https://x.example", language="en")
    mail.add_alternative(html, subtype="html")
    (tmp_path / "1.eml").write_bytes(mail.as_bytes())
    context = open_context()
    found = told(context)
    page = signed_in(context)
    found.clear()
    page.goto("/demo/mailbox/")
    expect(page.frame_locator("iframe").get_by_text("You get this")).to_have_css("font-size", "13px")
    assert found == []


def test_the_form_of_the_consent_page_may_lead_to_the_vendor_and_nowhere_else(
    open_context: OpenContext,
    trial: Trial,  # noqa: F811
    settings: Any,
) -> None:
    live_providers.provider.cache_clear()
    settings.LIVE_PROVIDERS = {"google_health": {"client_id": "a", "client_secret": "b"}}
    made = invitations.invitation_create(participant=someone(trial), by=None, now=dt.datetime.now(dt.UTC))
    context = open_context()
    context.route("https://accounts.google.com/**", lambda route: route.fulfill(body="<h1>The vendor</h1>"))
    found = told(context)
    page = context.new_page()
    page.goto(reverse("ingestion:connect", args=[invitations.invitation_code(made)]))
    policy = page.evaluate("fetch(location.href).then((answer) => answer.headers.get('Content-Security-Policy'))")
    assert "form-action 'self' https://accounts.google.com;" in f"{policy};"
    page.get_by_role("button", name="Continue to Google Health").click()
    expect(page.get_by_role("heading", name="The vendor")).to_be_visible()
    assert found == []
    live_providers.provider.cache_clear()


def test_the_walk_hears_of_what_the_policy_stops(open_context: OpenContext, live_server: Any) -> None:
    """Were it never to hear of anything, the tests above would say nothing."""
    context = open_context()
    context.route(
        "**/login/",
        lambda route: route.fulfill(
            body="<p style='color:red'>x</p>",
            content_type="text/html",
            headers={"Content-Security-Policy": "default-src 'self'"},
        ),
    )
    found = told(context)
    page = context.new_page()
    page.goto("/login/")
    page.wait_for_timeout(200)
    assert any("policy: style-src" in one for one in found)
