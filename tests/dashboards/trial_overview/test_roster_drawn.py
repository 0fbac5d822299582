"""A row that was drawn for one person is shown again only to whom it says the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.utils.safestring import SafeString

from dashboards.trial_overview import rows as trial_overview_rows
from dashboards.trial_overview.rows import Adherence, Row, Upload
from dashboards.trial_overview.status_reason import Why
from dashboards.ui.status_labels import BADGES, OPEN
from metrics.monitoring.status import AttentionStatus

ROW = Row(
    study_id="AX-1",
    place="Harbour",
    arm="",
    badge=BADGES[AttentionStatus.WELL],
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
    trial_overview_rows.drawn.cache_clear()


def test_the_same_texts_are_drawn_once() -> None:
    first = trial_overview_rows.drawn(ROW, "AX", True, "")
    assert trial_overview_rows.drawn(replace(ROW), "AX", True, "") is first


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
def test_other_texts_are_another_row(other: Row, shown: str) -> None:
    assert shown not in trial_overview_rows.drawn(ROW, "AX", True, "")
    assert shown in trial_overview_rows.drawn(other, "AX", True, "")


def test_who_manages_a_participant_can_select_them_and_others_cannot() -> None:
    assert 'name="to"' in trial_overview_rows.drawn(ROW, "AX", True, "")
    assert 'name="to"' not in trial_overview_rows.drawn(ROW, "AX", False, "")


def test_links_lead_back_to_the_list_they_came_from() -> None:
    assert "list=show%3Dsilent" not in trial_overview_rows.drawn(ROW, "AX", True, "")
    assert "list=show%3Dsilent" in trial_overview_rows.drawn(ROW, "AX", True, "show=silent")


def test_what_a_user_wrote_is_text() -> None:
    assert "<i>" not in trial_overview_rows.drawn(replace(ROW, place="<i>x</i>"), "AX", True, "")
