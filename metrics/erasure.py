"""Deletes what was measured of a participant who is erased, slice by slice."""

from __future__ import annotations

from collections import Counter

from django.db import connection, transaction

from metrics import erasure_sql
from metrics.exports.deletion import exports_forget
from metrics.models import DataMove, Recompute
from metrics.writing import sql as writing_sql
from participants.models import Participant


def erase(participant: Participant) -> dict[str, int]:
    """Rows removed by table. Safe to be called again: each slice is a transaction of its own, or of the caller's."""
    removed: Counter[str] = Counter()
    for label, table, column in erasure_sql.TABLES:
        while count := _slice(participant, table, column):
            removed[label] += count
    _forget_recomputes(participant)
    # Of the giver's they are found by the table's first reference (participants.privacy.data_map).
    removed["metrics.DataMove"] += DataMove.objects.filter(receiver=participant).delete()[0]
    removed["exports"] += len(exports_forget(participant))
    return dict(removed)


@transaction.atomic
def _forget_recomputes(participant: Participant) -> None:
    recomputes = Recompute.objects.filter(trial=participant.trial, people__has_key=participant.study_id)
    for recompute in recomputes.order_by("pk").select_for_update(of=("self",)):
        del recompute.people[participant.study_id]
        recompute.save(update_fields=["people"])


@transaction.atomic
def _slice(participant: Participant, table: str, column: str) -> int:
    """Delete the oldest interval there is."""
    with connection.cursor() as cursor:
        cursor.execute(writing_sql.LOCK, [participant.pk])
        cursor.execute(erasure_sql.oldest(table, column), [participant.pk])
        oldest = cursor.fetchone()[0]
        if oldest is None:
            return 0
        slice_ = {"participant": participant.pk, "oldest": oldest, "days": erasure_sql.DAYS}
        cursor.execute(erasure_sql.delete(table, column), slice_)
        return int(cursor.rowcount)
