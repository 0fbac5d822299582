"""Locks on what several may change at once, and the one order in which they are taken.

Whoever takes more than one takes them in this order, so that nobody waits in a circle:

1. the participant's data (`PERSON`, an advisory lock; the writer of measurements holds it. Of several participants
   in the order of their ids);
2. the participant's row;
3. the trial's door (`DOOR`, an advisory lock: shared by who lets something in, alone by who closes the trial);
4. the connection's row;
5. its windows, in the order of their ids;
6. the row of a file that is imported or undone.

Who closes a trial holds the trial's row and its door, and takes none of the others meanwhile. Locks are never held
while a vendor is asked, but for the connection's row while its token is refreshed: that is what it is locked for.

A service that goes by what stands in a row (a status, an open pause) holds it and looks again: what was read before,
for a page or before a vendor answered, may be over.
"""

from __future__ import annotations

from django.db import connection

from participants.models import Participant, Trial

# The first of two numbers tells our advisory locks apart; the second is the row's id.
PERSON, DOOR = 1463, 1464


def held(participant: Participant) -> Participant:
    """A participant as they are stored now, held with their data to the end of the transaction.

    Rows that point at theirs may be written meanwhile. Raises Participant.DoesNotExist.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock({PERSON}, %s)", [participant.pk])
    rows = Participant.objects.select_for_update(no_key=True, of=("self",)).select_related("trial")
    row: Participant = rows.get(pk=participant.pk)
    return row


def hold(participant: Participant) -> None:
    """The same; the object that is given says afterwards what is stored now."""
    row = held(participant)
    for field in Participant._meta.concrete_fields:
        setattr(participant, field.attname, getattr(row, field.attname))
    participant.trial = row.trial


def come_in(trial: Trial | int) -> Trial:
    """A trial as it is stored now, which nobody closes before the transaction ends. Many may be inside at once."""
    pk = trial if isinstance(trial, int) else trial.pk
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock_shared({DOOR}, %s)", [pk])
    return Trial.objects.get(pk=pk)


def shut(trial: Trial) -> None:
    """Wait until whoever is inside has come out again, and keep others waiting to the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock({DOOR}, %s)", [trial.pk])
