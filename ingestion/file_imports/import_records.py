"""Records of imports: one row a content, held by one run at a time.

A run claims the row before it reads, and each write of its data asks whether the claim still stands. A run that dies
leaves the row as it is; the next one claims it and reads from the start, which changes nothing of what is stored.
Of two at once the later one goes on and the earlier one stops, so that none has to wait for one that may be dead.
"""

from __future__ import annotations

import datetime as dt
import uuid
import zoneinfo
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from ingestion.models import ImportFile
from ingestion.providers.base.files import Clock
from participants.models import time_zones

# Assumptions of an import, which no file states: kept with it as text for people, and read here by programs.
ZONES = "time zones"  # "Europe/Amsterdam, why" -> study ids
CLOCK = "clock of dateTime"  # "UTC, why" or "local time, why"
GIVEN = "given with the import"  # why, where whoever imports said so


class TakenOver(Exception):
    """Another run has claimed the same file meanwhile, and goes on with it or undoes it."""


def find(known: ImportFile) -> ImportFile | None:
    """Import of the same bytes taken for the same thing that is not failed or undone."""
    return _live(known).first()


def begin(known: ImportFile, *, name: str, size: int, now: dt.datetime) -> ImportFile:
    """Claim the row of a file that is about to be read, made at its first time. Raises TakenOver while it is undone."""
    known.name, known.size, known.started_at, known.claim = name[-300:], size, now, uuid.uuid4()
    known.traced = True
    with transaction.atomic():
        row = _held(_live(known))
        if row is None:
            try:
                with transaction.atomic():
                    known.save(force_insert=True)
                return known
            except IntegrityError:  # another run has made it this moment
                row = _live(known).select_for_update(no_key=True).get()
        if row.status == ImportFile.Status.UNDOING:
            raise TakenOver
        row.name, row.size, row.started_at, row.claim = known.name, size, now, known.claim
        row.status, row.finished_at = ImportFile.Status.RUNNING, None
        row.save()
        row.rejected_rows.all().delete()
        row.read_before = row.parts.exists()
    return row


def hold(record: ImportFile, *, assumed: dict[str, Any] | None = None) -> None:
    """Keep the row's claim to the end of this transaction. Raises TakenOver where it is another's.

    `assumed`: what the rows of this transaction were read by, so that it is known though the run be killed.
    """
    if _held(ImportFile.objects.filter(pk=record.pk, claim=record.claim)) is None:
        raise TakenOver
    if assumed is not None and assumed != record.assumptions:
        record.assumptions = assumed
        record.save(update_fields=["assumptions"])


def _live(known: ImportFile) -> QuerySet[ImportFile]:
    return ImportFile.objects.filter(
        trial=known.trial,
        sha256=known.sha256,
        format=known.format,
        whose=known.whose,
        status__in=ImportFile.LIVE,
    )


def _held(rows: QuerySet[ImportFile]) -> ImportFile | None:
    return rows.select_for_update(no_key=True).first()


def clock_in(assumptions: Mapping[str, Any]) -> Clock | None:
    """Clock on which stamps were read that do not say theirs; None where none was needed."""
    text = str(assumptions.get(CLOCK, ""))
    return next((clock for clock in Clock if text.casefold().startswith(clock.value)), None)


def zones_in(assumptions: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Time zones in which wall-clock times were read, each with why it was taken, by study id."""
    zones = {}
    for text, study_ids in dict(assumptions.get(ZONES, {})).items():
        zone, _, why = str(text).partition(", ")
        zones.update(dict.fromkeys(study_ids, (zone, why)))
    return zones


def zone_named(name: str) -> zoneinfo.ZoneInfo:
    """Time zone of an IANA name. Raises ValueError, fit to show."""
    if name not in time_zones():
        raise ValueError(f"{name} is not an IANA time zone. Example: Europe/Amsterdam.")
    return zoneinfo.ZoneInfo(name)
