"""Imports of files into a trial: recognise, scan, read, hand to the writer, and keep the evidence.

A file that cannot be trusted as a whole is refused before anything of it is stored; a bad row in a good file is
rejected by line and the rest kept. Chunks are stored as they are read, so a crash leaves the file "running" and
what was stored; the next run reads it again and changes nothing of that. docs/importing.md has the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from django.db import transaction
from django.utils import timezone

from ingestion.file_imports import import_records, provenance
from ingestion.file_imports.archives import Inbox, Offered, Refused, head_of, scan
from ingestion.file_imports.export_clock import Sibling, Siblings, sharing_clock
from ingestion.file_imports.import_records import ZONES
from ingestion.file_imports.import_reports import Done, Report, Result
from ingestion.file_imports.known_files import otherwise, take_back, taken_for_another_s
from ingestion.file_imports.label_mapping import Roster
from ingestion.models import ImportFile, RejectedRow
from ingestion.providers import registry
from ingestion.providers.base.files import (
    PROBLEMS_SHOWN,
    Chunk,
    Clock,
    FileFormat,
    FileJob,
    ForeignFile,
    RowsRefused,
)
from metrics.batch import Payload
from metrics.corrections.row_restore import hold_data
from metrics.monitoring import pending
from metrics.selection.collection_window import collected_of
from metrics.writing.collection_filter import inside, size
from metrics.writing.row_changes import Trace
from metrics.writing.writer import Counts, Frozen, write
from participants import audit
from participants.models import Participant, Trial

NOT_RECOGNISED = "not recognised"
TAKEN_OVER = "another run has begun with it meanwhile and goes on"


@dataclass(slots=True)
class Import:
    """Import run over some paths.

    `progress` is called with the bytes (as they lie on disk) that were dealt with since its last call. `clocks`: of
    files that do not say theirs, if whoever imports does (export_clock.parse_clocks). After the run `warnings` has what
    concerns no single file.
    """

    trial: Trial
    roster: Roster
    dry: bool = False
    clocks: Mapping[str, Clock] = field(default_factory=dict)
    progress: Callable[[int], object] = lambda count: None
    warnings: list[str] = field(default_factory=list, init=False)
    _exports: set[str] = field(default_factory=set, init=False)  # what was named, and is an account export

    def run(
        self, paths: list[Path], *, started: Callable[[list[Offered]], object] = lambda files: None
    ) -> Iterator[Report]:
        """Import file by file, in order; a file that fails does not stop the others."""
        with Inbox(paths) as inbox:
            files = inbox.files()
            self._exports = {file.root for file in files if registry.exported(file.path)}
            started(files)
            siblings = Siblings(
                self.trial, self.roster.whose(None), self.clocks, lambda: self._sharing_clocks(inbox, files)
            )
            for file in files:
                yield self._file(inbox, file, siblings)
            self.warnings += siblings.contradicted()

    def _file(self, inbox: Inbox, file: Offered, siblings: Siblings) -> Report:
        done = Done(file.size, self.progress)
        self.roster.next_file()
        try:
            return self._offered(inbox, file, siblings, done)
        except OSError as error:
            return self._failed(file, f"cannot be read: {error.strerror or error}", "")
        except Refused as refusal:
            return self._failed(file, str(refusal), refusal.sha256)
        finally:
            done.finish()
            pending.settle(Participant.objects.filter(trial=self.trial))

    def _sharing_clocks(self, inbox: Inbox, files: list[Offered]) -> Iterator[Sibling]:
        """Files of the run that share a clock with others. Nothing is opened that would not be read."""
        for file in files:
            if file.trouble or self._unopened(file):
                continue
            try:
                reader, _ = recognise(file.path, head_of(file))
            except (OSError, Refused):
                continue  # said where the file itself is read
            if shared := sharing_clock(reader):
                yield Sibling(file, shared, self._job(inbox, file))

    def _unopened(self, file: Offered) -> Report | None:
        """Report of a file that is left alone because of its name; None for those that are opened."""
        if unread := registry.left_out(file.path):
            result = Result.FAILED if file.direct else Result.LEFT_OUT
            return Report(file.name, result, f"on purpose: {unread.reason}", kind=unread.kind)
        personal = file.root in self._exports
        if not file.direct and (unread := registry.unlisted(file.path, among_personal=personal)):
            return Report(file.name, Result.LEFT_OUT, unread.reason)
        return None

    def _offered(self, inbox: Inbox, file: Offered, siblings: Siblings, done: Done) -> Report:
        """Raises OSError and Refused for files that cannot be read or trusted."""
        if report := self._unopened(file):
            return report
        if file.trouble:
            raise Refused(file.trouble)
        head = head_of(file)
        reader, miss = recognise(file.path, head)
        if reader is None and not miss and head and not file.direct:
            return Report(file.name, Result.LEFT_OUT, NOT_RECOGNISED)
        scanned = scan(file)
        if reader is None:
            raise Refused(miss or NOT_RECOGNISED, scanned.sha256)
        job = self._job(inbox, file, size=scanned.size)
        try:
            siblings.decide(reader, job)
        except ForeignFile as refusal:
            raise Refused(str(refusal), scanned.sha256) from refusal
        whose = self.roster.whose(reader.label_in(file.path, head))
        known = ImportFile(trial=self.trial, sha256=scanned.sha256, format=reader.code, whose=whose[:64])
        before = import_records.find(known)
        if before and before.status == ImportFile.Status.UNDOING:
            raise Refused("its import is being undone: offer it again when that is done", scanned.sha256)
        if before and (why := otherwise(before, job, self.roster)):
            self._anew(file, before, why, scanned.sha256)
        elif before and before.status == ImportFile.Status.DONE:
            when = timezone.localtime(before.finished_at) if before.finished_at else before.started_at
            message = f"already imported on {when:%Y-%m-%d %H:%M %Z}: nothing to do"
            return Report(file.name, Result.KNOWN, message, before.format)
        elif other := taken_for_another_s(known):
            self.warnings.append(
                f"{file.name}: the same bytes were imported as {other.whose}'s. If that was a mistake, undo it: "
                f"manage.py undo_import {self.trial.code} {other.pk}"
            )
        return self._read(file, reader, job, known, done)

    def _anew(self, file: Offered, before: ImportFile, why: str, sha256: str) -> None:
        """Take back what was stored of a file that is read otherwise now. Raises Refused where it cannot be."""
        try:
            if not self.dry:
                take_back(before, why)
        except ForeignFile as refusal:
            raise Refused(str(refusal), sha256) from refusal
        verb = "would be" if self.dry else "was"
        self.warnings.append(f"{file.name} {verb} read anew, and its earlier import undone: {why}.")

    def _job(self, inbox: Inbox, file: Offered, size: int = 0) -> FileJob:
        return FileJob(
            name=file.path,
            open=file.open,
            zone_of=self.roster.zone_of,
            now=timezone.now(),
            size=size,
            companion=lambda name: _open_beside(inbox, file, name),
            note_clock=self.roster.note_clock,
        )

    def _read(self, file: Offered, reader: FileFormat, job: FileJob, known: ImportFile, done: Done) -> Report:
        record = None if self.dry else import_records.begin(known, name=file.name, size=job.size, now=job.now)
        report = Report(file.name, Result.DRY if self.dry else Result.IMPORTED, format=reader.code)
        report.number = record.pk if record else None
        try:
            for chunk in reader.chunks(job):
                self._take(chunk, report, record, job)
                done.reached(chunk.position / job.size)
        except (ForeignFile, OSError) as error:
            why = str(error) if isinstance(error, ForeignFile) else f"cannot be read: {error.strerror or error}"
            report.result, report.message = Result.FAILED, why
        except import_records.TakenOver:
            return Report(file.name, Result.KNOWN, TAKEN_OVER, reader.code)
        report.assumptions = self._assumed(job)
        if record:
            _close(record, report)
        return report

    def _take(self, chunk: Chunk, report: Report, record: ImportFile | None, job: FileJob) -> None:
        """Store a chunk, participant by participant, each in the writer's own transaction."""
        report.rows += chunk.rows
        report.skipped.update(chunk.skipped)
        report.noted.update(chunk.noted)
        for label, payload in chunk.payloads.items():
            try:
                participant = self.roster.participant(label)
            except RowsRefused as refusal:
                chunk.rejected[str(refusal)] += size(payload)
                continue
            if self.dry:
                if participant.pk:
                    chunk.rejected.update(inside(payload, collected_of(participant))[1].rejected)
                continue
            try:
                counts = self._store(participant, payload, record, job)
            except Frozen as frozen:
                chunk.rejected[str(frozen)] += size(payload)
                continue
            chunk.rejected.update(counts.rejected)
            report.counts += counts
        if record and chunk.problems:
            room = max(PROBLEMS_SHOWN - sum(report.rejected.values()), 0)
            with transaction.atomic():
                import_records.hold(record)
                RejectedRow.objects.bulk_create(
                    RejectedRow(import_file=record, line=problem.line, reason=problem.reason[:200])
                    for problem in chunk.problems[:room]
                )
        report.rejected.update(chunk.rejected)

    def _store(self, participant: Participant, payload: Payload, record: ImportFile | None, job: FileJob) -> Counts:
        """Raises Frozen, and TakenOver: then nothing of it is stored."""
        with transaction.atomic():
            if record is None:
                return write(participant, payload)
            if record.read_before:
                hold_data(participant.pk)
                payload, known = provenance.not_yet_stored(record, participant, payload)
            else:
                known = Counts()
            trace = Trace()
            counts = write(participant, payload, trace=trace)
            import_records.hold(record, assumed=self._assumed(job))
            provenance.keep(record, participant, trace)
        return counts + known

    def _assumed(self, job: FileJob) -> dict[str, object]:
        """Assumptions about the file, as far as it is read."""
        return job.assumptions | ({ZONES: zones} if (zones := self.roster.zones_used()) else {})

    def _failed(self, file: Offered, why: str, sha256: str) -> Report:
        """Report of a file that is refused whole, with a row for the staff to see (none in a dry run, nor for a wrong
        path)."""
        if not self.dry and sha256:
            now = timezone.now()
            ImportFile.objects.create(
                trial=self.trial,
                sha256=sha256,
                name=file.name[-300:],
                size=file.size,
                format="",
                status=ImportFile.Status.FAILED,
                error=why[:500],
                started_at=now,
                finished_at=now,
            )
        return Report(file.name, Result.FAILED, why)


def recognise(path: str, head: bytes) -> tuple[FileFormat | None, str]:
    """Format of a file from its first bytes, else what it lacks that is named like one of ours."""
    for reader in registry.FILE_FORMATS:
        if reader.matches(path, head):
            return reader, ""
    misses = (reader.near_miss(path, head) for reader in registry.FILE_FORMATS)
    return None, next((miss for miss in misses if miss), "")


def _open_beside(inbox: Inbox, file: Offered, name: str) -> Callable[[], IO[bytes]] | None:
    other = inbox.beside(file, name)
    return other.open if other else None


def _close(record: ImportFile, report: Report) -> None:
    """Write down how the file ended; where another run has claimed it meanwhile, that one does."""
    record.status = ImportFile.Status.PARTIAL if report.can_pass else ImportFile.Status.DONE
    if report.result == Result.FAILED:
        record.status = ImportFile.Status.FAILED
    record.error = report.message[:500]
    record.counts = report.as_counts()
    record.assumptions = report.assumptions
    record.finished_at = timezone.now()
    try:
        with transaction.atomic():
            import_records.hold(record)
            record.save()
            new = {"status": record.status, "format": record.format, "sha256": record.sha256, **report.as_numbers()}
            audit.record("import.finish", trial=record.trial, thing=f"import:{record.pk}", new=new)
    except import_records.TakenOver:
        report.result, report.message = Result.KNOWN, TAKEN_OVER
