"""A participant's charts as people use them: zoom, pan, keys, linked axes, compare, one crosshair; notes; print."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
import time_machine as clock
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from dashboards.models import Note
from participants.models import Participant
from tests import factories
from tests.browser.conftest import PASSWORD, OpenContext, signed_in
from tests.dashboards.scene import set_scene

pytestmark = pytest.mark.browser

PERSON = "/trials/STRIDE-2/participants/AX-0042/"
DAY = 86_400_000
HOUR = 3_600_000
CHART = "window.Chart.getChart(document.querySelector('.plot-main canvas'))"


@pytest.fixture
def scene(transactional_db: None) -> Participant:
    trial = factories.TrialFactory.create(code="STRIDE-2", is_demo=True)
    user = factories.UserFactory.build(email="manager@example.org")
    user.set_password(PASSWORD)
    user.save()
    factories.MembershipFactory.create(trial=trial, user=user)
    return set_scene(factories.ParticipantFactory.create(trial=trial, study_id="AX-0042"), timezone.now(), by=user)


@pytest.fixture
def page(open_context: OpenContext, scene: Participant) -> Page:
    found = signed_in(open_context(viewport={"width": 1440, "height": 1000}))
    return opened(found)


def opened(page: Page, query: str = "") -> Page:
    page.goto(PERSON + query)
    expect(page.locator("[data-chart][data-drawn=true]")).to_have_count(page.locator("[data-chart]").count())
    return page


def plot(page: Page, name: str = "main") -> Locator:
    return page.locator(f".plot-{name} canvas")


def drawn(page: Page, name: str = "main") -> dict[str, Any]:
    """Span in view, points, seconds a point and the crosshair of a chart."""
    found: dict[str, Any] = page.evaluate(
        """(selector) => {
          const chart = window.Chart.getChart(document.querySelector(selector));
          const { min, max } = chart.scales.x;
          return {
            span: max - min, min, max, width: chart.$.data.meta.width_seconds, cursor: chart.$.cursor,
            left: chart.chartArea.left, right: chart.chartArea.right, types: chart.data.datasets.map((d) => d.type),
            axes: Object.keys(chart.scales),
          };
        }""",
        f".plot-{name} canvas",
    )
    return found


def drag(page: Page, by: int, *, start: int = 250, shift: bool = False) -> None:
    plot(page).scroll_into_view_if_needed()
    box = plot(page).bounding_box()
    assert box
    page.mouse.move(box["x"] + start, box["y"] + 60)
    if shift:
        page.keyboard.down("Shift")
    page.mouse.down()
    page.mouse.move(box["x"] + start + by, box["y"] + 64, steps=4)
    page.mouse.up()
    if shift:
        page.keyboard.up("Shift")


def test_a_drag_zooms_all_charts_and_the_timeline_and_asks_for_finer_data(page: Page) -> None:
    before = drawn(page)
    with page.expect_response(re.compile(r"series\.json.*metric=heart_rate.*start=.*Z")):
        drag(page, 120)
    page.wait_for_function(
        "() => Chart.getChart(document.querySelector('.plot-main canvas')).$.data.meta.width_seconds < 300"
    )
    after, steps = drawn(page), drawn(page, "steps")
    assert after["span"] < before["span"] / 4
    assert (steps["min"], steps["max"]) == (after["min"], after["max"])
    assert after["width"] < before["width"]
    assert float(page.locator("[data-zoomed]").get_attribute("width").removesuffix("%")) > 400  # type: ignore[union-attr]


def test_the_button_goes_back_to_the_whole_range(page: Page) -> None:
    button = page.get_by_role("button", name="Whole range")
    expect(button).to_be_hidden()
    drag(page, 120)
    button.click()
    assert drawn(page)["span"] == 7 * DAY
    expect(button).to_be_hidden()


def test_shift_drag_pans(page: Page) -> None:
    drag(page, 120)
    before = drawn(page)
    drag(page, -100, start=400, shift=True)
    after = drawn(page)
    assert after["min"] > before["min"]
    assert abs(after["span"] - before["span"]) < 2


def test_without_the_link_the_other_charts_stay(page: Page) -> None:
    page.get_by_label("Link time axes").uncheck()
    drag(page, 120)
    assert drawn(page)["span"] < 3 * DAY
    assert drawn(page, "steps")["span"] == 7 * DAY
    page.get_by_label("Link time axes").check()
    assert drawn(page, "steps")["span"] == drawn(page)["span"]


def test_the_keys_zoom_and_pan(page: Page) -> None:
    page.locator(".plot-main").focus()
    page.keyboard.press("+")
    assert abs(drawn(page)["span"] - 3.5 * DAY) < HOUR
    middle = drawn(page)
    page.keyboard.press("ArrowRight")
    assert drawn(page)["min"] > middle["min"]
    page.keyboard.press("-")
    page.keyboard.press("0")
    assert drawn(page)["span"] == 7 * DAY


def test_the_wheel_zooms_with_ctrl_only(page: Page) -> None:
    plot(page).scroll_into_view_if_needed()
    plot(page).hover()
    page.mouse.wheel(0, -100)
    assert drawn(page)["span"] == 7 * DAY
    plot(page).scroll_into_view_if_needed()
    plot(page).hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.wait_for_function(f"() => {{ const {{ min, max }} = {CHART}.scales.x; return max - min < {6.5 * DAY} }}")
    page.keyboard.up("Control")


def test_one_crosshair_runs_through_all_charts(page: Page) -> None:
    plot(page).hover()
    assert drawn(page)["cursor"] == drawn(page, "steps")["cursor"] is not None
    expect(page.locator("[data-cursor]")).to_have_attribute("visibility", "visible")


def test_two_metrics_share_a_chart_and_all_time_axes_stay_aligned(page: Page) -> None:
    page.get_by_label("Compare with").select_option("steps")
    expect(page).to_have_url(re.compile("compare=steps"))
    expect(page.get_by_role("heading", name="Heart rate and Steps")).to_be_visible()
    expect(page.locator("[data-chart][data-drawn=true]")).to_have_count(2)
    main, steps = drawn(page), drawn(page, "steps")
    assert "y2" in main["axes"]
    assert (main["left"], main["right"]) == (steps["left"], steps["right"])


def test_one_more_chart_can_be_had(page: Page) -> None:
    page.get_by_label("Add a chart").select_option("spo2")
    expect(page.get_by_role("heading", name="Oxygen saturation").first).to_be_visible()
    expect(page.locator("[data-chart][data-drawn=true]")).to_have_count(3)


def test_a_night_is_chosen_with_the_keyboard(page: Page) -> None:
    night = page.locator("a[id^=night-]").first
    night.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("night="))


def test_a_note_is_added_without_a_reload(page: Page) -> None:
    page.evaluate("window.notReloaded = true")
    page.get_by_label("New note").fill("Agreed to wear it on the other wrist.")
    page.get_by_role("button", name="Add").click()
    expect(page.locator("#notes").get_by_text("Agreed to wear it on the other wrist.")).to_be_visible()
    assert page.evaluate("window.notReloaded") is True
    assert Note.objects.filter(text__startswith="Agreed").count() == 1


def test_the_refresh_spares_what_a_user_is_busy_in(page: Page, scene: Participant) -> None:
    page.locator("#more-history summary").click()
    Note.objects.create(participant=scene, text="x")
    scene.alerts.filter(resolved_at=None).update(updated_at=timezone.now(), acknowledged_at=timezone.now())
    expect(page.locator("#live").get_by_text("acknowledged", exact=False).first).to_be_visible()
    expect(page.locator("#more-history")).to_have_attribute("open", "")


def test_a_chart_follows_the_theme(page: Page) -> None:
    colour = "() => Chart.getChart(document.querySelector('.plot-main canvas')).data.datasets[0].borderColor"
    before = page.evaluate(colour)
    page.get_by_role("button", name="Change between light and dark").click()
    assert page.evaluate(colour) != before


@pytest.fixture
def noon(time_machine: clock.TimeMachineFixture) -> None:
    """Yesterday at noon: what a page holds, and so its length on paper, differs between midnight and morning."""
    day = timezone.now() - dt.timedelta(days=1)
    time_machine.move_to(day.replace(hour=11, minute=0, second=0, microsecond=0), tick=True)


def test_the_record_prints_on_two_light_pages(noon: None, open_context: OpenContext, scene: Participant) -> None:
    page = opened(signed_in(open_context(color_scheme="dark", viewport={"width": 1440, "height": 1000})))
    paper = page.pdf(prefer_css_page_size=True, print_background=True)
    assert re.findall(rb"/Count (\d+)", paper) == [b"2"]
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).color") != "rgb(255, 255, 255)"
    expect(page.get_by_text(re.compile(r"STRIDE-2 · participant record AX-0042 · as of"))).to_be_visible()
    expect(page.get_by_label("New note")).to_be_hidden()
