"""Writing an export: part after part, in constant memory, from one snapshot; a successor goes on where it stopped.

Two connections: one reads in a snapshot that stays as it was when the run began, the other tells how far it is.
"""

from __future__ import annotations

import datetime as dt
import errno
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, cast

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest
from django.utils import timezone

from metrics.exports import columns, daily, exchange_writers, manifest, sql, store, subject_export
from metrics.exports.formats import WRITERS
from metrics.exports.partial_file import PartialFile
from metrics.exports.plan import Part, Plan, plan
from metrics.models import Export, ExportFile
from metrics.monitoring import pending
from participants.models import Participant
from participants.s3 import StoreFault

log = logging.getLogger(__name__)

READER = "export_reader"
SILENT = store.SILENT
TELL_EVERY = 2.0
ATTEMPTS = 5
PART_INTERVALS = 2_000  # in one statement
# What a disk answers that is full, and one that may come back.
FULL = {errno.ENOSPC, errno.EDQUOT}
AWAY = {errno.EIO, errno.ESTALE, errno.EROFS, errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTDOWN}
FIRST_PAUSE, LONGEST_PAUSE = dt.timedelta(minutes=5), dt.timedelta(hours=1)
PUT_BACK_AT_MOST = 27  # in about a day
ENDED_WITHOUT = (Export.State.FAILED, Export.State.CANCELLED, Export.State.EXPIRED)  # files
NOT_STORED = "Its files could not be stored. Staff find the reason in the worker's log."
FAULT = "Writing the files failed because of a technical problem. Staff find the reason in the worker's log."


class Stopped(Exception):
    """The export was cancelled, or another worker has taken over."""


def export_run(pk: int) -> None:
    """Write what is missing of an export, to its end. Safe to be called again at any point, and by two at once."""
    claim = uuid.uuid4()
    if not _claim(pk, claim):
        return
    export = Export.objects.select_related("trial", "user").get(pk=pk)
    try:
        _write(export, claim)
    except Stopped:
        log.info("export %s was stopped", export.uuid)
    except (StoreFault, OSError, OperationalError) as fault:
        log.error("export %s: %s", export.uuid, fault)
        if why := hindrance(fault):
            _put_back(export, claim, why)
        else:
            _fail(export, claim, NOT_STORED)
        raise
    except Exception:
        log.exception("export %s failed", export.uuid)
        _fail(export, claim, FAULT)
        raise
    finally:
        _drop_what_is_not_wanted(export)


def _drop_what_is_not_wanted(export: Export) -> None:
    """Files of one that ended without them. What cannot be deleted now is deleted within the hour (deletion.expire)."""
    try:
        if not Export.objects.filter(pk=export.pk).exclude(state__in=ENDED_WITHOUT).exists():
            store.remove(export)
    except (StoreFault, OSError, OperationalError) as fault:
        log.warning("files of export %s are deleted later: %s", export.uuid, fault)


def hindrance(fault: BaseException) -> str:
    """Hindrance: what keeps an export from being written and may pass without anybody changing it; empty where it will
    not."""
    if isinstance(fault, OperationalError):
        return "The database takes nothing at the moment."
    if isinstance(fault, StoreFault):
        return "The store of its files is away." if fault.passing else ""
    if isinstance(fault, OSError) and fault.errno in FULL:
        return "The disk for exports is full."
    return "The disk for exports takes nothing at the moment." if getattr(fault, "errno", None) in AWAY else ""


def due(now: dt.datetime) -> list[int]:
    """Exports that wait for a worker, or whose worker is gone, the oldest first."""
    gone = Q(state=Export.State.RUNNING) & (Q(heard_at=None) | Q(heard_at__lt=now - SILENT))
    waiting = Q(state=Export.State.WAITING) & (Q(retry_at=None) | Q(retry_at__lte=now))
    return list(Export.objects.filter(waiting | gone).order_by("asked_at").values_list("pk", flat=True))


def _put_back(export: Export, claim: uuid.UUID, why: str) -> None:
    """To be tried again in five minutes, then ten, ... each hour; what is whole stays. After a day it has failed."""
    if export.put_back >= PUT_BACK_AT_MOST:
        _fail(export, claim, f"{why} It was tried for a day. Create it again when there is room.")
        return
    Export.objects.filter(pk=export.pk, claim=claim, state=Export.State.RUNNING).update(
        state=Export.State.WAITING,
        claim=None,
        attempts=Greatest(F("attempts") - 1, 0),  # those count that ended without a word
        put_back=F("put_back") + 1,
        retry_at=timezone.now() + min(FIRST_PAUSE * 2**export.put_back, LONGEST_PAUSE),
        error=why,
    )


def _claim(pk: int, claim: uuid.UUID) -> bool:
    """Take the export. False where it has ended, or a worker is at it."""
    now = timezone.now()
    free = Q(claim=None) | Q(heard_at__lt=now - SILENT)
    unclaimed = Export.objects.filter(free, pk=pk, state__in=[Export.State.WAITING, Export.State.RUNNING])
    worn_out = unclaimed.filter(attempts__gte=ATTEMPTS)
    if worn_out.update(state=Export.State.FAILED, finished_at=now, error="It was begun too often and never finished."):
        return False
    begun = {"state": Export.State.RUNNING, "claim": claim, "heard_at": now, "retry_at": None, "error": ""}
    return bool(unclaimed.update(**begun, attempts=F("attempts") + 1))


def _write(export: Export, claim: uuid.UUID) -> None:
    store.begin(export)
    pending.settle(Participant.objects.filter(trial=export.trial))
    with snapshot() as (alias, as_of):
        progress = ProgressReporter(export, claim)
        if export.format == Export.Format.DAILY:
            progress.begin(0, export.rows_expected or 0)
            daily.write(export, alias, progress.tell, partial(keep, export, claim, as_of))
        elif export.format == Export.Format.SUBJECT:
            subject_export.write(export, progress.tell, partial(keep, export, claim, as_of))
        else:
            _write_parts(plan(export, alias), progress, partial(keep, export, claim, as_of))
    for path, text in manifest.files(export):
        with store.partial_file(export, path) as file:
            file.write(text)
            keep(export, claim, as_of, file, None)
    _finish(export, claim)


def _write_parts(work: Plan, progress: ProgressReporter, kept: Callable[[PartialFile, int | None], None]) -> None:
    finished = dict(ExportFile.objects.filter(export=work.export).values_list("path", "rows"))
    progress.begin(sum(rows or 0 for rows in finished.values()), work.rows)
    for part in work.parts:
        if part.path not in finished:
            with store.partial_file(work.export, part.path) as file:
                if rows := _write_part(work, part, file, progress):
                    kept(file, rows)
    exchange_writers.write_beside(work, finished, kept)


def _write_part(work: Plan, part: Part, file: PartialFile, progress: ProgressReporter) -> int:
    writer_class, _ = WRITERS[work.export.format]
    writer = writer_class(cast(BinaryIO, file), work.context(part))
    intervals = list(work.intervals(part))
    for start in range(0, len(intervals), PART_INTERVALS):
        for samples in columns.read(work.alias, part.metric, intervals[start : start + PART_INTERVALS]):
            writer.write(samples)
            progress.tell(len(samples))
    writer.close()
    return writer.written


class ProgressReporter:
    """Reports how far an export is, every few seconds. Raises Stopped where nobody wants to know any more."""

    def __init__(self, export: Export, claim: uuid.UUID) -> None:
        self._claimed = Export.objects.filter(pk=export.pk, claim=claim, state=Export.State.RUNNING)
        self._done, self._at = 0, time.monotonic()

    def begin(self, done: int, expected: int) -> None:
        self._done = done
        now = timezone.now()
        self._claimed.filter(started_at=None).update(started_at=now)
        self._save(rows_done=done, rows_expected=expected)

    def tell(self, rows: int) -> None:
        self._done += rows
        if time.monotonic() - self._at >= TELL_EVERY:
            self._save(rows_done=self._done)

    def _save(self, **values: int) -> None:
        self._at = time.monotonic()
        if not self._claimed.update(heard_at=timezone.now(), **values):
            raise Stopped


@transaction.atomic
def keep(export: Export, claim: uuid.UUID, as_of: dt.datetime, file: PartialFile, rows: int | None) -> None:
    """A file is whole: give it its name and note it, so that it is not written again. Raises Stopped."""
    if not Export.objects.select_for_update().filter(pk=export.pk, claim=claim, state=Export.State.RUNNING).exists():
        raise Stopped
    stored = file.publish()
    ExportFile.objects.update_or_create(
        export=export,
        path=file.path,
        defaults={"rows": rows, "size": stored.size, "sha256": stored.sha256, "crc32": stored.crc32, "as_of": as_of},
    )


def _finish(export: Export, claim: uuid.UUID) -> None:
    now = timezone.now()
    counted = export.files.exclude(path__in=daily.TWINS)
    rows = sum(rows or 0 for rows in counted.values_list("rows", flat=True))
    Export.objects.filter(pk=export.pk, claim=claim, state=Export.State.RUNNING).update(
        state=Export.State.DONE,
        rows_done=rows,
        finished_at=now,
        claim=None,
        expires_at=now + dt.timedelta(days=settings.EXPORT_DAYS),
    )


def _fail(export: Export, claim: uuid.UUID, error: str) -> None:
    Export.objects.filter(pk=export.pk, claim=claim).update(
        state=Export.State.FAILED,
        finished_at=timezone.now(),
        claim=None,
        error=error,
    )


@contextmanager
def snapshot() -> Iterator[tuple[str, dt.datetime]]:
    """A connection of its own whose reads all see the same instant: its alias, and that instant."""
    reader = connections[DEFAULT_DB_ALIAS].copy(READER)
    connections[READER] = reader
    try:
        with transaction.atomic(using=READER), reader.cursor() as cursor:
            cursor.execute(sql.SNAPSHOT)
            cursor.execute(sql.NOW)
            yield READER, cursor.fetchone()[0]
    finally:
        reader.close()
        del connections[READER]
