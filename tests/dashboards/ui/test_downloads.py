"""Lists that people take away from pages: as CSV and as a workbook, the same rows, each noted."""

from __future__ import annotations

import csv
import io
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest
from django.test import Client

from metrics.models import Recompute
from participants import tables
from participants.models import AuditEntry, Participant, Trial
from tests import factories
from tests.dashboards.measured import NOON, heart_rate, store

pytestmark = pytest.mark.django_db
SITE = "Zürich – Süd"


@pytest.fixture
def trial() -> Trial:
    made: Trial = factories.TrialFactory.create(code="STRIDE-2")
    site = factories.SiteFactory.create(trial=made, code="ZH", name=SITE)
    person = factories.ParticipantFactory.create(trial=made, study_id="AX-1", site=site, arm="=1+1", status="active")
    store(person, heart_rate(NOON, 600, step=60))
    factories.ParticipantFactory.create(trial=made, study_id="AX-2", site=site)
    Recompute.objects.create(
        pk=7, trial=made, why="x", asked_at=NOON, finished_at=NOON, people={"AX-1": [1, 0.5, None]}
    )
    return made


@pytest.fixture
def manager(client: Client, trial: Trial) -> Client:
    client.force_login(factories.MembershipFactory.create(trial=trial).user)
    return client


PAGES = {"participants": "", "days": "heatmap/", "adherence": "adherence/", "recompute": "recomputes/7/"}


def taken(client: Client, page: str, form: str, **more: str) -> Any:
    return client.get(f"/trials/STRIDE-2/{PAGES[page]}", {"format": form, **more})


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


@pytest.mark.parametrize("page", PAGES)
def test_csv_and_workbook_hold_the_same_rows(manager: Client, page: str) -> None:
    raw = body(taken(manager, page, "csv"))
    assert raw.startswith(b"\xef\xbb\xbfstudy_id,")
    head, *rows = csv.reader(io.StringIO(raw.decode("utf-8-sig")))
    book = openpyxl.load_workbook(io.BytesIO(body(taken(manager, page, "xlsx"))))
    first, *lines = book[page.capitalize()].iter_rows(values_only=True)
    assert list(first) == head
    assert [line[0] for line in lines] == [row[0] for row in rows]
    assert len(rows) >= 1
    for line, row in zip(lines, rows, strict=True):
        for cell, text in zip(line, row, strict=True):
            assert (cell is None) == (text == "")
            if isinstance(cell, (int, float)) and not isinstance(cell, bool):
                assert float(text) == pytest.approx(cell, abs=0.0001)
    meanings = dict(book["Dictionary"].iter_rows(values_only=True, min_row=2))
    assert list(meanings) == head
    assert all(meanings.values())


def test_a_sites_name_is_as_it_is_and_nothing_runs(manager: Client) -> None:
    raw = body(taken(manager, "participants", "csv")).decode("utf-8-sig")
    row = next(row for row in csv.DictReader(io.StringIO(raw)) if row["study_id"] == "AX-1")
    assert (row["site"], row["arm"]) == (SITE, "'=1+1")
    sheet = openpyxl.load_workbook(io.BytesIO(body(taken(manager, "participants", "xlsx"))))["Participants"]
    cells = {
        sheet.cell(1, i).value: next(c for c in sheet["A"] if c.value == "AX-1").offset(0, i - 1) for i in (1, 2, 3)
    }
    assert cells["site"].value == SITE
    assert (cells["arm"].value, cells["arm"].data_type) == ("=1+1", "s")


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize("page", PAGES)
def test_each_is_noted_with_its_form(manager: Client, page: str, form: str) -> None:
    answer = taken(manager, page, form)
    assert answer.headers["Content-Disposition"].endswith(f'.{form}"')
    assert answer.headers["Cache-Control"].startswith("private, no-store")
    entry = AuditEntry.objects.get(action="trial.download")
    assert entry.detail.new == {"list": page, "format": form}


def test_a_list_longer_than_a_sheet_says_where_the_csv_is(manager: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "SHEET_ROWS", Participant.objects.count())
    book = openpyxl.load_workbook(io.BytesIO(body(taken(manager, "participants", "xlsx", site="ZH"))))
    words = book["Participants"]["A1"].value
    assert "The table has 2 rows, and a sheet holds 1" in words
    assert words.endswith("http://testserver/trials/STRIDE-2/?format=csv&site=ZH")


@pytest.mark.parametrize("page", PAGES)
def test_both_are_offered_beside_each_other(manager: Client, page: str) -> None:
    html = manager.get(f"/trials/STRIDE-2/{PAGES[page]}").content.decode()
    for form in ("csv", "xlsx"):
        assert f'format={form}" ' in html


def test_another_form_is_the_page(manager: Client) -> None:
    assert taken(manager, "participants", "pdf").headers["Content-Type"].startswith("text/html")
