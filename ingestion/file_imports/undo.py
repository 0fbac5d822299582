"""Undoing an import: what it stored goes, what it changed has its old value again, and nothing else is touched.

Rows that another import holds too stay, with that one's value; so do rows that were written otherwise since. Part
by part, the last one first, each in a transaction: a killed run is gone on with by calling it again.
"""

from __future__ import annotations

import datetime as dt
import uuid
import zoneinfo
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Max, Min, Sum
from django.utils import timezone
from numpy.typing import NDArray

from ingestion.file_imports import provenance
from ingestion.models import ImportedPart, ImportFile
from metrics.batch import Sessions
from metrics.corrections.row_restore import Restored, Session, hold_data, restore
from metrics.writing import sleep as writing_sleep
from metrics.writing.row_changes import OffsetTrace, SampleTrace, SessionTrace, chosen
from participants import audit
from participants.models import Participant

Kind = ImportedPart.Kind
Status = ImportFile.Status
UNTRACED = (
    "It was imported by a version that did not keep what it stored: it cannot be undone exactly. "
    "Delete the participant's measurements of its source instead."
)


class CannotUndo(ValueError):
    """Refusal to undo an import now; the message says why and what to do, and is fit to show."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Rows an import stored of one participant and kind: what a dry run shows. Instants are aware, UTC."""

    participant: Participant
    what: str  # a metric's name, or the kind of sessions
    source: str
    rows: int
    added: int
    changed: int
    first_at: dt.datetime
    last_at: dt.datetime

    def __str__(self) -> str:
        zone = zoneinfo.ZoneInfo(self.participant.time_zone)
        first, last = (f"{at.astimezone(zone):%Y-%m-%d %H:%M}" for at in (self.first_at, self.last_at))
        there = self.rows - self.added - self.changed
        counts = f"{self.added:,} new, {self.changed:,} changed, {there:,} that were there"
        return f"{self.participant.study_id}: {self.what} of {self.source}, {first} to {last}: {counts}"


def stored_by(record: ImportFile) -> list[Stored]:
    """Rows that the import stored and still holds, by participant, kind and source."""
    groups = (
        record.parts.filter(rows__gt=0)
        .values("participant", "kind", "metric__name", "source")
        .annotate(Sum("rows"), Sum("added"), Sum("changed"), Min("first_at"), Max("last_at"))
        .order_by("participant__study_id", "kind", "metric__name", "source")
    )
    participants = Participant.objects.in_bulk([group["participant"] for group in groups])
    sources = {
        part.source_id: str(part.source or "") for part in record.parts.select_related("source").defer("content")
    }
    return [
        Stored(
            participants[group["participant"]],
            group["metric__name"] or Kind(group["kind"]).label,
            sources[group["source"]],
            group["rows__sum"],
            group["added__sum"],
            group["changed__sum"],
            group["first_at__min"],
            group["last_at__max"],
        )
        for group in groups
    ]


def check(record: ImportFile) -> None:
    """Raises CannotUndo where the import holds nothing that could be taken back."""
    if record.status == Status.UNDONE:
        raise CannotUndo("It is undone already.")
    if record.status == Status.UNDOING:
        return
    if not record.traced and record.format:  # without a format it was refused unread
        raise CannotUndo(UNTRACED)
    if not record.parts.exists():
        raise CannotUndo("It stored nothing: there is nothing to undo.")


@transaction.atomic
def undo_begin(record: ImportFile, *, reason: str) -> ImportFile:
    """Mark an import as to be undone, whoever reads it at this moment; undo_run does it. Raises CannotUndo."""
    if not reason.strip():
        raise CannotUndo("Give a reason.")
    row = ImportFile.objects.select_for_update(no_key=True).get(pk=record.pk)
    check(row)
    if row.status != Status.UNDOING:
        was = row.status
        row.status, row.claim = Status.UNDOING, uuid.uuid4()
        row.save(update_fields=["status", "claim"])
        new = {"rows": row.parts.aggregate(Sum("rows"))["rows__sum"], "sha256": row.sha256, "format": row.format}
        audit.record(
            "import.undo", trial=row.trial, thing=f"import:{row.pk}", old={"status": was}, new=new, reason=reason
        )
    return row


def undo_run(pk: int, progress: Callable[[int], object] = lambda parts: None) -> Restored:
    """Carry out what was begun, to the end. Safe to be called again at any point, and by two at once.

    `progress` is called with the number of parts that were taken back since its last call.
    """
    total = Restored()
    while (done := undo_step(pk)) is not None:
        total += done
        progress(1)
    return total


@transaction.atomic
def undo_step(pk: int) -> Restored | None:
    """Take the last part back; None where there is none any more, and then the import is undone."""
    part = ImportedPart.objects.filter(import_file=pk).order_by("-pk").defer("content").first()
    if part is not None:
        hold_data(part.participant_id)  # before the file's row, as whoever imports
    row = ImportFile.objects.select_for_update(no_key=True).filter(pk=pk, status=Status.UNDOING).first()
    if row is None:
        return None
    if part is None:
        _finish(row)
        return None
    last_part = ImportedPart.objects.filter(pk=part.pk).select_related("participant__trial").first()
    if last_part is None:
        return Restored()
    done = _take_back(last_part)
    last_part.delete()
    undone = Counter(row.counts.get("undone", {}))
    undone.update(removed=done.removed, restored=done.restored, left=done.left)
    row.counts["undone"] = dict(undone)
    row.save(update_fields=["counts"])
    return done


def _finish(row: ImportFile) -> None:
    row.status, row.finished_at = Status.UNDONE, timezone.now()
    row.save(update_fields=["status", "finished_at"])
    new = {"status": row.status, **row.counts.get("undone", {})}
    audit.record("import.undone", trial=row.trial, thing=f"import:{row.pk}", new=new)


def _take_back(part: ImportedPart) -> Restored:
    """Take one part out of the chains of imports that hold its rows, and put back what no other holds."""
    if part.kind == Kind.SAMPLES:
        rows = provenance.samples_in(part)
        held = _hand_on(part, rows)
        unheld, replaced = chosen(rows, ~held), chosen(rows, held)
        return restore(part.participant, samples=[unheld], replaced=[replaced], since=part.stored_at)
    if part.kind == Kind.OFFSETS:
        offsets = _unheld_offsets(part, provenance.offsets_in(part))
        return restore(part.participant, offsets=offsets, since=part.stored_at)
    sessions = _unheld_sessions(part, provenance.sessions_in(part))
    return restore(part.participant, sessions=sessions, since=part.stored_at)


def _hand_on(part: ImportedPart, rows: SampleTrace) -> NDArray[np.bool_]:
    """Tell the next import that holds a row what was there before; returns which rows later imports hold."""
    held = np.zeros(len(rows), dtype=bool)
    for other in provenance.later_than(part):
        theirs = provenance.samples_in(other)
        at = np.searchsorted(theirs.time, rows.time).clip(max=len(theirs) - 1)
        both = ~held & (theirs.time[at] == rows.time)
        if not both.any():
            continue
        held |= both
        place, own = at[both], np.flatnonzero(both)
        follows = (theirs.before[place] == rows.value[own]) & (theirs.seconds_before[place] == rows.seconds[own])
        place, own = place[follows], own[follows]
        before, seconds_before = theirs.before.copy(), theirs.seconds_before.copy()
        before[place], seconds_before[place] = rows.before[own], rows.seconds_before[own]
        provenance.change(other, replace(theirs, before=before, seconds_before=seconds_before))
    return held


def _unheld_offsets(part: ImportedPart, rows: list[OffsetTrace]) -> list[OffsetTrace]:
    unheld = {row.starts_at: row for row in rows}
    for other in provenance.later_than(part):
        theirs, changed = provenance.offsets_in(other), False
        for place, later in enumerate(theirs):
            if (row := unheld.pop(later.starts_at, None)) and later.known and later.before == row.utc_offset:
                theirs[place], changed = replace(later, known=row.known, before=row.before), True
        if changed:
            provenance.change(other, theirs)
    return list(unheld.values())


def _unheld_sessions(part: ImportedPart, rows: Sequence[SessionTrace]) -> list[Session]:
    """Sessions as they must become: as the later imports alone, one after the other, would have left them."""
    without: dict[str, dict[str, Any] | None] = {row.external_id: row.before for row in rows}
    stored = {row.external_id: _after(row.before, row) for row in rows}
    for other in provenance.later_than(part):
        theirs, changed = provenance.sessions_in(other), False
        for place, later in enumerate(theirs):
            if later.external_id not in stored:
                continue
            if later.before == stored[later.external_id]:
                theirs[place], changed = replace(later, before=without[later.external_id]), True
            without[later.external_id] = _after(without[later.external_id], later)
            stored[later.external_id] = _after(stored[later.external_id], later)
        if changed:
            provenance.change(other, theirs)
    kind, source = rows[0].kind, rows[0].source
    return [Session(kind, source, name, content, without[name]) for name, content in stored.items()]


def _after(before: dict[str, Any] | None, trace: SessionTrace) -> dict[str, Any]:
    """Content of a session once this record of it was stored."""
    if trace.kind is Sessions.SLEEP:
        return writing_sleep.after(before, trace.own, finest_stays=trace.finest_stays)
    return trace.own
