"""The heat map: what is drawn, for whom, of which days; one day's panel; how many queries it takes."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.monitoring_data import fill
from dashboards.heatmap import svg_paths
from metrics.models import Cause, Gap, ParticipantDay
from metrics.monitoring import day_codes
from participants.models import Participant, Trial
from tests import factories

pytestmark = pytest.mark.usefixtures("_now")

MAP = "/trials/STRIDE-2/heatmap/"
UTC = dt.UTC


def page(client: Client, query: str = "") -> str:
    answer = client.get(f"{MAP}?{query}")
    assert answer.status_code == 200
    return str(answer.content.decode().replace("\u00a0", " "))


def shown(client: Client, query: str = "") -> list[str]:
    return re.findall(r'data-id="([^"]+)"', page(client, query))


def evaluated(trial: Trial, study_id: str, day_codes: str = "2" * 30, **facts: Any) -> Participant:
    person: Participant = factories.ParticipantFactory.create(
        trial=trial, study_id=study_id, site=facts.pop("site", None)
    )
    factories.EvaluatedSummaryFactory.create(participant=person, day_codes=day_codes, **facts)
    return person


def codes(*rows: str) -> svg_paths.DayCodes:
    return np.array([list(row.encode()) for row in rows], dtype=np.uint8)


# --- geometry -------------------------------------------------------------------------------------------------


def test_each_status_is_one_path_with_a_mark_for_each_day() -> None:
    drawn = {path.classes: path.d for path in svg_paths.cells(codes("2i2", "lx "), svg_paths.DAYS, 16)}
    assert drawn["m-heat-2"] == "M1 89h14v16h-14zM33 89h14v16h-14z"
    assert drawn["m-invalid"] == "M17 98h14v7h-14z"
    assert drawn["m-lost"].startswith("M5 112l6 6")
    assert set(drawn) == {"m-heat-2", "m-invalid", "m-lost", "m-excluded"}


def test_narrow_columns_are_drawn_as_intervals() -> None:
    (path,) = svg_paths.cells(codes("2222"), svg_paths.DAYS, 3)
    assert path.d == "M0 89h12v16h-12z"


def test_the_bars_above_leave_excluded_days_out_of_the_share() -> None:
    drawn = {path.classes: path.d for path in svg_paths.bars(codes("2", "i", "x", "x"), svg_paths.DAYS, 16)}
    assert drawn == {"o-valid": "M1 40.0h14v22.0h-14z", "o-invalid": "M1 18.0h14v22.0h-14z"}


def test_the_overview_shows_what_most_people_of_a_line_have() -> None:
    rows = ["2"] * 300 + ["i"] * 300
    found = svg_paths.overview(codes(*rows), svg_paths.DAYS)
    assert (found.people, found.lines) == (3, 200)
    assert {path.classes: path.d.count("M") for path in found.paths} == {"o-valid": 100, "o-invalid": 100}


def test_an_overview_never_has_more_than_250_lines_and_120_columns() -> None:
    found = svg_paths.overview(np.full((10_000, 365), ord("2"), np.uint8), svg_paths.DAYS)
    assert found.lines <= 250
    assert found.columns <= 120


# --- the page ---------------------------------------------------------------------------------------------------


def test_rows_are_links_in_the_order_asked_for(manager: Client, trial: Trial) -> None:
    evaluated(trial, "A", "2" * 30)
    evaluated(trial, "B", "2" * 10 + "i" * 20)
    assert shown(manager) == ["B", "A"]
    assert shown(manager, "sort=id") == ["A", "B"]
    assert shown(manager, "sort=adherence") == ["B", "A"]
    assert 'href="/trials/STRIDE-2/participants/A/"' in page(manager)


def test_the_table_under_the_map_counts_the_days_shown_alone(manager: Client, trial: Trial) -> None:
    evaluated(trial, "A", "l" * 40 + "2" * 20 + "iilxp" + "p" * 3)
    html = page(manager, "span=4w")
    row = re.search(r'<tr><th scope="row">A</th>.*?</tr>', html)
    assert row
    assert re.findall(r'class="num">([^<]+)<', row.group())[:6] == ["20", "2", "4", "1", "1", "0"]


@pytest.mark.parametrize(("query", "days"), [("span=4w", 28), ("", 56), ("span=trial", 70)])
def test_the_range_is_four_weeks_eight_or_the_whole_trial(manager: Client, trial: Trial, query: str, days: int) -> None:
    evaluated(trial, "A", "2" * 70)
    assert f'data-days="{days}"' in page(manager, query)


def test_each_ones_day_codes_are_placed_by_its_own_end(manager: Client, trial: Trial) -> None:
    evaluated(trial, "A", "i", day_codes_until=dt.date(2026, 11, 22))
    drawn = re.search(r'class="m-invalid" d="([^"]+)"/>\s*<rect class="map-halo"', page(manager, "span=4w"))
    assert drawn
    assert drawn.group(1) == f"M{26 * 32 + 1} 98h30v7h-30z"


def test_nights_are_drawn_in_place_of_days(manager: Client, trial: Trial) -> None:
    evaluated(trial, "A", nights=day_codes.NIGHT * 20 + day_codes.NO_NIGHT * 10)
    html = page(manager, "show=nights")
    assert 'class="m-night"' in html
    assert "Night recorded" in html
    assert "<li>66 %</li>" in html


def test_pages_have_forty_rows(manager: Client, trial: Trial) -> None:
    for number in range(41):
        evaluated(trial, f"P-{number:02d}")
    assert len(shown(manager, "sort=id")) == 40
    assert shown(manager, "sort=id&page=2") == ["P-40"]
    assert 'aria-valuemax="2" aria-valuenow="2"' in page(manager, "sort=id&page=2")


def test_a_member_of_one_site_sees_that_site_in_rows_overview_and_csv(client: Client, trial: Trial) -> None:
    mine, other = (factories.SiteFactory.create(trial=trial) for _ in range(2))
    evaluated(trial, "MINE", site=mine)
    evaluated(trial, "THEIRS", site=other)
    client.force_login(factories.MembershipFactory.create(trial=trial, site=mine).user)
    html = page(client)
    assert "of all 1<" in html
    assert "THEIRS" not in html
    assert shown(client, f"site={other.code}") == []
    body = b"".join(client.get(f"{MAP}?format=csv"))
    assert b"THEIRS" not in body


def test_an_empty_trial_says_what_to_do(manager: Client) -> None:
    assert "No participants yet" in page(manager)


@pytest.mark.parametrize("query", ["span=odd", "show=odd", "sort=odd", "page=x", "site=%00", "span=trial&page=99"])
def test_a_mistyped_address_shows_the_map_all_the_same(manager: Client, trial: Trial, query: str) -> None:
    factories.ParticipantFactory.create(trial=trial)
    assert manager.get(f"{MAP}?{query}").status_code == 200


def test_the_csv_has_a_status_for_each_day_of_everybody(manager: Client, trial: Trial) -> None:
    evaluated(trial, "A", "2" * 27 + "i" + "xfp")
    body = b"".join(manager.get(f"{MAP}?span=4w&format=csv")).decode("utf-8-sig")
    head, line = body.splitlines()
    assert head.startswith("study_id,status,adherence,2026-10-27,")
    assert line.endswith("valid,invalid,excluded,technical problem,pending")


def test_htmx_gets_the_map_alone_and_its_address(manager: Client, trial: Trial) -> None:
    evaluated(trial, "A")
    answer = manager.get(MAP, {"span": "4w", "show": "days"}, headers={"HX-Request": "true"})
    assert answer.content.decode().lstrip().startswith('<div id="heat"')
    assert answer.headers["HX-Push-Url"] == f"{MAP}?span=4w"


@pytest.mark.parametrize("query", ["", "?span=trial&show=nights&sort=adherence"])
def test_the_map_needs_as_many_queries_for_200_participants_as_for_5(manager: Client, trial: Trial, query: str) -> None:
    counted = []
    for size in (5, 200):
        made = fill(f"SIZE-{size}", size, 60, now=dt.datetime(2026, 11, 23, 8, 12, tzinfo=UTC), rollups=False)
        factories.MembershipFactory.create(trial=made, user_id=manager.session["_auth_user_id"])
        with CaptureQueriesContext(connection) as queries:
            manager.get(f"/trials/{made.code}/heatmap/{query}")
        counted.append(len(queries))
    assert counted[0] == counted[1] <= 10


def test_a_map_of_a_year_weighs_less_than_300_kb(manager: Client, trial: Trial) -> None:
    made = fill("YEAR", 60, 365, now=dt.datetime(2026, 11, 23, 8, 12, tzinfo=UTC), rollups=False)
    factories.MembershipFactory.create(trial=made, user_id=manager.session["_auth_user_id"])
    assert len(manager.get("/trials/YEAR/heatmap/?span=trial").content) < 300 * 1024


# --- one day ------------------------------------------------------------------------------------------------------


def day_of(person: Participant, date: dt.date, **facts: Any) -> None:
    ParticipantDay.objects.create(
        participant=person, date=date, updated_at=dt.datetime(2026, 11, 23, tzinfo=UTC), **facts
    )


def test_a_days_panel_names_status_gaps_causes_and_since_when_known(manager: Client, trial: Trial) -> None:
    person = evaluated(trial, "AX-1")
    day_of(
        person,
        dt.date(2026, 11, 11),
        status="i",
        worn_minutes=400,
        known_at=dt.datetime(2026, 11, 12, 6, 40, tzinfo=UTC),
    )
    Gap.objects.create(
        participant=person,
        date=dt.date(2026, 11, 11),
        starts_at=dt.datetime(2026, 11, 11, 5, 10, tzinfo=UTC),
        ends_at=dt.datetime(2026, 11, 11, 23, 0, tzinfo=UTC),
        cause=Cause.OFF_WRIST,
        known_at=dt.datetime(2026, 11, 12, 6, 40, tzinfo=UTC),
    )
    html = manager.get(f"{MAP}AX-1/2026-11-11/").content.decode().replace("\u00a0", " ")
    assert "Wednesday 11 November 2026" in html
    assert "Invalid: worn 6 h 40 (10 h needed)" in html
    assert "<dt>06:10–24:00</dt><dd>Off the wrist</dd>" in html
    assert "12 Nov, 07:40" in html
    assert "/participants/AX-1/?range=day&amp;to=2026-11-11" in html


def test_a_gap_of_today_ends_now(manager: Client, trial: Trial) -> None:
    person = evaluated(trial, "AX-1")
    day_of(person, dt.date(2026, 11, 23), worn_minutes=360)
    Gap.objects.create(
        participant=person,
        date=dt.date(2026, 11, 23),
        starts_at=dt.datetime(2026, 11, 23, 5, 0, tzinfo=UTC),
        ends_at=dt.datetime(2026, 11, 23, 23, 0, tzinfo=UTC),
        cause=Cause.NOT_SYNCED,
        known_at=dt.datetime(2026, 11, 23, 6, 0, tzinfo=UTC),
    )
    assert "<dt>06:00–now</dt><dd>Not yet synced</dd>" in manager.get(f"{MAP}AX-1/2026-11-23/").content.decode()


def test_a_day_of_25_hours_is_drawn_to_its_real_length(manager: Client, trial: Trial) -> None:
    person = evaluated(trial, "AX-1")
    day_of(person, dt.date(2026, 10, 25), day_minutes=1500)
    Gap.objects.create(
        participant=person,
        date=dt.date(2026, 10, 25),
        starts_at=dt.datetime(2026, 10, 25, 10, 30, tzinfo=UTC),  # 12 h 30 after midnight by the clock of the wall + 1
        ends_at=dt.datetime(2026, 10, 25, 23, 0, tzinfo=UTC),
        cause=Cause.UNKNOWN,
        known_at=dt.datetime(2026, 10, 26, tzinfo=UTC),
    )
    assert 'x="50.000%" width="50.000%"' in manager.get(f"{MAP}AX-1/2026-10-25/").content.decode()


@pytest.mark.parametrize("date", ["2026-13-01", "yesterday", "2026-02-30"])
def test_a_date_that_is_none_is_not_found(manager: Client, trial: Trial, date: str) -> None:
    evaluated(trial, "AX-1")
    assert manager.get(f"{MAP}AX-1/{date}/").status_code == 404


def test_a_day_without_a_status_says_so(manager: Client, trial: Trial) -> None:
    evaluated(trial, "AX-1")
    assert "No result on this day" in manager.get(f"{MAP}AX-1/2020-01-01/").content.decode()
