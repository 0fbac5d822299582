"""The API's page: drawn under the strict content policy from our own files, and good for trying things."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import CdnLog, OpenContext, signed_in
from tests.browser.test_pages_in_browser import watched

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("participant")]
LIST = "#operations-trials-trials_list"


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_drawn_without_a_complaint(open_context: OpenContext, cdn: CdnLog, width: int, scheme: str) -> None:
    context = open_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    errors = watched(page)
    page.goto("/api/docs")
    expect(page.locator(LIST)).to_be_visible()
    page.locator(LIST).locator(".opblock-summary-control").click()
    expect(page.locator(LIST)).to_contain_text("Nothing has changed since the ETag")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert errors == []
    assert cdn == []


def test_who_is_signed_in_tries_it_as_themselves(open_context: OpenContext) -> None:
    context = open_context(viewport={"width": 1440, "height": 1400})
    page = signed_in(context)
    errors = watched(page)
    page.goto("/api/docs")
    page.locator(LIST).locator(".opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(LIST).locator(".live-responses-table")).to_contain_text("STRIDE-2")
    assert errors == []
