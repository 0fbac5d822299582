"""A real browser against a real server. Nothing leaves the machine: the CDN is answered or refused by the tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import caches
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from dashboards.participant_detail.charts.libraries import CDN, LIBRARIES
from participants.models import Participant, User
from tests import factories
from tests.dashboards.measured import heart_rate, steps, store
from tests.paths import ROOT

# Playwright's synchronous interface runs an event loop, in which Django refuses the database unless told otherwise.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
VENDOR = ROOT / "static"
PASSWORD = "a-long-test-password"
# Milliseconds. Long, for a machine that does much else meanwhile: what comes at once is not waited for.
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)


@pytest.fixture(autouse=True)
def _no_sign_in_counted(transactional_db: None) -> None:
    """All tests sign in from one address: those of the tests before are not held against this one.

    They are counted in a table that is no model's, so that emptying the database between tests leaves it.
    """
    caches["default"].clear()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        pytest.skip(f"no browser found: install one of {', '.join(NAMES)}")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=list(QUIET))
        yield started
        started.close()


@pytest.fixture
def participant(transactional_db: None) -> Participant:
    """Six days of heart rate and steps that stop for an hour at noon, ended on 20 November 2026."""
    trial = factories.TrialFactory.create(code="STRIDE-2")
    user = factories.UserFactory.build(email="manager@example.org")
    user.set_password(PASSWORD)
    user.save()
    factories.MembershipFactory.create(trial=trial, user=user)
    person: Participant = factories.ParticipantFactory.create(trial=trial, study_id="AX-0042")
    factories.ParticipantFactory.create_batch(3, trial=trial)
    store(person, *_six_days())
    return person


def _six_days() -> list[Any]:
    import datetime as dt

    batches = []
    for day in range(6):
        midnight = dt.datetime(2026, 11, 14 + day, 23, tzinfo=dt.UTC)
        batches += [heart_rate(midnight, 660, step=15), heart_rate(midnight + dt.timedelta(hours=12), 660, step=15)]
        batches.append(steps(midnight + dt.timedelta(hours=8), [20] * 180))
    return batches


class CdnLog(list[str]):
    """Addresses asked of the CDN, in order."""


def answer_from_vendor(route: Route) -> None:
    """What the CDN would answer: the same bytes, from our copies."""
    by_url = {library.cdn_url: library.vendor_path for library in LIBRARIES}
    route.fulfill(
        path=VENDOR / by_url[route.request.url],
        content_type="text/javascript",
        headers={"Access-Control-Allow-Origin": "*"},
    )


@pytest.fixture
def cdn() -> CdnLog:
    return CdnLog()


OpenContext = Callable[..., BrowserContext]


@pytest.fixture
def open_context(browser: Browser, live_server: Any, cdn: CdnLog) -> Iterator[OpenContext]:
    """Make a browser context; `answer` handles requests to the CDN. Other hosts get nothing."""
    opened: list[BrowserContext] = []

    def make(answer: Callable[[Route], None] = answer_from_vendor, **options: Any) -> BrowserContext:
        context = browser.new_context(base_url=live_server.url, reduced_motion="reduce", **options)
        context.set_default_timeout(PATIENCE)
        opened.append(context)

        def handle(route: Route) -> None:
            cdn.append(route.request.url)
            answer(route)

        context.route(
            "**/*", lambda route: route.continue_() if route.request.url.startswith(live_server.url) else route.abort()
        )
        context.route(f"{CDN}/**", handle)
        return context

    yield make
    for context in opened:
        context.close()


def signed_in(context: BrowserContext) -> Page:
    """A tab of somebody who is signed in already, with nothing opened yet: what most tests are not about."""
    client = Client()
    client.force_login(User.objects.get(email="manager@example.org"))
    name = settings.SESSION_COOKIE_NAME
    # The live server's host; cookies do not heed the port.
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "domain": "localhost", "path": "/"}])
    return context.new_page()


def sign_in(context: BrowserContext) -> Page:
    """Signs in by the page, as people do, and waits for what follows."""
    page = context.new_page()
    page.goto("/login/")
    page.get_by_label("E-mail").fill("manager@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")
    return page
