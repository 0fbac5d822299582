"""Retention: a trial's samples older than so many days are deleted, if it says so.

Minutes, hours, days, nights and day statuses stay. Each trial has a cutoff: before it nothing of its samples is kept.
It moves forward only, a week at a time, so that whole chunks fall behind it. First the cutoff is written, then what
lies before it is deleted; from then on the writer takes no sample before it, because a bucket is recomputed from the
rows beneath it, and those are gone.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connection, transaction

from metrics.maintenance import sql as maintenance_sql
from metrics.storage import sql as storage_sql
from metrics.storage.hypertables import chunks
from metrics.writing import sql as writing_sql
from metrics.writing.row_followers import followers
from participants import audit
from participants.models import Participant, Trial
from participants.services.changes import locked

log = logging.getLogger(__name__)

WEEK = dt.timedelta(days=7)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Removed:
    """Samples deleted of a trial: samples and old values before `cutoff`, `chunks` of them as whole chunks."""

    trial: str
    cutoff: dt.datetime
    rows: int
    chunks: int


def cutoff_for(days: int, now: dt.datetime) -> dt.datetime:
    """Cutoff of a trial that keeps so many days: never younger than that, at a week's beginning."""
    return EPOCH + (now - dt.timedelta(days=days) - EPOCH) // WEEK * WEEK


def retain(now: dt.datetime) -> list[Removed]:
    """Move the cutoffs of all trials that keep their samples for some time only, and delete what lies before them.

    Not inside a transaction: each interval of a participant and each chunk is one. An entry of the audit trail a trial
    and run in which anything was deleted. Raises nothing for a chunk that is locked: the next run finds it.
    """
    trials = [_moved(trial, now) for trial in Trial.objects.exclude(retain_raw_days=None).order_by("pk")]
    cutoffs = {trial.pk: trial.raw_removed_before for trial in trials if trial.raw_removed_before}
    if not cutoffs:
        return []
    rows, dropped = _drop_chunks(cutoffs)
    done = []
    for trial in trials:
        cutoff = cutoffs.get(trial.pk)
        if cutoff is None:
            continue
        rows[trial.pk] += sum(
            _delete(pk, cutoff) for pk in trial.participants.order_by("pk").values_list("pk", flat=True)
        )
        for follower in followers:
            follower.removed_before(trial.pk, cutoff)
        if not rows[trial.pk]:
            continue
        removed = Removed(trial.code, cutoff, rows[trial.pk], dropped[trial.pk])
        new = {"before": cutoff, "rows": removed.rows, "whole_chunks": removed.chunks}
        audit.record("trial.samples_removed", trial=trial, thing=f"trial:{trial.pk}", new=new)
        done.append(removed)
    return done


@transaction.atomic
def _moved(trial: Trial, now: dt.datetime) -> Trial:
    """The trial as it stands, its cutoff where it belongs now: written before anything is deleted, and only forward."""
    row = locked(trial)
    if row.retain_raw_days is not None:
        cutoff = cutoff_for(row.retain_raw_days, now)
        if row.raw_removed_before is None or cutoff > row.raw_removed_before:
            row.raw_removed_before = cutoff
            row.save(update_fields=["raw_removed_before"])
    return row


def _delete(participant: int, cutoff: dt.datetime) -> int:
    """Delete a participant's rows before the cutoff, the oldest interval first, each in a transaction of its own."""
    removed = 0
    for table, column in maintenance_sql.TABLES:
        names = {"table": table, "column": column}
        values: dict[str, Any] = {"participant": participant, "cutoff": cutoff, "days": maintenance_sql.DAYS}
        while True:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(writing_sql.LOCK, [participant])
                cursor.execute(maintenance_sql.OLDEST.format(**names), values)
                values["oldest"] = cursor.fetchone()[0]
                if values["oldest"] is None:
                    break
                cursor.execute(maintenance_sql.DELETE.format(**names), values)
                removed += cursor.rowcount
    return removed


def _drop_chunks(cutoffs: dict[int, dt.datetime]) -> tuple[Counter[int], Counter[int]]:
    """Drop chunks before the cutoffs of all whose rows they hold; rows and chunks by trial."""
    rows, dropped = Counter[int](), Counter[int]()
    people = list(Participant.objects.filter(trial__in=cutoffs).values_list("pk", "trial_id"))
    for chunk in chunks([table for table, _ in maintenance_sql.TABLES]):
        behind = [pk for pk, trial in people if chunk.ends_at <= cutoffs[trial]]
        if not behind:
            continue
        try:
            dropped_rows = _drop(chunk.table, chunk.name, chunk.starts_at, chunk.ends_at, behind)
        except OperationalError as fault:
            log.warning("Chunk %s stays for now: %s", chunk.name, str(fault).strip().splitlines()[0])
            continue
        rows.update(dropped_rows)
        dropped.update(dropped_rows.keys())
    return rows, dropped


@transaction.atomic
def _drop(table: str, chunk: str, start: dt.datetime, end: dt.datetime, behind: list[int]) -> dict[int, int]:
    """Drop a chunk that holds rows of these participants alone; rows by trial, none where it stays."""
    with connection.cursor() as cursor:
        cursor.execute(storage_sql.SHORT_LOCK)
        cursor.execute(maintenance_sql.LOCK_CHUNK.format(chunk=chunk))
        cursor.execute(maintenance_sql.OTHERS.format(chunk=chunk), {"people": behind})
        if cursor.fetchone()[0]:
            return {}
        cursor.execute(maintenance_sql.ROWS_BY_TRIAL.format(chunk=chunk))
        rows = dict(cursor.fetchall())
        cursor.execute(maintenance_sql.DROP, {"table": table, "start": start, "end": end})
    return rows
