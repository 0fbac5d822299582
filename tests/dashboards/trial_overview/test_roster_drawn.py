"""A row that was drawn for one person is shown again only to whom it says the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.utils.safestring import SafeString

from dashboards import roster_drawn
from dashboards.roster_rows import Adherence, Row, Upload
from dashboards.standing_words import BADGES, OPEN
from dashboards.why import Why
from metrics.standings import Word

ROW = Row(
    study_id="AX-1",
    place="Harbour",
    arm="",
    badge=BADGES[Word.WELL],
    why=Why("Worn and synced", "", "7 of 7 days valid"),
    adherence=Adherence(80, 90, 70, ""),
    strip=SafeString("<svg></svg>"),
    upload=Upload("3 min ago", "08:00", ""),
    salvage=None,
    battery=None,
    action=OPEN,
    stamp="1",
)


@pytest.fixture(autouse=True)
def nothing_drawn() -> None:
    roster_drawn.drawn.cache_clear()


def test_the_same_words_are_drawn_once() -> None:
    first = roster_drawn.drawn(ROW, "AX", True, "")
    assert roster_drawn.drawn(replace(ROW), "AX", True, "") is first


@pytest.mark.parametrize(
    ("other", "shown"),
    [
        (replace(ROW, study_id="AX-2"), "AX-2"),
        (replace(ROW, place="Riverside"), "Riverside"),
        (replace(ROW, arm="B"), "arm B"),
        (replace(ROW, upload=Upload("4 min ago", "08:00", "")), "4 min ago"),
        (replace(ROW, stamp="2"), 'data-last="2"'),
    ],
)
def test_other_words_are_another_row(other: Row, shown: str) -> None:
    assert shown not in roster_drawn.drawn(ROW, "AX", True, "")
    assert shown in roster_drawn.drawn(other, "AX", True, "")


def test_who_manages_a_participant_can_select_them_and_others_cannot() -> None:
    assert 'name="to"' in roster_drawn.drawn(ROW, "AX", True, "")
    assert 'name="to"' not in roster_drawn.drawn(ROW, "AX", False, "")


def test_links_lead_back_to_the_list_they_came_from() -> None:
    assert "list=show%3Dsilent" not in roster_drawn.drawn(ROW, "AX", True, "")
    assert "list=show%3Dsilent" in roster_drawn.drawn(ROW, "AX", True, "show=silent")


def test_what_somebody_wrote_is_text() -> None:
    assert "<i>" not in roster_drawn.drawn(replace(ROW, place="<i>x</i>"), "AX", True, "")
