"""The trial's page: counters, filters, search, order, what a row says, how many queries all that needs."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.monitoring_data import fill
from dashboards.models import Alert, Note
from metrics.models import Access, Cause, Exclusion, ParticipantStatusSummary
from participants.models import Membership, Participant, Site, Trial
from tests import factories

pytestmark = pytest.mark.usefixtures("_now")

TRIAL = "/trials/STRIDE-2/"
HTMX = {"HX-Request": "true"}
NOW = dt.datetime(2026, 11, 23, 8, 12, tzinfo=dt.UTC)


def page(client: Client, query: str = "", **headers: str) -> str:
    answer = client.get(f"{TRIAL}?{query}", headers=headers or None)
    assert answer.status_code == 200
    return str(answer.content.decode().replace("\u00a0", " "))


def shown(client: Client, query: str = "") -> list[str]:
    """Study ids of the rows, in order."""
    return re.findall(r'data-row="([^"]+)"', page(client, query))


def counter(html: str, name: str) -> str:
    """The number of a counter."""
    found = re.search(rf"{name}</span>\s*<span class=\"counter-value\">([\d,]+)", html)
    assert found, name
    return found.group(1)


def stand(
    trial: Trial, study_id: str, *, hours: float | None = 1, site: Site | None = None, **facts: Any
) -> Participant:
    """A participant with their status summary; `hours` since their newest sample, None for none."""
    person: Participant = factories.ParticipantFactory.create(trial=trial, study_id=study_id, site=site)
    last = None if hours is None else NOW - dt.timedelta(hours=hours)
    factories.EvaluatedSummaryFactory.create(participant=person, last=last, **facts)
    return person


def raise_alert(person: Participant, rule: Alert.Rule, hours: float) -> None:
    at = NOW - dt.timedelta(hours=hours)
    Alert.objects.create(participant=person, rule=rule, level=1, raised_at=at, updated_at=at)


# --- counters -------------------------------------------------------------------------------------------------


def test_counters_count_each_condition_that_is_true_so_they_overlap(manager: Client, trial: Trial) -> None:
    stand(trial, "WELL")
    stand(trial, "BOTH", hours=60, low_wear=True)
    html = page(manager)
    assert [counter(html, name) for name in ("No data", "Low wear", "All well")] == ["1", "1", "1"]
    assert shown(manager, "show=silent") == shown(manager, "show=low-wear") == ["BOTH"]


@pytest.mark.parametrize(
    ("show", "facts"),
    [
        ("never-connected", {"hours": None, "access": Access.NEVER}),
        ("reconnect", {"access": Access.DEAD}),
        ("reconnect", {"access": Access.PARTIAL}),
        ("critical", {"hours": 121}),
        ("silent", {"hours": 49}),
        ("low-wear", {"low_wear": True}),
        ("low-sleep", {"low_sleep": 1}),
        ("attention", {"low_sleep": 2}),
        ("waiting", {"waiting": True, "hours": 60}),
        ("paused", {"excused": Exclusion.PAUSED}),
    ],
)
def test_each_filter_shows_those_of_whom_it_is_true(
    manager: Client, trial: Trial, show: str, facts: dict[str, Any]
) -> None:
    stand(trial, "OTHER")
    stand(trial, "THIS", **facts)
    assert shown(manager, f"show={show}") == ["THIS"]


def test_all_well_leaves_out_whoever_needs_anything(manager: Client, trial: Trial) -> None:
    stand(trial, "WELL")
    stand(trial, "SILENT", hours=50)
    assert shown(manager, "show=all-well") == ["WELL"]


def test_whom_a_fault_of_ours_keeps_waiting_is_not_silent(manager: Client, trial: Trial) -> None:
    stand(trial, "AX-1", hours=130, waiting=True, cause=Cause.PLATFORM)
    html = page(manager)
    assert (counter(html, "Critical"), counter(html, "No data")) == ("0", "0")
    assert "1 participant is</a> waiting for a retry. These hours are not counted." in html


def test_the_counter_in_use_is_marked_and_leads_back(manager: Client, trial: Trial) -> None:
    stand(trial, "AX-1")
    html = page(manager, "show=silent&sort=id")
    assert re.search(r'href="/trials/STRIDE-2/\?sort=id"[^>]*aria-current="true"', html)


def test_a_counter_tells_how_many_are_new_since_yesterday(manager: Client, trial: Trial) -> None:
    stand(trial, "NEW", hours=50)
    stand(trial, "OLD", hours=80)
    low = stand(trial, "LOW", low_wear=True)
    raise_alert(low, Alert.Rule.LOW_WEAR, hours=3)
    html = page(manager)
    silent, low_wear = (html.split(f"{name}</span>")[1][:200] for name in ("No data", "Low wear"))
    assert "+1<" in silent
    assert "+1<" in low_wear


def test_the_rules_are_those_of_the_protocol_in_force(manager: Client, trial: Trial) -> None:
    trial.protocols.update(upload_warn_hours=36, adherence_target=0.8, valid_day_minutes=480)
    stand(trial, "AX-1")
    html = page(manager)
    assert "no upload for 36 h" in html
    assert "adherence below 80 %" in html
    assert "8 h worn or more" in html


# --- search, sort, pages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    ["ax-00", "battery flat", "inspire", "harbour", "no data", "moved to Leiden", "harbour no data", "AX harb"],
)
def test_search_goes_by_id_cause_device_site_status_and_notes(manager: Client, trial: Trial, words: str) -> None:
    site = factories.SiteFactory.create(trial=trial, name="Harbour")
    person = stand(trial, "AX-0042", site=site, hours=50, cause=Cause.BATTERY_FLAT, device_model="Inspire 3")
    Note.objects.create(participant=person, text="Has moved to Leiden.")
    stand(trial, "BY-0007")
    assert shown(manager, f"q={words}") == ["AX-0042"]


def test_every_part_of_a_search_must_be_found(manager: Client, trial: Trial) -> None:
    stand(trial, "AX-0042", hours=50)
    assert shown(manager, "q=data paused") == []


def test_a_search_without_a_match_offers_everybody(manager: Client, trial: Trial) -> None:
    stand(trial, "AX-0042")
    assert "Nobody matches “nobody”" in page(manager, "q=nobody")


def test_the_most_urgent_come_first(manager: Client, trial: Trial) -> None:
    stand(trial, "A-WELL")
    stand(trial, "B-SILENT", hours=50)
    stand(trial, "C-CRITICAL", hours=130)
    stand(trial, "D-WORSE", hours=150)
    stand(trial, "E-RECONNECT", access=Access.DEAD)
    assert shown(manager) == ["D-WORSE", "C-CRITICAL", "E-RECONNECT", "B-SILENT", "A-WELL"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("id", ["A", "B", "C"]),
        ("-id", ["C", "B", "A"]),
        ("adherence", ["B", "A", "C"]),
        ("-adherence", ["A", "B", "C"]),
        ("upload", ["C", "A", "B"]),
        ("salvage", ["A", "B", "C"]),
        ("battery", ["B", "A", "C"]),
        ("nonsense", ["C", "A", "B"]),
    ],
)
def test_the_table_is_sorted_as_asked_with_the_unknown_last(
    manager: Client, trial: Trial, sort: str, order: list[str]
) -> None:
    stand(trial, "A", hours=20, adherence=0.9, battery_percent=50)
    stand(trial, "B", hours=10, adherence=0.8, battery_percent=20)
    stand(trial, "C", hours=None, adherence=None, access=Access.NEVER)
    assert shown(manager, f"sort={sort}") == order


def test_pages_of_fifty_never_overlap(manager: Client, trial: Trial) -> None:
    for number in range(51):
        stand(trial, f"P-{number:03d}")
    first, second = shown(manager, "sort=adherence"), shown(manager, "sort=adherence&page=2")
    assert (len(first), len(second)) == (50, 1)
    assert len({*first, *second}) == 51
    assert "1–50 of 51" in page(manager)


@pytest.mark.parametrize("query", ["sort=%00", "page=999", "page=x", "site=nowhere", "show=odd", "q=%00"])
def test_a_mistyped_address_shows_the_page_all_the_same(manager: Client, trial: Trial, query: str) -> None:
    stand(trial, "AX-1")
    assert manager.get(f"{TRIAL}?{query}").status_code == 200


# --- whom one may see -----------------------------------------------------------------------------------------------


def test_a_site_filter_holds_for_counters_rows_and_summary(manager: Client, trial: Trial) -> None:
    for code in ("N", "R"):
        site = factories.SiteFactory.create(trial=trial, code=code)
        stand(trial, f"AT-{code}", site=site, hours=50)
    html = page(manager, "site=R")
    assert re.findall(r'data-row="([^"]+)"', html) == ["AT-R"]
    assert counter(html, "No data") == "1"
    assert "<b>1</b> needs attention" in html


def test_a_member_of_one_site_sees_and_counts_that_site_alone(client: Client, trial: Trial) -> None:
    mine, other = (factories.SiteFactory.create(trial=trial) for _ in range(2))
    stand(trial, "MINE", site=mine, hours=50)
    raise_alert(stand(trial, "THEIRS", site=other, hours=50, low_wear=True), Alert.Rule.LOW_WEAR, hours=1)
    client.force_login(factories.MembershipFactory.create(trial=trial, site=mine).user)
    for query in ("", "site=" + other.code, "q=THEIRS", "show=low-wear", "format=csv"):
        answer = client.get(f"{TRIAL}?{query}")
        body = b"".join(answer) if answer.streaming else answer.content
        assert b"THEIRS" not in body.replace(b"q=THEIRS", b"").replace(b'value="THEIRS"', b"").replace(
            "“THEIRS”".encode(), b""
        )
    html = page(client)
    assert (counter(html, "No data"), counter(html, "Low wear")) == ("1", "0")
    assert other.name not in html


def test_a_viewer_gets_no_boxes_to_act_on(client: Client, trial: Trial) -> None:
    stand(trial, "AX-1")
    client.force_login(factories.MembershipFactory.create(trial=trial, role=Membership.Role.VIEWER).user)
    assert 'name="to"' not in page(client)


# --- what a row says ------------------------------------------------------------------------------------------------


def test_a_row_names_the_cause_since_when_and_what_to_do_before_figures(manager: Client, trial: Trial) -> None:
    stand(
        trial,
        "AX-1",
        hours=130,
        day_codes="2" * 20 + "il" + "p" * 8,
        cause=Cause.NOT_SYNCED,
        cause_since=NOW - dt.timedelta(hours=130),
        battery_percent=34,
        battery_at=NOW - dt.timedelta(hours=130),
    )
    row = page(manager).split('data-row="AX-1"')[1].split("</tr>")[0]
    assert "Critical</span>" in row
    assert "Not yet synced" in row
    assert "since Tue 23:12" in row or "since 17 Nov" in row
    assert "5 d 10 h ago" in row
    assert "1 d 14 h" in row
    assert "34 %" in row
    assert 'aria-label="Last 14 days: 4 valid, 1 invalid, 1 lost, 8 pending"' in row


def test_data_that_are_being_overwritten_say_so(manager: Client, trial: Trial) -> None:
    stand(trial, "AX-1", hours=200)
    assert "Losing data now" in page(manager)


def test_an_adherence_just_below_the_target_is_not_rounded_up_to_it(manager: Client, trial: Trial) -> None:
    stand(trial, "AX-1", adherence=0.699, best_adherence=0.8)
    html = page(manager)
    assert "<b>69 %</b>" in html
    assert "best 80 %" in html


def test_who_is_not_evaluated_yet_is_told_apart_from_zero(manager: Client, trial: Trial) -> None:
    factories.ParticipantFactory.create(trial=trial, study_id="AX-NEW")
    assert "Not assessed yet" in page(manager)


def test_the_strip_ends_with_the_trials_today_though_they_were_evaluated_yesterday(
    manager: Client, trial: Trial
) -> None:
    stand(trial, "AX-1", day_codes="2" * 20, day_codes_until=dt.date(2026, 11, 22))
    assert "Last 14 days: 13 valid, 1 pending" in page(manager)


def test_the_summary_counts_yesterdays_statuses_by_each_ones_own_day_codes(manager: Client, trial: Trial) -> None:
    stand(trial, "A", day_codes="222p")
    stand(trial, "B", day_codes="2i", day_codes_until=dt.date(2026, 11, 22))
    stand(trial, "C", day_codes="ppp", day_codes_until=dt.date(2026, 11, 24))
    stand(trial, "D", day_codes="p")
    assert "Yesterday <b>1</b> of 3 days valid, 1 pending" in page(manager)


# --- empty, and everything failing ------------------------------------------------------------------------------------


def test_an_empty_trial_says_what_to_do(manager: Client) -> None:
    html = page(manager)
    assert "No participants yet" in html
    assert 'class="counters"' not in html


@pytest.mark.parametrize("kind", ["well", "critical", "unconnected", "waiting", "paused", "withdrawn", "completed"])
def test_everybody_alike_is_shown(manager: Client, trial: Trial, kind: str) -> None:
    code = "ALIKE"
    made = fill(code, 3, 30, now=NOW, kind=kind, rollups=False)
    factories.MembershipFactory.create(trial=made, user_id=manager.session["_auth_user_id"])
    html = manager.get(f"/trials/{code}/").content.decode()
    assert len(re.findall("data-row=", html)) == 3
    assert "nan %" not in html


# --- live -------------------------------------------------------------------------------------------------------------


def seen(html: str) -> str:
    found = re.search(r"seen=([^\"&]+)", html)
    assert found
    return found.group(1)


def test_a_poll_is_answered_with_nothing_where_nothing_changed(manager: Client, trial: Trial) -> None:
    stand(trial, "AX-1")
    answer = manager.get(f"{TRIAL}?seen={seen(page(manager))}", headers=HTMX)
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_poll_brings_table_and_counters_where_a_status_summary_changed(manager: Client, trial: Trial) -> None:
    person = stand(trial, "AX-1")
    beat = seen(page(manager))
    ParticipantStatusSummary.objects.filter(participant=person).update(updated_at=NOW, low_wear=True)
    answer = manager.get(f"{TRIAL}?seen={beat}", headers=HTMX)
    html = answer.content.decode()
    assert html.lstrip().startswith('<div id="people"')
    assert 'id="counters" hx-swap-oob="true"' in html
    assert counter(html, "Low wear") == "1"
    assert "HX-Push-Url" not in answer.headers


def test_a_poll_brings_a_new_alert(manager: Client, trial: Trial) -> None:
    person = stand(trial, "AX-1")
    beat = seen(page(manager))
    raise_alert(person, Alert.Rule.LOW_SLEEP, hours=0)
    assert manager.get(f"{TRIAL}?seen={beat}", headers=HTMX).status_code == 200


def test_htmx_gets_the_table_with_its_counters_and_its_address(manager: Client, trial: Trial) -> None:
    stand(trial, "AX-1")
    answer = manager.get(TRIAL, {"q": "AX", "site": "", "show": "", "sort": "urgency"}, headers=HTMX)
    assert answer.content.decode().lstrip().startswith('<div id="people"')
    assert answer.headers["HX-Push-Url"] == f"{TRIAL}?q=AX"
    assert "HX-Request" in answer.headers["Vary"]


# --- size -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "?q=ax&sort=-battery", "?format=csv"])
def test_a_page_needs_as_many_queries_for_200_participants_as_for_5(manager: Client, trial: Trial, query: str) -> None:
    user = manager.session["_auth_user_id"]
    counted = []
    for size in (5, 200):
        made = fill(f"SIZE-{size}", size, 30, now=NOW, rollups=False)
        factories.MembershipFactory.create(trial=made, user_id=user)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = manager.get(f"/trials/{made.code}/{query}")
            if answer.streaming:
                b"".join(answer)
        counted.append(len(queries))
    assert counted[0] == counted[1]
    assert counted[0] <= 18


def test_a_page_of_fifty_weighs_less_than_300_kb(manager: Client, trial: Trial) -> None:
    made = fill("HEAVY", 60, 60, now=NOW, rollups=False)
    factories.MembershipFactory.create(trial=made, user_id=manager.session["_auth_user_id"])
    assert len(manager.get("/trials/HEAVY/").content) < 300 * 1024


# --- CSV --------------------------------------------------------------------------------------------------------------


def csv_of(client: Client, query: str = "") -> list[list[str]]:
    import csv

    answer = client.get(f"{TRIAL}?{query}&format=csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    body = b"".join(answer).decode("utf-8-sig")
    return list(csv.reader(body.splitlines()))


def test_the_csv_holds_all_that_match_in_the_order_shown(manager: Client, trial: Trial) -> None:
    for number in range(51):
        stand(trial, f"P-{number:03d}", hours=50)
    stand(trial, "WELL")
    head, *rows = csv_of(manager, "show=silent&sort=-id")
    assert head[0] == "study_id"
    assert [row[0] for row in rows] == [f"P-{number:03d}" for number in reversed(range(51))]


def test_the_csv_says_why_with_the_evidence(manager: Client, trial: Trial) -> None:
    stand(trial, "AX-0519", hours=50, cause="battery_flat", evidence={"battery_percent": 3})
    head, row = csv_of(manager, "show=silent")
    assert row[head.index("evidence")] == "Last reading 3\u00a0%, then nothing"


def test_the_csv_gives_nothing_that_a_spreadsheet_would_run(manager: Client, trial: Trial) -> None:
    site = factories.SiteFactory.create(trial=trial, name='=HYPERLINK("http://x")')
    stand(trial, "AX-1", site=site)
    assert csv_of(manager)[1][1] == '\'=HYPERLINK("http://x")'
