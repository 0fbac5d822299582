"""Subject access: everything kept about one participant, as files that they can read (GDPR, article 15).

Each package tells what it keeps in sections (participants.hooks.subject_access_sections, by functions that take the
participant). A test asks that every table with a path to them (participants.privacy.data_map) is in some section.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import shutil
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
from django.db.models import DateField, ForeignKey, Model, QuerySet
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from participants import hooks
from participants.audit import record
from participants.models import Participant, Trial
from participants.privacy import languages
from participants.tables import BOM, harmless

CHUNK = 2_000
README = "READ ME FIRST.txt"
README_WIDTH = 102  # characters

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """Section of a subject access: one kind of thing that is kept.

    `name`: of its files, a folder may stand before it. `about`: for lay people.

    `rows`: each with the same members; or `lines`, ready CSV with its heading, for what is too much for JSON.
    `models`: the tables it tells of; also those of which it says why they are not repeated.
    """

    name: str
    title: str
    about: str
    models: tuple[type[Model], ...]
    rows: Iterable[Row] = ()
    lines: Iterable[bytes] | None = None


@dataclass(slots=True)
class Written:
    """Result of an export: the folder, and how many rows each file has."""

    folder: Path
    rows: dict[str, int] = field(default_factory=dict)


class FolderTaken(ValueError):
    """There is something in the folder already; the message is fit to show."""


def sections(participant: Participant) -> Iterator[Section]:
    """Sections of every app about a participant. Rows are read when they are iterated."""
    for section in hooks.subject_access_sections:
        yield from section(participant)


def subject_export(participant: Participant, folder: Path, *, reason: str = "") -> Written:
    """Write everything about a participant into a new folder inside `folder`; recorded in the trail, a part of it.

    A row at a time, in constant memory. Readable by its owner alone: the name is in it. Where anything fails, nothing
    is left behind. Raises FolderTaken, OSError, encryption.CannotDecrypt.
    """
    target = folder / f"{participant.trial.code} {participant.study_id}"
    if target.exists():
        raise FolderTaken(f"{target} is there already. Move it away, or choose another folder.")
    record("subject.export", participant=participant, reason=reason)
    folder.mkdir(parents=True, exist_ok=True)
    making = folder / f".{target.name}.part"
    try:
        rows = write(participant, making)
        making.rename(target)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    return Written(target, rows)


def write(participant: Participant, folder: Path, tell: Callable[[int], None] = lambda rows: None) -> dict[str, int]:
    """Write the sections and the read-me into `folder`, which is made anew; rows by section. Records nothing.

    `tell` hears of rows as they are written. Raises OSError, encryption.CannotDecrypt.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    language = languages.in_language(languages.of_participant(participant))
    with language:  # rows are read later, and are as they are stored
        kept = list(sections(participant))
    written = [(section, _write(section, folder, tell)) for section in kept]
    with language:
        (folder / README).write_text(_readme(participant, written), encoding="utf-8")
    return {section.name: rows for section, rows in written}


def subject_archive(participant: Participant, folder: Path, *, reason: str = "") -> Path:
    """Write the export as one ZIP file, which is returned. Raises what subject_export does."""
    written = subject_export(participant, folder, reason=reason)
    archive = shutil.make_archive(str(written.folder), "zip", folder, written.folder.name)
    shutil.rmtree(written.folder)
    Path(archive).chmod(0o600)
    return Path(archive)


def _write(section: Section, folder: Path, tell: Callable[[int], None]) -> int:
    path = folder / section.name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if section.lines is not None:
        return _write_lines(path, section.lines, tell)
    return _write_rows(path, section.rows, tell)


def _write_lines(path: Path, lines: Iterable[bytes], tell: Callable[[int], None]) -> int:
    n = -1  # the heading
    with path.with_name(path.name + ".csv").open("wb") as out:
        out.write(BOM.encode())
        for piece in lines:
            rows = piece.count(b"\n")
            n += rows
            out.write(piece)
            tell(rows)
    return max(n, 0)


def _write_rows(path: Path, rows: Iterable[Row], tell: Callable[[int], None]) -> int:
    """Write rows as JSON, exact, and as CSV, for spreadsheets. No file where there is no row: the read-me says so."""
    n = 0
    iterator = iter(rows)
    first = next(iterator, None)
    if first is None:
        return n
    as_json, as_csv = path.with_name(path.name + ".json"), path.with_name(path.name + ".csv")
    with as_json.open("wb") as exact, as_csv.open("w", encoding="utf-8-sig", newline="") as table:
        sheet = csv.writer(table)
        sheet.writerow(first)
        for row in chain([first], iterator):
            exact.write((b",\n" if n else b"[\n") + orjson.dumps(row, default=str, option=orjson.OPT_NON_STR_KEYS))
            sheet.writerow([_cell(value) for value in row.values()])
            n += 1
            tell(1)
        exact.write(b"\n]\n")
    return n


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, dict | list):
        return json.dumps(value, default=str, ensure_ascii=False)
    return harmless(value) if isinstance(value, str) else str(value)


def rows_of(queryset: QuerySet[Any], *, leave_out: Iterable[str] = ()) -> Iterator[Row]:
    """Rows as they are stored: choices in words, what they refer to by its name, instants in UTC.

    Never what is encrypted, what the database computes from the others, nor the participant, whose files these are;
    `leave_out`: further fields.
    """
    skipped = {"participant", *leave_out}
    fields = [
        f
        for f in queryset.model._meta.concrete_fields
        if f.name not in skipped and not f.generated and not f.name.startswith("encrypted_")
    ]
    references = [f.name for f in fields if isinstance(f, ForeignKey)]
    for row in (
        queryset.select_related(*references).iterator(chunk_size=CHUNK) if references else queryset.iterator(CHUNK)
    ):
        yield {f.name: _value(row, f) for f in fields}


def _value(row: Any, f: Any) -> Any:
    if isinstance(f, ForeignKey):
        other = getattr(row, f.name)
        return None if other is None else str(other)
    if f.choices:
        return str(getattr(row, f"get_{f.name}_display")())
    value = getattr(row, f.name)
    return value.isoformat() if isinstance(f, DateField) and value is not None else value


def _readme(participant: Participant, written: list[tuple[Section, int]]) -> str:
    trial: Trial = participant.trial
    now = timezone.now()
    lines = [
        gettext("EVERYTHING THAT IS KEPT ABOUT YOU IN THIS TRIAL"),
        "",
        gettext("Trial: {code}, {title}").format(code=trial.code, title=trial.title),
        gettext("Your study id: {study_id}").format(study_id=participant.study_id),
        gettext("Written: {date}, {clock} UTC").format(date=languages.date_long(now), clock=f"{now:%H:%M}"),
    ]
    for paragraph in (
        gettext(
            "Each topic below has two files with the same content: one that ends in .csv, which opens in any "
            "spreadsheet program, and one that ends in .json, which is meant for computers. Measurements are so many "
            "that they come as .csv only. Times are given in UTC unless a column says otherwise."
        ),
        gettext(
            "Keys and passwords (for example those with which the platform reads your device's data) are not "
            "included: whoever had them could read your data. They say nothing about you."
        ),
        gettext(
            "These files are personal: they contain your name and your health data. Keep them where only you can "
            "read them."
        ),
    ):
        lines += ["", *textwrap.wrap(paragraph, README_WIDTH)]
    for section, rows in written:
        lines += ["", f"{section.title} ({_counted(rows)})"]
        if rows:
            lines.append("  " + gettext("File: {name}").format(name=section.name))
        lines += [f"  {line}" for line in textwrap.wrap(section.about, README_WIDTH - 2)]
    return "\n".join(lines) + "\n"


def _counted(rows: int) -> str:
    if not rows:
        return gettext("nothing is kept")
    return ngettext("{n} row", "{n} rows", rows).format(n=number_format(rows, force_grouping=True))
