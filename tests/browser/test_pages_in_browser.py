"""The pages as a browser shows them: charts, the CDN's fallback, no script, links, phone, keyboard."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import CdnLog, OpenContext, sign_in, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("participant")]

PERSON = "/trials/STRIDE-2/participants/AX-0042/?range=week&to=2026-11-20"
TRIAL = "/trials/STRIDE-2/"
DRAWN = "[data-chart][data-drawn=true]"


def watched(page: Page) -> list[str]:
    """Errors of the console and of scripts, as they come."""
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors


def chart(page: Page) -> dict[str, Any]:
    """What Chart.js has drawn: the kind of its first dataset, its points, and how many of them are empty."""
    found: dict[str, Any] = page.evaluate(
        """() => {
          const chart = window.Chart.getChart(document.querySelector("[data-chart] canvas"));
          const [first] = chart.data.datasets;
          return {
            type: first.type, datasets: chart.data.datasets.length, points: first.data.length,
            empty: first.data.filter((point) => point.y === null).length,
            zone: chart.options.scales.x.adapters.date.zone,
            gaps: chart.$.data.gaps.length,
          };
        }"""
    )
    return found


def opened(context: BrowserContext, address: str = PERSON) -> Page:
    page = signed_in(context)
    page.goto(address, wait_until="domcontentloaded")  # a script that hangs holds back "load", not the chart
    expect(page.locator(DRAWN)).to_have_count(page.locator("[data-chart]").count())
    return page


def test_a_chart_is_drawn_with_gaps_band_and_zone(open_context: OpenContext) -> None:
    drawn = chart(opened(open_context()))
    assert drawn["type"] == "line"
    assert drawn["datasets"] == 3
    assert drawn["points"] > 500
    assert drawn["empty"] >= 5
    assert drawn["gaps"] >= 6
    assert drawn["zone"] == "Europe/Amsterdam"


def test_no_page_puts_an_error_into_the_console(open_context: OpenContext) -> None:
    page = signed_in(open_context())
    errors = watched(page)
    for address in ("/", TRIAL, PERSON, f"{PERSON}&metric=steps", f"{PERSON.replace('week', 'day')}"):
        page.goto(address)
        page.wait_for_load_state("networkidle")
    assert errors == []


def test_the_libraries_come_from_the_cdn_with_their_integrity(open_context: OpenContext, cdn: CdnLog) -> None:
    page = opened(open_context())
    assert len(cdn) == 3
    assert page.locator("script[src^='https://cdn.jsdelivr.net/'][integrity^='sha384-'][crossorigin]").count() == 3


def test_a_tampered_library_is_refused_and_our_copy_drawn(open_context: OpenContext) -> None:
    def tamper(route: Route) -> None:
        headers = {"Access-Control-Allow-Origin": "*"}
        route.fulfill(body="window.tampered = true", content_type="text/javascript", headers=headers)

    page = opened(open_context(tamper))
    assert page.evaluate("window.tampered") is None
    assert chart(page)["points"] > 500


def test_without_the_cdn_our_copies_are_used_and_it_is_asked_once(open_context: OpenContext, cdn: CdnLog) -> None:
    page = opened(open_context(lambda route: route.abort()))
    assert chart(page)["points"] > 500
    page.goto(f"{PERSON}&metric=steps")
    page.wait_for_selector(DRAWN)
    assert len(cdn) == 1


def test_a_cdn_that_hangs_is_given_up(open_context: OpenContext) -> None:
    page = opened(open_context(lambda route: None))
    assert chart(page)["points"] > 500


def test_with_the_setting_off_no_cdn_is_asked(open_context: OpenContext, cdn: CdnLog, settings: Any) -> None:
    settings.CHARTS_FROM_CDN = False
    opened(open_context())
    assert cdn == []


def test_steps_are_bars(open_context: OpenContext) -> None:
    assert chart(opened(open_context(), f"{PERSON}&metric=steps"))["type"] == "bar"


def test_another_range_swaps_the_data_and_changes_the_address(open_context: OpenContext) -> None:
    page = opened(open_context())
    page.evaluate("window.notReloaded = true")
    page.get_by_role("link", name="Month").click()
    expect(page).to_have_url(re.compile(r"range=month"))
    page.wait_for_selector(DRAWN)
    assert page.evaluate("window.notReloaded") is True
    page.get_by_role("link", name="Earlier").click()
    expect(page).to_have_url(re.compile(r"range=month&to=2026-10-"))


def test_the_back_button_returns_to_the_range_before(open_context: OpenContext) -> None:
    page = opened(open_context())
    page.get_by_role("link", name="Day", exact=True).click()
    expect(page).to_have_url(re.compile(r"range=day"))
    page.wait_for_selector(DRAWN)
    page.go_back()
    expect(page.get_by_role("link", name="Week")).to_have_attribute("aria-current", "true")
    page.wait_for_selector(DRAWN)


def test_another_metric_is_drawn(open_context: OpenContext) -> None:
    page = opened(open_context())
    page.get_by_label("Metric").select_option("steps")
    expect(page.locator("#h-main")).to_have_text("Steps")
    page.wait_for_selector(DRAWN)
    assert chart(page)["type"] == "bar"


def test_without_script_the_table_is_there(open_context: OpenContext) -> None:
    page = signed_in(open_context(java_script_enabled=False))
    page.goto(PERSON)
    expect(
        page.get_by_role("region", name="Heart rate, table").get_by_role("rowheader", name="Wed 18 Nov 2026")
    ).to_be_visible()
    expect(page.locator("[data-chart]").first).to_be_hidden()
    page.get_by_role("link", name="Day", exact=True).click()
    expect(page).to_have_url(re.compile(r"range=day"))


def test_without_script_search_works_by_its_button(open_context: OpenContext) -> None:
    page = signed_in(open_context(java_script_enabled=False))
    page.goto(TRIAL)
    page.get_by_label("Search", exact=True).fill("AX-")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("[data-row]")).to_have_count(1)


def test_typing_a_study_id_filters_the_table_and_keeps_the_focus(open_context: OpenContext) -> None:
    page = signed_in(open_context())
    page.goto(TRIAL)
    page.keyboard.press("/")
    page.keyboard.type("ax-00")
    expect(page.locator("[data-row]")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?q=ax-00$"))
    expect(page.get_by_label("Search", exact=True)).to_be_focused()


def test_sorting_stays_when_the_search_changes(open_context: OpenContext) -> None:
    page = signed_in(open_context())
    page.goto(TRIAL)
    page.get_by_role("link", name="Battery").click()
    expect(page).to_have_url(re.compile(r"sort=battery"))
    expect(page.get_by_label("Sort")).to_have_value("battery")
    page.get_by_label("Search", exact=True).fill("P-")
    expect(page).to_have_url(re.compile(r"q=P-&sort=battery"))


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_no_page_scrolls_sideways(open_context: OpenContext, width: int) -> None:
    page = signed_in(open_context(viewport={"width": width, "height": 844}))
    too_wide = {}
    for address in ("/", TRIAL, PERSON, "/nowhere/"):
        page.goto(address)
        if address == PERSON:
            page.wait_for_selector(DRAWN)
        too_wide[address] = page.evaluate("document.documentElement.scrollWidth - innerWidth") > 0
    assert not any(too_wide.values()), too_wide


def test_the_theme_is_remembered(open_context: OpenContext) -> None:
    page = signed_in(open_context(color_scheme="light"))
    page.goto("/")
    page.get_by_role("button", name="Change between light and dark").click()
    page.goto(TRIAL)
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_first_tab_reaches_the_skip_link(open_context: OpenContext) -> None:
    page = signed_in(open_context())
    page.goto(TRIAL)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()


def test_signing_out_from_the_account_menu(open_context: OpenContext) -> None:
    page = sign_in(open_context())
    page.get_by_label("Account: manager@example.org").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile(r"/login/$"))
