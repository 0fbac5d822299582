"""Tables to take away: the encoding is told, cells have their types, nothing runs, memory does not grow."""

from __future__ import annotations

import csv
import datetime as dt
import io
import tracemalloc
from pathlib import Path
from typing import Any, BinaryIO, cast

import openpyxl  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from participants import tables
from participants.tables import SHEET_ROWS, Workbook, csv_lines

DICTIONARY = [("column", "meaning"), ("text", "a text")]


def book(rows: list[list[Any]], *, count: int | None = None, heads: tuple[str, ...] = ("text",)) -> Any:
    out = io.BytesIO()
    made = Workbook(out, "List", heads, count=len(rows) if count is None else count, csv="list.csv")
    for row in rows:
        made.add(row)
    made.close(DICTIONARY)
    return openpyxl.load_workbook(out)


def test_csv_begins_with_the_mark_that_excel_needs_and_only_there() -> None:
    lines = list(csv_lines(("site",), [["Zürich – Süd"], [""]]))
    raw = "".join(lines).encode()
    assert raw.startswith(b"\xef\xbb\xbfsite\r\n")
    assert raw.count(b"\xef\xbb\xbf") == 1
    assert raw.decode("utf-8-sig").splitlines() == ["site", "Zürich – Süd", '""']


def test_cells_of_csv_are_exact() -> None:
    at = dt.datetime(2026, 11, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    row = [None, True, False, 3, 0.5, at, dt.date(2026, 11, 1), "x"]
    (_, line) = csv_lines(("a",), [row])
    assert line == ",true,false,3,0.5000,2026-11-01T10:00:00+00:00,2026-11-01,x\r\n"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"])
def test_what_a_spreadsheet_would_run_is_text(text: str) -> None:
    (_, line) = csv_lines(("a",), [[text]])
    assert next(csv.reader([line])) == [f"'{text}"]
    cell = book([[text]])["List"]["A2"]
    assert (cell.data_type, cell.value) == ("s", text.replace("\r", "_x000D_") if "\r" in text else text)


def test_numbers_below_zero_stay_numbers() -> None:
    (_, line) = csv_lines(("a",), [[-1, -0.5]])
    assert line == "-1,-0.5000\r\n"


def test_a_workbook_has_types_a_heading_that_stays_and_a_dictionary() -> None:
    at = dt.datetime(2026, 11, 1, 12, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    made = book(
        [["x", 3, 0.25, True, dt.date(2026, 11, 1), at, None, float("nan"), "12", "https://example.org", ""]],
        heads=("text", "n", "share", "yes", "day", "at", "none", "nan", "digits", "link", "empty"),
    )
    assert made.sheetnames == ["List", "Dictionary"]
    sheet = made["List"]
    assert sheet.freeze_panes == "A2"
    assert sheet["A1"].font.bold
    row = [cell.value for cell in sheet[2]]
    assert row[:4] == ["x", 3, 0.25, True]
    assert [type(value) for value in row[:4]] == [str, int, float, bool]
    assert (sheet["E2"].number_format, row[4]) == ("yyyy-mm-dd", dt.datetime.fromisoformat("2026-11-01"))
    assert (sheet["F2"].is_date, row[5]) == (True, dt.datetime.fromisoformat("2026-11-01T10:30"))
    assert row[6:8] == [None, None]
    assert (row[8], sheet["I2"].data_type) == ("12", "s")
    assert (row[9], sheet["J2"].hyperlink) == ("https://example.org", None)
    assert [[cell.value for cell in line] for line in made["Dictionary"].iter_rows()] == [list(r) for r in DICTIONARY]
    assert made["Dictionary"].freeze_panes == "A2"


@given(
    st.lists(
        st.one_of(st.text(), st.integers(-(2**53), 2**53), st.booleans(), st.dates(dt.date(2000, 1, 1))), max_size=6
    )
)
def test_any_row_is_written_and_read_again(row: list[Any]) -> None:
    cells = [cell.value for cell in book([[*row, "end"]])["List"][2]]
    for wanted, found in zip([*row, "end"], cells, strict=True):
        if isinstance(wanted, dt.date):
            assert found == dt.datetime.combine(wanted, dt.time())
        elif not isinstance(wanted, str) or (wanted.isprintable() and wanted and not wanted.startswith("_x")):
            assert found == wanted


def test_past_a_sheets_rows_a_sentence_says_where_the_csv_is() -> None:
    made = book([["x"]], count=SHEET_ROWS)
    assert [[cell.value for cell in row] for row in made["List"].iter_rows()] == [
        ["The table has 1,048,576 rows, and a sheet holds 1,048,575 under its heading."
         " Take the CSV in place of this: list.csv"]
    ]  # fmt: skip
    assert made["Dictionary"]["A2"].value == "text"
    assert book([["x"]], count=SHEET_ROWS - 1)["List"]["A2"].value == "x"


def test_a_sheet_is_never_written_beyond_its_last_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "SHEET_ROWS", 4)
    assert book([["x"]] * 5, count=3)["List"].max_row == 4


class Sink(io.RawIOBase):
    """A file that keeps nothing."""

    size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def write(self, data: Any) -> int:
        self.size += len(data)
        return len(data)


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    peaks = []
    for rows in (500, 5_000):
        tracemalloc.start()
        made = Workbook(cast(BinaryIO, Sink()), "List", ("a",) * 20, count=rows, csv="", folder=str(tmp_path))
        for number in range(rows):
            made.add(["some text", number, number / 3, dt.date(2026, 11, 1)] * 5)
        made.close(DICTIONARY)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 300_000
    assert list(tmp_path.iterdir()) == []
