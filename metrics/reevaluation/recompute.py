"""Re-evaluation of a trial's days, and what that changed: after a new protocol version, a correction, an upgrade, and
when its dates or its status change.

With other plausible ranges their values are counted anew first (range_change.py).

The Recompute row carries the progress: participants are taken in the order of their ids, a chunk in a transaction
that also counts it, so a killed worker's successor goes on where it stopped. The row's lock keeps a second out.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from kombu.exceptions import OperationalError

from metrics.models import ParticipantDay, ParticipantStatusSummary, Recompute
from metrics.monitoring import evaluation, pending
from metrics.reevaluation import range_change
from metrics.registry import RANGES_VERSION
from participants.after_commit import after_commit
from participants.audit import record
from participants.models import Participant, Trial, User
from participants.task_queue import enqueue

log = logging.getLogger(__name__)

CHUNK = 20
# Samples are read and minutes written: a transaction, and so a lock, a participant.
CHUNK_COUNTED = 1


def recompute_start(trial: Trial, since: dt.date | None, why: str, by: User | None) -> Recompute:
    """Have a trial's days from a local date on (None: all) re-evaluated. Begins once this transaction is over."""
    return _start(trial, why, by, since=since)


def ranges_start(trial: Trial) -> Recompute:
    """Have a trial's values counted anew by the plausible ranges in force. Begins once this transaction is over."""
    return _start(trial, f"Plausible ranges, version {RANGES_VERSION}", None, ranges=RANGES_VERSION)


@transaction.atomic
def _start(trial: Trial, why: str, by: User | None, **said: Any) -> Recompute:
    row = Recompute.objects.create(
        trial=trial, why=why, by=by, asked_at=timezone.now(), total=participants_of(trial).count(), **said
    )
    record("recompute.start", trial=trial, thing=f"recompute:{row.pk}", new=said, reason=why)
    after_commit(enqueue, "metrics.recompute", row.pk)
    return row


def recompute_run(pk: int) -> None:
    """Evaluate chunk by chunk until all are done. Safe to be called again at any point, and by two at once."""
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
    chunk = CHUNK if row.ranges is None else CHUNK_COUNTED
    people = list(participants_of(row.trial).order_by("pk")[row.done : row.done + chunk])
    if people:
        _evaluate(row, people, now)
        row.done += len(people)
    else:
        row.finished_at, row.total = now, row.done
    row.save()
    return bool(people)


def participants_of(trial: Trial) -> QuerySet[Participant]:
    """Participants whose days there are to evaluate."""
    return trial.participants.exclude(status=Participant.Status.ERASED)


def _evaluate(row: Recompute, people: Sequence[Participant], now: dt.datetime) -> None:
    """Evaluate these and note what became otherwise. A day evaluated for the first time is no change."""
    pending.settle([person.pk for person in people])  # what new data change is not the recompute's doing
    before = _adherence(people)
    by_person: dict[int, int]
    if row.ranges is None:
        evaluated = evaluation.refresh_many(people, now=now, since=row.since or dt.date.min)
        changes = [change for change in evaluated if change.before and change.before != change.after]
        by_person = Counter(change.participant_id for change in changes)
    else:
        counted = range_change.reevaluate(people, now=now)
        changes = [change for reevaluated in counted for change in reevaluated.changes]
        by_person = {reevaluated.participant.pk: len(reevaluated.dates) for reevaluated in counted if reevaluated.any}
    after = _adherence(people)
    days = ParticipantDay.objects.filter(participant__in=people)
    row.days += (days.filter(date__gte=row.since) if row.since else days).count()
    total = Counter(row.changed)
    total.update(f"{change.before}>{change.after}" for change in changes)
    row.changed = dict(total)
    for person in people:
        if person.pk in by_person:
            row.people[person.study_id] = [by_person[person.pk], before.get(person.pk), after.get(person.pk)]


def _adherence(people: Sequence[Participant]) -> dict[int, float | None]:
    return dict(
        ParticipantStatusSummary.objects.filter(participant__in=people).values_list("participant_id", "adherence")
    )


def trial_changed(trial_id: int) -> None:
    """Have a trial re-evaluated. Without a broker it comes with the hour."""
    try:
        enqueue("metrics.judge_trial", trial_id)
    except OperationalError:
        log.warning(
            "trial %s could not be queued to be evaluated, the broker is away: it comes with the hour", trial_id
        )
