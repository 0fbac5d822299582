"""Adherence as it was known on a date: the same answer whatever came later, of one's own people, as CSV too."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from metrics.models import DayStatusHistory
from participants.models import Participant, Trial
from tests import factories

pytestmark = pytest.mark.usefixtures("_now")
PAGE = "/trials/STRIDE-2/adherence/"
MARCH = dt.date(2026, 3, 1)


def knew(participant: Participant, day: int, status: str, known: str) -> None:
    """The status of a day of February that became known at an instant of Amsterdam's winter, "03-01 07:00"."""
    at = dt.datetime.fromisoformat(f"2026-{known}+01:00")
    date = dt.date(2026, 2, day)
    DayStatusHistory.objects.create(participant=participant, date=date, known_at=at, status=status, worn_minutes=700)


def shown(client: Client, query: str = "as_of=2026-03-01") -> dict[str, list[str]]:
    """By study id, the row's cells."""
    html = client.get(f"{PAGE}?{query}").content.decode().replace("\u00a0", " ")
    rows = re.findall(r'<tr><th scope="row"><a [^>]*>([^<]+)</a>.*?</tr>', html, re.S)
    cells = [
        re.findall(r'<td class="num[^"]*">([^<]*)</td>', row)
        for row in re.findall(r'<tr><th scope="row">.*?</tr>', html, re.S)
    ]
    return dict(zip(rows, cells, strict=True))


@pytest.fixture
def known(participant: Participant) -> Participant:
    """Two valid days, one invalid and one pending by the first of March."""
    for day, status in ((20, "v"), (21, "v"), (22, "i"), (28, "p")):
        knew(participant, day, status, "03-01 07:00")
    return participant


def test_it_counts_what_was_known_then(manager: Client, known: Participant) -> None:
    assert shown(manager) == {"AX-0042": ["2", "3", "66 %", "1", "0"]}


def test_the_same_query_gives_the_same_response_after_later_changes(manager: Client, known: Participant) -> None:
    before = shown(manager)
    knew(known, 28, "v", "03-02 00:00")  # that midnight is the second of March
    knew(known, 22, "v", "06-01 12:00")
    assert shown(manager) == before
    assert shown(manager, "as_of=2026-03-02")["AX-0042"][:3] == ["3", "4", "75 %"]
    assert shown(manager, "as_of=2026-06-01")["AX-0042"][:3] == ["4", "4", "100 %"]


def test_the_day_ends_at_the_trials_midnight(manager: Client, known: Participant) -> None:
    knew(known, 22, "v", "03-01 23:59")
    assert shown(manager)["AX-0042"][0] == "3"


def test_before_anything_was_known_nobody_is_listed(manager: Client, known: Participant) -> None:
    assert shown(manager, "as_of=2026-02-01") == {}


@pytest.mark.parametrize("asked", ["as_of=2031-01-01", "as_of=once", ""])
def test_no_date_or_one_to_come_is_now(manager: Client, known: Participant, asked: str) -> None:
    page = manager.get(f"{PAGE}?{asked}").content.decode()
    assert "Adherence as of 23 November 2026" in page
    assert "By 1,500 steps" in page


def test_a_past_date_shows_no_definition_that_is_reckoned_for_now(manager: Client, known: Participant) -> None:
    assert "By 1,500 steps" not in manager.get(f"{PAGE}?as_of=2026-03-01").content.decode()


def test_columns_sort(manager: Client, trial: Trial, known: Participant) -> None:
    other = factories.ParticipantFactory.create(trial=trial, study_id="AX-0001")
    knew(other, 20, "i", "03-01 07:00")
    assert list(shown(manager)) == ["AX-0001", "AX-0042"]
    assert list(shown(manager, "as_of=2026-03-01&sort=-adherence")) == ["AX-0042", "AX-0001"]


def test_a_site_member_sees_that_site_only(client: Client, trial: Trial, known: Participant) -> None:
    here, there = factories.SiteFactory.create_batch(2, trial=trial)
    Participant.objects.update(site=there)
    mine = factories.ParticipantFactory.create(trial=trial, site=here, study_id="MINE")
    knew(mine, 20, "v", "03-01 07:00")
    client.force_login(factories.MembershipFactory.create(trial=trial, site=here).user)
    assert list(shown(client)) == ["MINE"]
    body = b"".join(client.get(PAGE, {"as_of": "2026-03-01", "format": "csv"}).streaming_content)  # type: ignore[attr-defined]
    assert b"AX-0042" not in body


def test_csv_names_the_instant(manager: Client, known: Participant) -> None:
    answer = manager.get(PAGE, {"as_of": "2026-03-01", "format": "csv"})
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert lines[1] == "AX-0042,,,2026-03-01T22:59:59+00:00,2,3,1,0,0.6667"


def test_of_whom_no_day_counts_adherence_is_empty_and_not_zero(manager: Client, participant: Participant) -> None:
    knew(participant, 28, "p", "03-01 07:00")
    knew(participant, 27, "x", "03-01 07:00")
    answer = manager.get(PAGE, {"as_of": "2026-03-01", "format": "csv"})
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert lines[1:] == ["AX-0042,,,2026-03-01T22:59:59+00:00,0,0,1,1,"]
    assert shown(manager)["AX-0042"][:2] == ["0", "0"]
    assert "%" not in shown(manager)["AX-0042"][2]


def test_a_day_invalid_is_zero_percent(manager: Client, participant: Participant) -> None:
    knew(participant, 28, "i", "03-01 07:00")
    answer = manager.get(PAGE, {"as_of": "2026-03-01", "format": "csv"})
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert lines[1].endswith(",0,1,0,0,0.0000")


def test_now_is_what_the_status_summaries_say(manager: Client, trial: Trial, participant: Participant) -> None:
    factories.ParticipantStatusSummaryFactory.create(
        participant=participant, valid_days=2, counted_days=3, pending_days=1, excluded_days=4
    )
    factories.ParticipantStatusSummaryFactory.create(participant=factories.ParticipantFactory.create(trial=trial))
    assert {study_id: cells[:5] for study_id, cells in shown(manager, "").items()} == {
        "AX-0042": ["2", "3", "66 %", "1", "4"]
    }


def test_other_definitions_are_counted_of_the_page_alone(manager: Client, trial: Trial) -> None:
    for number in range(60):
        participant = factories.ParticipantFactory.create(trial=trial, study_id=f"B-{number:03}")
        factories.ParticipantStatusSummaryFactory.create(participant=participant, valid_days=number, counted_days=60)
    with CaptureQueriesContext(database) as queries:
        assert list(shown(manager, "sort=valid&page=2")) == [f"B-{number:03}" for number in range(50, 60)]
    others = [query["sql"] for query in queries if "metrics_participantday" in query["sql"]]
    last = Participant.objects.get(study_id="B-059").pk
    first = Participant.objects.get(study_id="B-000").pk
    assert others
    assert all(f"{last}" in statement and f"{first}," not in statement for statement in others)
