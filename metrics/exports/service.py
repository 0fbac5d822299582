"""Asking for exports, looking at them, calling them off: what pages, API and commands call.

An export is visible to who asked for it, while they still see all whose data it holds; to everybody else it is not
there.
"""

from __future__ import annotations

import logging
from typing import Any, Unpack

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from kombu.exceptions import OperationalError

from metrics.exports import store
from metrics.exports.export_request import ExportRequest, Filters, check, estimate
from metrics.models import Export, ExportFile
from participants import audit
from participants.after_commit import after_commit
from participants.models import Participant, Trial, User
from participants.task_queue import enqueue

log = logging.getLogger(__name__)

AT_ONCE = 5  # exports of one user that wait or run


@transaction.atomic
def create(user: User, request: ExportRequest) -> Export:
    """The export as a row; nothing is written yet. Raises ValidationError where too many of the user's are at work."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    at_work = Export.objects.filter(user=user, state__in=[Export.State.WAITING, Export.State.RUNNING]).count()
    if at_work >= AT_ONCE:
        raise ValidationError(f"{AT_ONCE} of your exports are at work. Wait for one, or call one off.")
    export = Export.objects.create(
        trial=request.trial,
        user=user,
        format=request.format,
        compressed=request.compressed,
        compression=request.compression,
        metrics=request.metrics,
        sources=request.sources,
        start_on=request.start_on,
        end_on=request.end_on,
        clock=request.clock,
        asked=request.filters,
        asked_at=timezone.now(),
        rows_expected=estimate(request),
    )
    export.people.set(request.people)
    audit.record("export.ask", trial=export.trial, thing=f"export:{export.uuid}", new=described(export))
    return export


def export_create(user: User, trial: Trial, **filters: Unpack[Filters]) -> Export:
    """Ask for an export (see Filters); a worker begins once this transaction is over.

    Raises ValidationError that names each bad parameter.
    """
    return export_create_checked(user, check(user, trial, **filters))


@transaction.atomic
def export_create_checked(user: User, request: ExportRequest) -> Export:
    """Ask for an export that `check` has passed. Raises ValidationError where too many of the user's are at work."""
    export = create(user, request)
    after_commit(_send, export.pk)
    return export


@transaction.atomic
def subject_export_create(user: User, participant: Participant, *, reason: str = "") -> Export:
    """Ask for everything about one participant, their name included; only who leads the trial may.

    Raises PermissionDenied.
    """
    if not Trial.objects.led_by(user).filter(pk=participant.trial_id).exists():
        raise PermissionDenied("Only managers of the whole trial may have everything about a participant.")
    export = Export.objects.create(
        trial=participant.trial, user=user, format=Export.Format.SUBJECT, asked_at=timezone.now()
    )
    export.people.set([participant])
    audit.record("subject.export", participant=participant, thing=f"export:{export.uuid}", reason=reason)
    after_commit(_send, export.pk)
    return export


def _send(pk: int) -> None:
    try:
        enqueue("metrics.export_run", pk)
    except OperationalError:
        log.warning("export %s could not be queued, the broker is away: the next minute's run finds it", pk)


def export_again(user: User, export: Export) -> Export:
    """Ask again for what an export that ended without files was asked for: by what the user sees now.

    Raises ValueError where it has not ended so, ValidationError and PermissionDenied as asking does.
    """
    if export.state not in (Export.State.FAILED, Export.State.CANCELLED, Export.State.EXPIRED):
        raise ValueError("It has not ended, or its files are there.")
    if export.format == Export.Format.SUBJECT:
        participant = export.people.select_related("trial").first()
        if participant is None:
            raise ValueError("Nobody is in it any more.")
        return subject_export_create(user, participant, reason=f"again: export {export.uuid}")
    return export_create(
        user,
        export.trial,
        format=export.format,
        participants=export.asked.get("participants"),
        metrics=export.metrics,
        sources=export.sources,
        start_on=export.start_on,
        end_on=export.end_on,
        clock=export.clock,
        compressed=export.compressed,
        compression=export.compression,
    )


def described(export: Export) -> dict[str, Any]:
    """The export in the audit trail's words."""
    return {
        "format": export.format,
        "participants": export.people.count(),
        "metrics": export.metrics or "all",
        "from": export.start_on,
        "to": export.end_on,
        "dates": export.clock,
    }


def exports_of(user: User) -> QuerySet[Export]:
    """The user's exports, newest first, of trials that they see; none that holds data of somebody they do not see.

    Everything about one participant is for those alone who lead the trial, still.
    """
    through = Export.people.through.objects.filter(export=OuterRef("pk"))
    hidden = through.exclude(participant__in=Participant.objects.visible_to(user).order_by())
    own = Export.objects.filter(user=user, trial__in=Trial.objects.visible_to(user).order_by())
    allowed = ~Q(format=Export.Format.SUBJECT) | Q(trial__in=Trial.objects.led_by(user).order_by())
    return own.filter(~Exists(hidden), allowed).select_related("trial")


@transaction.atomic
def export_cancel(export: Export) -> bool:
    """Call an export off and delete its files. False where it had ended."""
    unfinished = Export.objects.filter(pk=export.pk, state__in=[Export.State.WAITING, Export.State.RUNNING])
    if not unfinished.update(state=Export.State.CANCELLED, finished_at=timezone.now(), claim=None):
        return False
    audit.record("export.cancel", trial=export.trial, thing=f"export:{export.uuid}")
    after_commit(store.remove, export)
    return True


def export_file(export: Export, path: str) -> ExportFile:
    """A finished file. Raises ExportFile.DoesNotExist where there is none, or no more, StoreFault."""
    file: ExportFile = export.files.get(path=path, export__state=Export.State.DONE)
    if not store.holds(export, path):
        raise ExportFile.DoesNotExist
    return file


def downloaded(export: Export, what: str, byte_range: str = "") -> None:
    """Note in the trail that somebody takes this away, before a byte leaves.

    `what`: a file's path, or the whole as an archive. `byte_range`: first and last byte of how many, of a part.
    Everything about one participant is noted as theirs.
    """
    subject = export.people.select_related("trial").first() if export.format == Export.Format.SUBJECT else None
    new = {"file": what} | ({"bytes": byte_range} if byte_range else {})
    audit.record("export.download", trial=export.trial, participant=subject, thing=f"export:{export.uuid}", new=new)
