"""The trial's page as a browser shows it: it follows the data, keeps what somebody is busy with, selects rows."""

from __future__ import annotations

import datetime as dt

import pytest
from playwright.sync_api import Page, expect

from metrics.models import Standing
from participants.models import Participant
from tests import factories
from tests.browser.conftest import OpenContext, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("people")]

TRIAL = "/trials/STRIDE-2/"


@pytest.fixture
def people(participant: Participant) -> list[Participant]:
    """AX-0042 and three others, all of them judged."""
    found = list(Participant.objects.filter(trial=participant.trial).order_by("study_id"))
    for person in found:
        factories.JudgedFactory.create(participant=person, last=dt.datetime.now(dt.UTC) - dt.timedelta(hours=2))
    return found


def arrive(person: Participant) -> None:
    """New data of a participant, judged."""
    now = dt.datetime.now(dt.UTC)
    Standing.objects.filter(participant=person).update(last_sample_at=now, updated_at=now, battery_percent=77)


def looked_at(open_context: OpenContext) -> Page:
    page = sign_in(open_context())
    page.clock.install()
    page.goto(TRIAL)
    return page


def test_new_data_appear_by_themselves_and_are_announced(open_context: OpenContext, people: list[Participant]) -> None:
    page = looked_at(open_context)
    arrive(people[0])
    page.clock.fast_forward(16_000)
    expect(page.locator("[data-announce]")).to_have_text("1 participant has new data")
    expect(page.locator("[data-row=AX-0042] .c-up")).to_contain_text("just now")


def test_a_row_with_focus_stays_while_the_others_are_renewed(
    open_context: OpenContext, people: list[Participant]
) -> None:
    page = looked_at(open_context)
    mine, other = people[0], people[1]
    link = page.get_by_role("link", name=mine.study_id, exact=True)
    link.focus()
    arrive(mine)
    arrive(other)
    page.clock.fast_forward(16_000)
    expect(page.locator(f"[data-row={other.study_id}] .c-up")).to_contain_text("just now")
    expect(page.locator(f"[data-row={mine.study_id}] .c-up")).not_to_contain_text("just now")
    expect(link).to_be_focused()
