"""Validation of enrolment files: the outcome of each row, and what is wrong with which cell. Writes nothing.

The same rules as enrolling one by one, told for all cells of a row at once. A number of queries that does not grow
with the rows.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from participants.enrolment.parsing import Sheet
from participants.models import Participant, Site, Trial
from participants.privacy import contacts
from participants.study_ids import differs_in_case, study_key
from participants.tables import FORMULA
from participants.user_input import EARLIEST, LATEST, OUT_OF_BOUNDS

PHONE = re.compile(r"\+?[0-9 ()/.-]{3,39}\Z")
DAY_FIRST = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})\Z")
NAME_LENGTH = 200


class RowCheck(StrEnum):
    """The outcome of a row's check: what becomes of it."""

    NEW = "will be enrolled"
    KNOWN = "enrolled already"
    WRONG = "cannot be taken"


@dataclass(slots=True)
class Row:
    """A row and what its check found. `problems`: by column; under "" what concerns the row as a whole.

    `values` and `contact` are what the services take; contact is None where the row tells nothing of it.
    """

    line: int
    cells: dict[str, str]
    problems: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    contact: dict[str, str] | None = field(default=None, repr=False)
    known: bool = False

    @property
    def row_check(self) -> RowCheck:
        if self.problems:
            return RowCheck.WRONG
        return RowCheck.KNOWN if self.known else RowCheck.NEW


@dataclass(frozen=True, slots=True)
class Preview:
    """All rows with what their checks found. `problems`: what forbids the file as a whole."""

    columns: tuple[str, ...]
    rows: list[Row]
    problems: list[str]

    @property
    def counts(self) -> Counter[RowCheck]:
        return Counter(row.row_check for row in self.rows)

    @property
    def clean(self) -> bool:
        return not self.problems and not any(row.problems for row in self.rows)


def check(trial: Trial, sheet: Sheet, *, may_contact: bool) -> Preview:
    """Say of each row what would become of it. `may_contact`: contact data may be stored by whoever asks."""
    problems = []
    if trial.status == Trial.Status.CLOSED:
        problems.append(f"Trial {trial.code} is closed: nobody can be enrolled any more.")
    if sheet.has_contacts and not may_contact:
        problems.append(
            "The file has contact data, which your account may not store. Take the contact_ columns out, or ask "
            "somebody with the permission for contacts."
        )
    sites = {key: site for site in trial.sites.all() for key in (site.name.casefold(), site.code.casefold())}
    enrolled = _enrolled(trial, (cells["study_id"] for _, cells in sheet.rows))
    seen: dict[str, int] = {}
    rows = []
    for line, cells in sheet.rows:
        row = Row(line, cells)
        if line in sheet.extra:
            row.problems[""] = "The row has more cells than there are columns. Is a comma in a text not quoted?"
        _read_values(row, trial, sites)
        if sheet.has_contacts:
            _read_contact(row)
        _compare(row, enrolled, seen)
        rows.append(row)
    return Preview(sheet.columns, rows, problems)


def _enrolled(trial: Trial, study_ids: Iterable[str]) -> dict[str, Participant]:
    """The trial's participants whose study ids stand in the file, in whatever case, by the id as it is compared."""
    participants = Participant.objects.filter(trial=trial).select_related("site").with_study_ids(study_ids)
    return {study_key(participant.study_id): participant for participant in participants}


def _read_values(row: Row, trial: Trial, sites: dict[str, Site]) -> None:
    cells, values = row.cells, row.values
    values["study_id"] = cells["study_id"]
    values["arm"] = cells.get("arm", "")
    values["time_zone"] = cells.get("time_zone", "") or trial.time_zone
    values["site"] = None
    if named := cells.get("site", ""):
        values["site"] = sites.get(named.casefold())
        if values["site"] is None:
            known = ", ".join(sorted({site.code for site in sites.values()})) or "none"
            row.problems["site"] = f"There is no such site in {trial.code}. Known: {known}."
    for column in ("monitoring_starts_on", "monitoring_ends_on"):
        try:
            values[column] = _date(cells.get(column, ""))
        except ValueError as fault:
            row.problems[column], values[column] = str(fault), None
    if values["arm"].startswith(FORMULA):
        row.problems["arm"] = f"It begins with {values['arm'][0]!r}: a spreadsheet would run it as a formula."
    begins, ends = values["monitoring_starts_on"], values["monitoring_ends_on"]
    if begins and ends and ends < begins:
        row.problems["monitoring_ends_on"] = "Monitoring ends before it starts."
    try:
        Participant(**values).clean_fields(exclude=["trial", "site"])
    except ValidationError as error:
        for column, messages in error.message_dict.items():
            row.problems.setdefault(column, " ".join(messages))


def _date(text: str) -> dt.date | None:
    """A date in one of the forms that mean the same everywhere. Raises ValueError with what to write."""
    if not text:
        return None
    try:
        if match := DAY_FIRST.match(text):
            day, month, year = map(int, match.groups())
            date = dt.date(year, month, day)
        else:
            date = dt.datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  a date has no zone
    except ValueError:
        raise ValueError("Not a date that is the same everywhere. Write 2026-12-31 or 31.12.2026.") from None
    if not EARLIEST <= date <= LATEST:
        raise ValueError(f"Is the year right? {OUT_OF_BOUNDS}")
    return date


def _read_contact(row: Row) -> None:
    given = {part: row.cells.get(f"contact_{part}", "") for part in ("name", "email", "phone", "language")}
    language = given["language"].lower() or contacts.DEFAULT_LANGUAGE
    if not any(given.values()):
        return
    if given["name"].startswith(FORMULA):
        row.problems["contact_name"] = "It begins as a formula of a spreadsheet would."
    if len(given["name"]) > NAME_LENGTH:
        row.problems["contact_name"] = f"It is longer than {NAME_LENGTH} characters."
    if given["phone"] and not PHONE.match(given["phone"]):
        row.problems["contact_phone"] = "Not a telephone number."
    if language not in contacts.LANGUAGES:
        row.problems["contact_language"] = f"Choose one of {', '.join(contacts.LANGUAGES)}."
    if given["email"]:
        try:
            validate_email(given["email"])
        except ValidationError:
            row.problems["contact_email"] = "Not an e-mail address."
    row.contact = {**given, "language": language}


def _compare(row: Row, enrolled: dict[str, Participant], seen: dict[str, int]) -> None:
    """Is somebody in the file twice, or enrolled already: as the row says, or otherwise?"""
    study_id = row.cells["study_id"]
    if not study_id:
        return
    if (line := seen.setdefault(study_key(study_id), row.line)) != row.line:
        row.problems["study_id"] = f"It stands on line {line} too."
        return
    participant = enrolled.get(study_key(study_id))
    if participant is None:
        return
    if participant.study_id != study_id:
        row.problems["study_id"] = differs_in_case(participant.study_id)
        return
    row.known = True
    for column in row.cells:
        value = row.values.get(column)
        if column not in row.values or column in row.problems or not row.cells[column]:
            continue  # an empty cell says nothing about somebody who is enrolled
        if value != (stored := getattr(participant, column)):
            row.problems[column] = (
                f"They are enrolled with {_value_text(stored)}. Change it on their page, not by a file."
            )


def _value_text(value: Any) -> str:
    if isinstance(value, Site):
        return f"site {value.code}"
    return "nothing here" if value in (None, "") else str(value)
