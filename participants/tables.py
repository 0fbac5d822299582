"""Downloadable tables: CSV that a spreadsheet reads as it is meant, and workbooks.

Nothing in them runs: what a spreadsheet would take for a formula is text. Streams for programs are not made here.
"""

from __future__ import annotations

import csv
import datetime as dt
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import xlsxwriter.exceptions  # type: ignore[import-untyped]  # it brings no types

# Without it Excel takes UTF-8 for the code page of its machine.
BOM = "\ufeff"
# A spreadsheet takes text that begins so for a formula; in CSV an apostrophe in front makes it text.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
SHEET_ROWS = 1_048_576  # of a sheet, its heading included
CELL_CHARACTERS = 32_767
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DATE, INSTANT = "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table and what it means."""

    name: str
    meaning: str


def harmless(words: str) -> str:
    """Text as CSV holds it: nothing that a spreadsheet would run."""
    return f"'{words}" if words.startswith(FORMULA) else words


def csv_cell(value: Any) -> str:
    """A cell of CSV: instants ISO in UTC, shares with four decimals."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="seconds")
    if isinstance(value, float):
        return f"{value:.4f}"
    return harmless(str(value)) if isinstance(value, str) else str(value)


class _Line:
    """A file that hands each line back in place of storing it."""

    def write(self, line: str) -> str:
        return line


def csv_lines(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Lines of CSV, as they are made; the first begins with the mark that tells the encoding."""
    writer = csv.writer(_Line())
    yield BOM + writer.writerow(names)
    for row in rows:
        yield writer.writerow([csv_cell(cell) for cell in row])


class Workbook:
    """A table as a workbook: its rows on one sheet, what its columns mean on another.

    In memory that does not grow with the rows: they wait in a file of `folder`, and go out packed at the end.
    `count`: how many rows will come; where a sheet does not hold them, a sentence says so, and where the `csv` is.
    """

    def __init__(
        self, out: BinaryIO, name: str, heads: Sequence[str], *, count: int, csv: str, folder: str | None = None
    ) -> None:
        options = {"constant_memory": True, "tmpdir": folder, "default_date_format": INSTANT}
        self._book = xlsxwriter.Workbook(out, options)
        self._bold, self._date = self._book.add_format({"bold": True}), self._book.add_format({"num_format": DATE})
        self._sheet = self._book.add_worksheet(name)
        self._row, self._fits = 1, count < SHEET_ROWS
        if self._fits:
            self._head(self._sheet, heads)
        else:
            self._sheet.write_string(0, 0, too_many(count, csv))

    def add(self, row: Iterable[Any]) -> None:
        """Add a row, each cell of its own type."""
        if self._fits and self._row < SHEET_ROWS:
            for place, value in enumerate(row):
                _cell(self._sheet, self._row, place, value, self._date)
            self._row += 1

    def close(self, dictionary: Sequence[Sequence[str]]) -> None:
        """Write all of it. `dictionary`: its rows, the heading first. Raises OSError."""
        heads, *meanings = dictionary
        sheet = self._book.add_worksheet("Dictionary")
        self._head(sheet, heads)
        for number, meaning in enumerate(meanings, 1):
            for place, words in enumerate(meaning):
                _cell(sheet, number, place, words, self._date)
        try:
            self._book.close()
        except xlsxwriter.exceptions.FileCreateError as fault:
            raise fault.args[0] from None  # an OSError, wrapped

    def _head(self, sheet: Any, heads: Sequence[str]) -> None:
        """A heading that stays in sight."""
        sheet.freeze_panes(1, 0)
        for place, head in enumerate(heads):
            sheet.set_column(place, place, min(max(len(head) + 2, 12), 40))
        for place, head in enumerate(heads):
            sheet.write_string(0, place, head, self._bold)


def too_many(count: int, csv: str) -> str:
    """Text in place of more rows than a sheet holds."""
    return (
        f"The table has {count:,} rows, and a sheet holds {SHEET_ROWS - 1:,} under its heading."
        f" Take the CSV in place of this: {csv}"
    )


def _cell(sheet: Any, row: int, column: int, value: Any, date: Any) -> None:
    if value is None or value == "":
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, (int, float)):
        if math.isfinite(value):
            sheet.write_number(row, column, value)
    elif isinstance(value, dt.datetime):
        sheet.write_datetime(row, column, value.astimezone(dt.UTC).replace(tzinfo=None))
    elif isinstance(value, dt.date):
        sheet.write_datetime(row, column, value, date)
    else:
        sheet.write_string(row, column, str(value)[:CELL_CHARACTERS])
