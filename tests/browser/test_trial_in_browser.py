"""A trial's page and heat map as a browser shows them: live rows, selection, keyboard."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from metrics.models import ParticipantStatusSummary
from participants.models import Participant
from tests import factories
from tests.browser.conftest import OpenContext, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("people")]

TRIAL = "/trials/STRIDE-2/"
MAP = "/trials/STRIDE-2/heatmap/"


@pytest.fixture
def people(participant: Participant) -> list[Participant]:
    """AX-0042 and three others, all of them evaluated."""
    found = list(Participant.objects.filter(trial=participant.trial).order_by("study_id"))
    ParticipantStatusSummary.objects.all().delete()  # the writer's: these tests say themselves how everybody stands
    for person in found:
        factories.EvaluatedSummaryFactory.create(
            participant=person, last=dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)
        )
    return found


def arrive(person: Participant) -> None:
    """New data of a participant, evaluated."""
    now = dt.datetime.now(dt.UTC)
    ParticipantStatusSummary.objects.filter(participant=person).update(
        last_sample_at=now, updated_at=now, battery_percent=77
    )


def trial_page(open_context: OpenContext) -> Page:
    page = signed_in(open_context())
    page.clock.install()
    page.goto(TRIAL)
    return page


def test_new_data_appear_by_themselves_and_are_announced(open_context: OpenContext, people: list[Participant]) -> None:
    page = trial_page(open_context)
    arrive(people[0])
    page.clock.fast_forward(16_000)
    expect(page.locator("[data-announce]")).to_have_text("1 participant has new data")
    expect(page.locator("[data-row=AX-0042] .c-up")).to_contain_text("just now")


def test_a_row_with_focus_stays_while_the_others_are_renewed(
    open_context: OpenContext, people: list[Participant]
) -> None:
    page = trial_page(open_context)
    mine, other = people[0], people[1]
    link = page.get_by_role("link", name=mine.study_id, exact=True)
    link.focus()
    arrive(mine)
    arrive(other)
    page.clock.fast_forward(16_000)
    expect(page.locator(f"[data-row={other.study_id}] .c-up")).to_contain_text("just now")
    expect(page.locator(f"[data-row={mine.study_id}] .c-up")).not_to_contain_text("just now")
    expect(link).to_be_focused()


def test_no_page_of_a_trial_puts_an_error_into_the_console(open_context: OpenContext) -> None:
    page = signed_in(open_context())
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    for address in (TRIAL, MAP, f"{MAP}?span=trial&show=nights"):
        page.goto(address)
        page.wait_for_load_state("networkidle")
    assert errors == []


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_no_page_of_a_trial_scrolls_sideways(open_context: OpenContext, width: int) -> None:
    Participant.objects.filter(study_id="AX-0042").update(study_id="A" * 64)
    page = signed_in(open_context(viewport={"width": width, "height": 844}))
    for address in (TRIAL, MAP):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, address


# --- selection ------------------------------------------------------------------------------------------------


def test_a_counter_filters_without_a_reload_and_the_address_follows(open_context: OpenContext) -> None:
    ParticipantStatusSummary.objects.filter(participant__study_id="AX-0042").update(low_wear=True)
    page = trial_page(open_context)
    page.evaluate("window.notReloaded = true")
    page.get_by_role("link", name="Low wear").click()
    expect(page.locator("[data-row]")).to_have_count(1)
    expect(page).to_have_url(f"{page.url.split('/trials')[0]}{TRIAL}?show=low-wear")
    expect(page.get_by_role("link", name="Low wear").first).to_have_attribute("aria-current", "true")
    assert page.evaluate("window.notReloaded") is True


def test_a_selection_is_kept_over_a_refresh_and_leads_to_the_email(
    open_context: OpenContext, people: list[Participant]
) -> None:
    page = trial_page(open_context)
    bar = page.locator("[data-bulk]")
    expect(bar).to_be_hidden()
    page.get_by_label(f"Select {people[0].study_id}", exact=True).check()
    page.get_by_label(f"Select {people[1].study_id}", exact=True).check()
    expect(bar).to_contain_text("2 selected")
    arrive(people[2])
    page.clock.fast_forward(16_000)
    expect(page.locator(f"[data-row={people[2].study_id}] .c-up")).to_contain_text("just now")
    expect(page.get_by_label(f"Select {people[0].study_id}", exact=True)).to_be_checked()
    bar.get_by_role("button", name="Write e-mail").click()
    page.wait_for_url(f"**/contact/?to={people[0].study_id}&to={people[1].study_id}")


def test_all_that_match_are_told_as_a_filter_and_not_one_by_one(
    open_context: OpenContext, people: list[Participant]
) -> None:
    page = trial_page(open_context)
    page.goto(f"{TRIAL}?q=p-")
    page.get_by_label("Select all on this page").check()
    page.get_by_label(f"Select {people[1].study_id}", exact=True).uncheck()
    page.get_by_role("button", name="Select all 3").click()
    expect(page.locator("[data-bulk]")).to_contain_text("All 3 selected")
    page.locator("[data-bulk]").get_by_role("button", name="Write e-mail").click()
    page.wait_for_url("**/contact/?all=1&q=p-")


def test_another_filter_drops_the_selection(open_context: OpenContext) -> None:
    page = trial_page(open_context)
    page.get_by_label("Select AX-0042").check()
    page.get_by_role("link", name="All well").click()
    expect(page.get_by_role("link", name="All well").first).to_have_attribute("aria-current", "true")
    expect(page.locator("[data-bulk]")).to_be_hidden()


# --- heat map -------------------------------------------------------------------------------------------------


def test_arrow_keys_choose_a_day_and_enter_opens_it(open_context: OpenContext, people: list[Participant]) -> None:
    ParticipantStatusSummary.objects.update(day_codes_until=dt.datetime.now(dt.UTC).date())
    page = signed_in(open_context())
    page.goto(MAP)
    page.locator("[data-map]").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    panel = page.locator("#heat-day")
    expect(panel).to_contain_text("AX-0042")
    yesterday = dt.datetime.now(ZoneInfo("Europe/Amsterdam")).date() - dt.timedelta(days=1)
    expect(panel).to_contain_text(f"{yesterday:%A} {yesterday.day} {yesterday:%B %Y}")
    page.keyboard.press("ArrowDown")
    expect(panel).to_contain_text(people[1].study_id)
    expect(page.locator(".map-ids [aria-current]")).to_contain_text(people[1].study_id)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/participants/{people[1].study_id}/?range=day&to={yesterday}**")


def test_the_pointer_shows_a_day_and_a_click_keeps_it(open_context: OpenContext) -> None:
    page = signed_in(open_context())
    page.goto(MAP)
    cells = page.locator("[data-map-hit]")
    cells.hover(position={"x": 24, "y": 8})
    expect(page.locator("#heat-day")).to_contain_text("AX-0042")
    cells.click(position={"x": 24, "y": 8})
    cells.hover(position={"x": 24, "y": 30})
    expect(page.locator("#heat-day")).to_contain_text("AX-0042")


def test_the_overview_turns_pages_by_keyboard_and_by_click(
    open_context: OpenContext, people: list[Participant]
) -> None:
    for person in factories.ParticipantFactory.create_batch(81, trial=people[0].trial):
        factories.EvaluatedSummaryFactory.create(participant=person)
    page = signed_in(open_context())
    page.goto(f"{MAP}?sort=id")
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "3")
    expect(page.get_by_role("slider")).to_be_focused()
    page.get_by_role("slider").click(position={"x": 50, "y": 5})
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "1")
    assert "page=" not in page.url


# --- a server is away -----------------------------------------------------------------------------------------


def test_a_page_that_gets_no_news_keeps_what_it_shows_and_says_so_until_it_does(
    open_context: OpenContext, people: list[Participant]
) -> None:
    page = trial_page(open_context)
    away = re.compile("pulse|trials/STRIDE-2/")
    page.route(away, lambda route: route.fulfill(status=503, body="<h1>away</h1>"))
    page.clock.fast_forward(16_000)
    notice = page.locator("#trouble")
    expect(notice).to_contain_text("A server that this page needs does not answer. What you see may be old")
    expect(page.locator("[data-row]")).to_have_count(len(people))
    page.unroute(away)
    page.clock.fast_forward(32_000)
    expect(notice).to_have_count(0)
