"""Files that were imported before: what would be read otherwise now, and what else their bytes were taken for.

What a file does not say is part of what was imported. Where it is said otherwise at a second import, or a participant's
time zone was corrected, what was stored of the file is taken back, and it is read anew.
"""

from __future__ import annotations

from ingestion.file_imports.import_records import GIVEN, clock_in, zones_in
from ingestion.file_imports.label_mapping import Roster
from ingestion.file_imports.undo import CannotUndo, undo_begin, undo_run
from ingestion.models import ImportFile
from ingestion.providers.base.files import Clock, FileJob, ForeignFile

READ_ANEW = "Offered again with another clock or time zone: read anew."  # without study ids, which an audit entry keeps


def otherwise(before: ImportFile, job: FileJob, roster: Roster) -> str:
    """Difference between how the file would be read now and how it was; empty: there is none."""
    clock = clock_in(before.assumptions)
    if clock and job.clock_basis and clock is not job.clock:
        return f"its times are {job.clock.label} now, they were read as {clock.label}"
    if clock is Clock.UTC:
        return ""  # its zone was needed to infer the clock, and not used
    for study_id, (zone, why) in zones_in(before.assumptions).items():
        if (now := roster.zone_now(study_id, given_then=why == GIVEN)) and now != zone:
            return f"the time zone of {study_id} is {now} now, it was read as {zone}"
    return ""


def take_back(before: ImportFile, why: str) -> None:
    """Undo an import whose file is to be read otherwise. Raises ForeignFile where that cannot be done exactly."""
    if before.traced and not before.parts.exists():
        return
    try:
        undo_run(undo_begin(before, reason=READ_ANEW).pk)
    except CannotUndo as refused:
        raise ForeignFile(f"imported before, and {why}. {refused}") from refused


def taken_for_another_s(known: ImportFile) -> ImportFile | None:
    """Import of the same bytes as another participant's data, of which rows were stored."""
    read = (ImportFile.Status.DONE, ImportFile.Status.PARTIAL)
    others = ImportFile.objects.filter(
        trial=known.trial, sha256=known.sha256, format=known.format, status__in=read
    ).exclude(whose__in=("", known.whose))
    return next((other for other in others if other.parts.exists()), None) if known.whose else None
