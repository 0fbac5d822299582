"""CSV text as columns: lines, numbers and the two ways of writing dates."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pytest

from ingestion.providers import csv_columns
from ingestion.providers.base.files import ForeignFile
from ingestion.providers.csv_columns import blocks, header_of
from ingestion.providers.text_cells import iso_datetimes, numbers, us_dates, us_datetimes


def _text(*cells: str) -> pa.StringArray:
    return pa.array(cells, pa.string())


def _read(data: bytes, *wanted: str, quoted: bool = False) -> tuple[list[int], list[tuple[int, str]], int]:
    """Lines of the good rows, line and reason of the bad ones, rows counted."""
    lines: list[int] = []
    bad: list[tuple[int, str]] = []
    rows = 0
    for block, chunk in blocks(lambda: io.BytesIO(data), wanted, quoted=quoted):
        lines += block.lines.tolist()
        bad += [(problem.line, problem.reason) for problem in chunk.problems]
        rows += chunk.rows
    return lines, bad, rows


def test_american_times_are_read_to_the_second() -> None:
    local, ok = us_datetimes(_text("4/12/2016 7:21:05 AM", "12/31/2016 12:00:00 AM", "12/31/2016 12:00:00 PM"))
    assert ok.all()
    expected = np.array(["2016-04-12T07:21:05", "2016-12-31T00:00:00", "2016-12-31T12:00:00"], "datetime64[us]")
    assert (local.view("datetime64[us]") == expected).all()


@pytest.mark.parametrize(
    "cell",
    [
        "4/31/2016 7:21:00 AM",
        "13/1/2016 1:00:00 AM",
        "2/29/2015 1:00:00 AM",
        "4/12/2016 17:21:00 AM",
        "4/12/2016 0:21:00 AM",
        "4/12/2016 7:61:00 AM",
        "4/12/2016 7:21:00 XM",
        "4/12/2016 7:21:00",
        "4/12/16 7:21:00 AM",
        "2016-04-12T07:21:00Z",
        "n/a",
        "",
    ],
)
def test_what_is_no_american_time_is_not_read(cell: str) -> None:
    assert not us_datetimes(_text("4/12/2016 7:21:00 AM", cell, "4/12/2016 7:21:00 AM"))[1][1]


def test_american_dates_are_read() -> None:
    local, ok = us_dates(_text("4/1/2016", "04/12/2016", "2/30/2016", "4/1/2016 12:00:00 AM"))
    assert ok.tolist() == [True, True, False, False]
    assert str(local.view("datetime64[us]")[0])[:10] == "2016-04-01"


def test_iso_times_are_read_with_and_without_zone() -> None:
    cells = [
        "2024-05-01T09:07",
        "2024-05-01T09:07:12Z",
        "2024-05-01T09:07:12.25+0200",
        "2024-05-01",
        "2024-05-01T25:00",
    ]
    local, ok, zoned = iso_datetimes(_text(*cells))
    assert ok.tolist() == [True, True, True, True, False]
    assert zoned[:4].tolist() == [False, True, True, False]
    expected = ["2024-05-01T09:07:00", "2024-05-01T09:07:12", "2024-05-01T07:07:12.250", "2024-05-01T00:00:00"]
    assert (local.view("datetime64[us]")[:4] == np.array(expected, "datetime64[us]")).all()


def test_numbers_name_the_cells_that_are_none() -> None:
    values, ok = numbers(_text("1", "", "x", "1.5e2", "NaN", "0x10", " "))
    assert ok.tolist() == [True, True, False, True, True, False, True]
    assert values[[0, 3]].tolist() == [1.0, 150.0]
    assert np.isnan(values[[1, 2, 4, 5, 6]]).all()


def test_a_slice_of_a_column_is_read_as_itself() -> None:
    column = _text("1/1/2001", "4/12/2016", "5/1/2016").slice(1, 2)
    local, ok = us_dates(column)
    assert ok.all()
    assert local.view("datetime64[us]").astype("datetime64[D]").astype(str).tolist() == ["2016-04-12", "2016-05-01"]


def test_a_header_is_read_behind_a_byte_order_mark() -> None:
    assert header_of(b"\xef\xbb\xbfId,Time, Value\r\n1,2,3") == ["Id", "Time", "Value"]


def test_every_row_knows_its_line_across_blocks_and_bad_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_columns, "BLOCK", 64)
    data = b"a,b\n" + b"".join(b"%d,x\n" % n if n % 7 else b"short\n" for n in range(2, 100))
    lines, bad, rows = _read(data, "a", "b")
    assert lines == [n for n in range(2, 100) if n % 7]
    assert bad == [(n, "not 2 cells") for n in range(2, 100) if not n % 7]
    assert rows == 98


def test_no_more_of_a_file_is_read_than_its_rows_so_far_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_columns, "BLOCK", 64)
    stream = io.BytesIO(b"a,b\n" + b"1,2\n" * 1_000)
    opened = iter([io.BytesIO(stream.getvalue()), stream])
    reading = blocks(lambda: next(opened), ["a", "b"])
    _, chunk = next(reading)
    assert stream.tell() <= 4 + 64
    assert 4 < chunk.position <= stream.tell()


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_row_longer_than_is_read_at_once_refuses_the_file(monkeypatch: pytest.MonkeyPatch, end: bytes) -> None:
    monkeypatch.setattr(csv_columns, "BLOCK", 64)
    with pytest.raises(ForeignFile, match="after line 2 cannot be told apart"):
        _read(b"a,b\n1,2\n" + b"x" * 200 + b",1" + end, "a", "b")


def test_blank_lines_are_no_rows_of_data() -> None:
    lines, bad, _ = _read(b"a,b\r\n1,2\r\n\r\n3,4\r\n\r\n", "a", "b")
    assert (lines, bad) == ([2, 4], [])


def test_a_bad_last_row_is_named() -> None:
    assert _read(b"a,b\n1,2\n3", "a", "b")[1] == [(3, "not 2 cells")]


def test_a_lone_quotation_mark_swallows_nothing() -> None:
    assert _read(b'a,b\n1,2\n"3,4\n5,6\n', "a", "b")[0] == [2, 3, 4]


def test_quoted_cells_may_hold_commas() -> None:
    assert _read(b'a,b\n1,"x, y"\n', "a", "b", quoted=True) == ([2], [], 1)


def test_a_column_given_twice_is_refused() -> None:
    with pytest.raises(ForeignFile, match="twice"):
        _read(b"a,a\n1,2\n", "a")


def test_a_file_of_a_header_alone_has_no_rows() -> None:
    assert _read(b"a,b\n", "a", "b") == ([], [], 0)
