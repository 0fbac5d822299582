"""Judging a trial's days anew, and what that changed: after a new protocol version, a correction, an upgrade.

The Recompute row carries the progress: participants are taken in the order of their ids, a chunk in a transaction
that also counts it, so a killed worker's successor goes on where it stopped. The row's lock keeps a second out.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from metrics import verdicts
from metrics.models import ParticipantDay, Recompute, Standing
from participants.audit import record
from participants.models import Participant, Trial, User

CHUNK = 20


@transaction.atomic
def recompute_start(trial: Trial, since: dt.date | None, why: str, by: User | None) -> Recompute:
    """Have a trial's days from a local date on (None: all) judged anew. Begins once this transaction is over."""
    from metrics import tasks  # it imports this module

    row = Recompute.objects.create(
        trial=trial,
        since=since,
        why=why,
        by=by,
        asked_at=timezone.now(),
        total=_people(trial).count(),
    )
    record("recompute.start", trial=trial, thing=f"recompute:{row.pk}", new={"since": since}, reason=why)
    transaction.on_commit(partial(tasks.recompute.delay, row.pk), robust=True)
    return row


def recompute_run(pk: int) -> None:
    """Judge chunk by chunk until all are done. Safe to be called again at any point, and by two at once."""
    while recompute_step(pk):
        pass


@transaction.atomic
def recompute_step(pk: int) -> bool:
    """The next participants. False where it is finished, or another worker is at it."""
    row = Recompute.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=pk, finished_at=None).first()
    if row is None:
        return False
    now = timezone.now()
    row.started_at = row.started_at or now
    people = list(_people(row.trial).order_by("pk")[row.done : row.done + CHUNK])
    if people:
        _judge(row, people, now)
        row.done += len(people)
    else:
        row.finished_at, row.total = now, row.done
    row.save()
    return bool(people)


def _people(trial: Trial) -> QuerySet[Participant]:
    return trial.participants.exclude(status=Participant.Status.ERASED)


def _judge(row: Recompute, people: Sequence[Participant], now: dt.datetime) -> None:
    """Judge these and note what became otherwise. A day judged for the first time is no change."""
    before = _adherence(people)
    changes = verdicts.refresh_many(people, now=now, since=row.since or dt.date.min)
    after = _adherence(people)
    days = ParticipantDay.objects.filter(participant__in=people)
    row.days += (days.filter(date__gte=row.since) if row.since else days).count()
    moved = [change for change in changes if change.before and change.before != change.after]
    total = Counter(row.changed)
    total.update(f"{change.before}>{change.after}" for change in moved)
    row.changed = dict(total)
    by_person: dict[int, int] = defaultdict(int)
    for change in moved:
        by_person[change.participant_id] += 1
    for person in people:
        if person.pk in by_person:
            row.people[person.study_id] = [by_person[person.pk], before.get(person.pk), after.get(person.pk)]


def _adherence(people: Sequence[Participant]) -> dict[int, float | None]:
    return dict(Standing.objects.filter(participant__in=people).values_list("participant_id", "adherence"))
