"""Removal requests: to delete what a trial has stored and may not have. One person asks, another approves, a worker
does.

The Removal row carries the progress: participants are taken in the order of their ids, a slice in a transaction that
also counts it, so a killed worker's successor goes on where it stopped. The row's lock keeps a second out.
"""

from __future__ import annotations

from collections import Counter

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from metrics.corrections.outside_collection import Beyond, find, remove_slice, total
from metrics.models import Removal
from participants.after_commit import after_commit
from participants.audit import record
from participants.models import Participant, Trial, User
from participants.services.changes import locked
from participants.task_queue import enqueue


class RemovalRefused(ValueError):
    """Refusal of a removal: it cannot be asked for or decided by this person now; the message is fit to show."""


@transaction.atomic
def removal_request(trial: Trial, *, by: User, reason: str) -> Removal:
    """Ask for what lies outside to be deleted; another person decides. Raises RemovalRefused, ValidationError."""
    locked(trial)  # two at once: the second finds the first
    if trial.removals.filter(state__in=[Removal.State.ASKED, Removal.State.APPROVED]).exists():
        raise RemovalRefused("A removal was requested already.")
    totals = total(find(trial))
    if not totals:
        raise RemovalRefused(f"Nothing is stored of {trial.code} outside what it may have.")
    row = Removal(trial=trial, asked_by=by, reason=reason.strip(), found=totals, total=_people(trial).count())
    row.full_clean(exclude=["decided_by", "decided_at", "done_at", "report", "found"])
    row.save()
    record("removal.ask", trial=trial, thing=f"removal:{row.public_id}", new={"found": totals}, reason=row.reason)
    return row


@transaction.atomic
def removal_decide(removal: Removal, *, by: User, approve: bool) -> None:
    """Approve or refuse; approved, the deletion begins after this transaction.

    Raises RemovalRefused for the person who asked, and where it was decided already.
    """
    row = Removal.objects.select_for_update(of=("self",)).select_related("trial").get(pk=removal.pk)
    if row.state != Removal.State.ASKED:
        raise RemovalRefused(f"It is {row.get_state_display()} already.")
    if approve and by.pk == row.asked_by_id:
        raise RemovalRefused("Another person than the one who asked must approve.")
    row.state = Removal.State.APPROVED if approve else Removal.State.REFUSED
    row.decided_by, row.decided_at = by, timezone.now()
    row.save(update_fields=["state", "decided_by", "decided_at"])
    verb = "removal.approve" if approve else "removal.refuse"
    record(verb, trial=row.trial, thing=f"removal:{row.public_id}")
    if approve:
        after_commit(enqueue, "metrics.remove_beyond", row.pk)


def removal_run(pk: int) -> None:
    """Delete slice by slice until all are done. Safe to be called again at any point, and by two at once."""
    while removal_step(pk):
        pass


@transaction.atomic
def removal_step(pk: int) -> bool:
    """The next slice. False where it is finished, or another worker is at it."""
    rows = Removal.objects.select_for_update(skip_locked=True, of=("self",)).select_related("trial")
    row = rows.filter(pk=pk, state=Removal.State.APPROVED).first()
    if row is None:
        return False
    participant = _people(row.trial).filter(pk__gt=row.reached).order_by("pk").first()
    if participant is None:
        row.state, row.done_at, row.total = Removal.State.DONE, timezone.now(), row.done
        row.save()
        record("removal.done", trial=row.trial, thing=f"removal:{row.public_id}", new={"removed": row.report})
        return False
    removed, more = remove_slice(participant)
    _count(row, removed)
    if not more:
        row.reached, row.done, row.begun = participant.pk, row.done + 1, False
    row.save()
    return True


def _people(trial: Trial) -> QuerySet[Participant]:
    return trial.participants.exclude(status=Participant.Status.ERASED)


def _count(row: Removal, removed: Beyond) -> None:
    """Add a slice to the row's report."""
    if not removed:
        return
    slice_ = total([removed])
    report = {name: row.report.get(name, 0) + slice_[name] for name in ("nights", "exercise", "old values")}
    report["samples"] = dict(Counter(row.report.get("samples", {})) + removed.samples)
    report["participants"] = row.report.get("participants", 0) + (not row.begun)
    row.report, row.begun = report, True
