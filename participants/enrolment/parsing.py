"""Parser of enrolment files: from bytes to rows of named cells, whatever spreadsheet and country they come from.

Encodings: UTF-8, UTF-16 with its mark, else Windows-1252. Delimiters: comma, semicolon, tab. Nothing of the content
is checked here: see validation.py.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass

LIMIT_BYTES = 1_000_000
LIMIT_ROWS = 500

# Column: what stands in it, for the page and the template's readers.
COLUMNS = {
    "study_id": "Needed. The pseudonym, unique in the trial: letters, digits, full stop, hyphen, underscore.",
    "site": "The site's code or name. Empty: no site.",
    "time_zone": "Where their days begin and end, e.g. Europe/Amsterdam. Empty: the trial's.",
    "monitoring_starts_on": "Their first day that counts: 2026-12-31 or 31.12.2026. Empty: none is set yet.",
    "monitoring_ends_on": "Their last day that counts, in the same form.",
    "arm": "The arm of the trial, up to 40 characters.",
}
CONTACT_COLUMNS = {
    "contact_name": "As they are addressed, the first name first.",
    "contact_email": "Their e-mail address.",
    "contact_phone": "Their telephone number: digits, spaces and + ( ) / . -",
    "contact_language": "en, nl or de. Empty: en.",
}
ALIASES = {"participant": "study_id", "participant_id": "study_id", "contact_e_mail": "contact_email"} | {
    short: f"contact_{long}"
    for short, long in {
        "name": "name",
        "email": "email",
        "e_mail": "email",
        "phone": "phone",
        "telephone": "phone",
        "language": "language",
    }.items()
}
DELIMITERS = ",;\t"


class Unreadable(Exception):
    """The file as a whole cannot be taken; the message says why and is fit to show."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """`rows`: the line on which each ends, and its cells by column, trimmed. Empty rows are left out.

    `extra`: lines with more cells than there are columns.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    extra: frozenset[int] = frozenset()

    @property
    def has_contacts(self) -> bool:
        return any(column in CONTACT_COLUMNS for column in self.columns)


def decoded(content: bytes) -> str:
    """The file's text. Raises Unreadable where it is none, or too much."""
    if len(content) > LIMIT_BYTES:
        raise Unreadable(f"The file is larger than {LIMIT_BYTES // 1_000_000} MB. Upload it in parts.")
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise Unreadable("This is a workbook. Save the sheet as CSV (in Excel: CSV UTF-8) and upload that.")
    text = _text(content)
    if "\0" in text:
        raise Unreadable("This is not a text file. Save the sheet as CSV and upload that.")
    return text


def _text(content: bytes) -> str:
    try:
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return content.decode("utf-16")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Windows-1252 leaves five bytes undefined; a file that has them is no text of its.
        try:
            return content.decode("cp1252")
        except UnicodeDecodeError as error:
            raise Unreadable("The file's encoding is unknown. Save it as CSV UTF-8.") from error


def read(text: str) -> Sheet:
    """The rows of a file's text. Raises Unreadable."""
    text = re.sub(r"\Asep=(.)\r?\n", "", text)
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: tuple[str, ...] = ()
    rows: list[tuple[int, dict[str, str]]] = []
    extra = set()
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if not columns:
                columns = _columns(cells)
                continue
            if any(cells[len(columns) :]):
                extra.add(reader.line_num)
            rows.append((reader.line_num, dict(zip(columns, cells + [""] * len(columns), strict=False))))
            if len(rows) > LIMIT_ROWS:
                raise Unreadable(f"The file has more than {LIMIT_ROWS:,} rows. Upload it in parts.")
    except csv.Error as error:
        raise Unreadable(f"Line {reader.line_num} cannot be read: {error}.") from error
    if not rows:
        raise Unreadable("The file has no rows below its first line, which names the columns.")
    return Sheet(columns, tuple(rows), frozenset(extra))


def _columns(cells: list[str]) -> tuple[str, ...]:
    """The columns that a first line names. Raises Unreadable for one that is unknown, missing or there twice."""
    while cells and not cells[-1]:
        cells = cells[:-1]
    names = []
    for cell in cells:
        name = re.sub(r"[\s-]+", "_", cell.strip().casefold())
        names.append(ALIASES.get(name, name))
    known = {**COLUMNS, **CONTACT_COLUMNS}
    if strange := [cell or "(empty)" for cell, name in zip(cells, names, strict=True) if name not in known]:
        listed = ", ".join(repr(cell[:40]) for cell in strange[:5])
        raise Unreadable(f"The first line must name the columns. Unknown: {listed}. Known: {', '.join(known)}.")
    if "study_id" not in names:
        raise Unreadable("There is no column study_id.")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Unreadable(f"Named twice: {', '.join(twice)}.")
    return tuple(names)


def template(*, contacts: bool) -> str:
    """A file to fill in: the columns and one row as an example."""
    example = {
        "study_id": "AX-0001",
        "site": "",
        "time_zone": "Europe/Amsterdam",
        "monitoring_starts_on": "2026-12-01",
        "monitoring_ends_on": "2027-02-28",
        "arm": "",
        "contact_name": "Jo Example",
        "contact_email": "jo@example.org",
        "contact_phone": "020 555 0123",
        "contact_language": "en",
    }
    columns = [*COLUMNS, *(CONTACT_COLUMNS if contacts else ())]
    filled = io.StringIO()
    writer = csv.writer(filled)
    writer.writerow(columns)
    writer.writerow([example[column] for column in columns])
    return filled.getvalue()
