"""Locks on what several may change at once, and the one order in which they are taken.

Whoever takes more than one takes them in this order, so that nobody waits in a circle:

1. the participant's data (`LOCK_PARTICIPANT`, an advisory lock; the writer of measurements holds it. Of several
   participants in the order of their ids);
2. the participant's row;
3. the trial's lock (`LOCK_TRIAL_SHARED`, `LOCK_TRIAL_EXCLUSIVE`, an advisory lock: shared by who lets something in,
   exclusive for who closes it);
4. the connection's row;
5. its windows, in the order of their ids;
6. the row of a file that is imported or undone.

Who closes a trial holds the trial's row and its lock, and takes none of the others meanwhile. Locks are never held
while a vendor is asked, but for the connection's row while its token is refreshed: that is what it is locked for.

A service that goes by what stands in a row (a status, an open pause) holds it and looks again: what was read before,
for a page or before a vendor answered, may be over.
"""

from __future__ import annotations

from django.db import connection

from participants import sql
from participants.models import Participant, Trial


def locked_participant(participant: Participant) -> Participant:
    """A participant as they are stored now, held with their data to the end of the transaction.

    Rows that point at theirs may be written meanwhile. Raises Participant.DoesNotExist.
    """
    with connection.cursor() as cursor:
        cursor.execute(sql.LOCK_PARTICIPANT, [participant.pk])
    rows = Participant.objects.select_for_update(no_key=True, of=("self",)).select_related("trial")
    row: Participant = rows.get(pk=participant.pk)
    return row


def lock_participant(participant: Participant) -> None:
    """Hold a participant as `locked_participant` does; the given object has what is stored now afterwards."""
    row = locked_participant(participant)
    for field in Participant._meta.concrete_fields:
        setattr(participant, field.attname, getattr(row, field.attname))
    participant.trial = row.trial


def lock_trial_shared(trial: Trial | int) -> Trial:
    """A trial as it is stored now, under its shared lock: nobody closes it before the transaction ends."""
    pk = trial if isinstance(trial, int) else trial.pk
    with connection.cursor() as cursor:
        cursor.execute(sql.LOCK_TRIAL_SHARED, [pk])
    return Trial.objects.get(pk=pk)


def lock_trial_exclusive(trial: Trial) -> None:
    """Hold the trial's exclusive lock to the transaction's end. Waits for those who share it, keeps others waiting."""
    with connection.cursor() as cursor:
        cursor.execute(sql.LOCK_TRIAL_EXCLUSIVE, [trial.pk])
