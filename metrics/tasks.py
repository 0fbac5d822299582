"""Celery tasks of metrics: evaluation that comes with the clock, recomputes, corrections, exports, maintenance."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from metrics.corrections import data_deletion, data_moves, removal_requests
from metrics.exports import deletion, runner
from metrics.maintenance import data_check, routine
from metrics.models import DataMove, Recompute, Removal, SourceDeletion
from metrics.monitoring import due, evaluation, pending
from metrics.reevaluation import recompute as reevaluation_recompute
from participants.models import Participant

log = logging.getLogger(__name__)

# So many participants are evaluated in one transaction: each is locked until its end.
CHUNK = 50


@shared_task(name="metrics.judge_days", acks_late=True)  # type: ignore[untyped-decorator]
def evaluate_days() -> None:
    """Each hour: whoever's evidence may have changed is evaluated. Fans out, a chunk of participants a message."""
    _fan_out(due.by_evidence(timezone.now()))


@shared_task(name="metrics.judge_new", acks_late=True)  # type: ignore[untyped-decorator]
def evaluate_new() -> None:
    """Each minute: whoever has no status summary yet gets one, and those whose time has come are evaluated."""
    evaluate(list(due.new().values_list("pk", flat=True)[:CHUNK]))
    _fan_out(due.by_the_clock(timezone.now()))


@shared_task(name="metrics.evaluate_pending", acks_late=True)  # type: ignore[untyped-decorator]
def evaluate_pending() -> None:
    """Every few seconds: evaluate the days that payloads have marked."""
    pending.settle()


@shared_task(name="metrics.judge_people", acks_late=True)  # type: ignore[untyped-decorator]
def evaluate_participants(ids: list[int]) -> None:
    """Evaluate what is not settled of these participants."""
    evaluate(ids)


@shared_task(name="metrics.judge_trial", acks_late=True)  # type: ignore[untyped-decorator]
def evaluate_trial(trial_id: int) -> None:
    """Evaluate a trial's participants after its dates or its status changed."""
    people = Participant.objects.filter(trial=trial_id).exclude(status=Participant.Status.ERASED).order_by("pk")
    _fan_out(list(people.values_list("pk", flat=True)))


@shared_task(name="metrics.recompute", acks_late=True)  # type: ignore[untyped-decorator]
def recompute(pk: int) -> None:
    """Go on with a recompute where it stands, to its end."""
    reevaluation_recompute.recompute_run(pk)


@shared_task(name="metrics.resume_recomputes", acks_late=True)  # type: ignore[untyped-decorator]
def resume_recomputes() -> None:
    """Each minute: a recompute that nobody works on any more goes on."""
    for pk in Recompute.objects.filter(finished_at=None, error="").values_list("pk", flat=True):
        recompute.delay(pk)


@shared_task(name="metrics.remove_beyond", acks_late=True)  # type: ignore[untyped-decorator]
def remove_beyond(pk: int) -> None:
    """Carry out an approved removal, or go on with it."""
    removal_requests.removal_run(pk)


@shared_task(name="metrics.resume_removals", acks_late=True)  # type: ignore[untyped-decorator]
def resume_removals() -> None:
    """Now and then: a removal that was approved and is not done goes on."""
    for pk in Removal.objects.filter(state=Removal.State.APPROVED).values_list("pk", flat=True):
        remove_beyond.delay(pk)


# Acknowledged at once: the row says what is to be done, and beat finds what a killed worker left.
@shared_task(name="metrics.export_run", acks_late=False)  # type: ignore[untyped-decorator]
def export_run(pk: int) -> None:
    """Go on with an export where it stands, to its end. On a queue of its own: it may take an hour."""
    runner.export_run(pk)


@shared_task(name="metrics.resume_exports", acks_late=True)  # type: ignore[untyped-decorator]
def resume_exports() -> None:
    """Each minute: an export that nobody works on goes on."""
    for pk in runner.due(timezone.now()):
        export_run.apply_async((pk,), expires=55)


@shared_task(name="metrics.expire_exports", acks_late=True)  # type: ignore[untyped-decorator]
def expire_exports() -> None:
    """Each hour: files whose time is over are deleted."""
    deletion.expire(timezone.now())


@shared_task(name="metrics.care", acks_late=True)  # type: ignore[untyped-decorator]
def maintain_store() -> None:
    """Each night: chunks are compressed, and what a trial does not keep is deleted."""
    for line in routine.maintain(timezone.now()).lines():
        log.info("%s", line)


@shared_task(name="metrics.move_data", acks_late=True)  # type: ignore[untyped-decorator]
def move_data(pk: int) -> None:
    """Go on with a move of one participant's data to another where it stands, to its end."""
    data_moves.move_run(pk)


@shared_task(name="metrics.resume_moves", acks_late=True)  # type: ignore[untyped-decorator]
def resume_moves() -> None:
    """Each minute: a move that nobody works on any more goes on."""
    for pk in DataMove.objects.filter(finished_at=None).values_list("pk", flat=True):
        move_data.delay(pk)


@shared_task(name="metrics.delete_of_source", acks_late=True)  # type: ignore[untyped-decorator]
def delete_of_source(pk: int) -> None:
    """Go on with the deletion of what a source brought of a participant where it stands, to its end."""
    data_deletion.deletion_run(pk)


@shared_task(name="metrics.resume_deletions", acks_late=True)  # type: ignore[untyped-decorator]
def resume_deletions() -> None:
    """Each minute: a deletion by source that nobody works on any more goes on."""
    for pk in SourceDeletion.objects.filter(finished_at=None).values_list("pk", flat=True):
        delete_of_source.delay(pk)


@shared_task(name="metrics.check_data", acks_late=True)  # type: ignore[untyped-decorator]
def check_data() -> None:
    """Each night: whether the last days keep what the product promises of them; /metrics/state tells the result."""
    data_check.run(since=data_check.recent(timezone.now()))


def _fan_out(people: list[int]) -> None:
    for start in range(0, len(people), CHUNK):
        evaluate_participants.delay(people[start : start + CHUNK])


def evaluate(ids: list[int]) -> None:
    """Evaluate these participants together; nothing where there are none."""
    if ids:
        evaluation.refresh_many(Participant.objects.filter(pk__in=ids), now=timezone.now())
