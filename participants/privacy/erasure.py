"""Erasure: a participant's data are deleted for good, after two people have said so.

What is left is the row of the erasure with its counts, the person's row without anything of theirs, and the audit
entries without their details: the chain still holds. Backups made before know the person still: a restored one is
brought up to date from the journal (participants.privacy.erasure_journal).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from participants import hooks, sql, write_rights
from participants.after_commit import after_commit
from participants.audit import record, record_view
from participants.locks import lock_participant
from participants.models import AuditDetail, EnrolmentPreview, Erasure, IdempotencyKey, Participant, User
from participants.privacy import erasure_journal
from participants.privacy.data_map import data_inventory
from participants.services import participant_withdraw
from participants.task_queue import enqueue


class NotErased(Exception):
    """Error: data of the erased participant are still there. Nothing was changed; a fault of ours."""


class ErasureRefused(ValueError):
    """Refusal: this user cannot ask for or decide it now. The message is fit to show."""


@transaction.atomic
def erasure_request(participant: Participant, *, by: User, reason: str) -> Erasure:
    """Ask for an erasure; another person decides. Raises ErasureRefused, django's ValidationError."""
    lock_participant(participant)
    if participant.status == Participant.Status.ERASED:
        raise ErasureRefused("Their data were erased already.")
    if participant.erasures.filter(state__in=[Erasure.State.ASKED, Erasure.State.APPROVED]).exists():
        raise ErasureRefused("An erasure was requested already.")
    erasure = Erasure(participant=participant, asked_by=by, reason=reason.strip())
    erasure.full_clean(exclude=["decided_by", "decided_at", "done_at", "report"])
    erasure.save()
    record("erasure.ask", participant=participant, thing=f"erasure:{erasure.public_id}", reason=erasure.reason)
    return erasure


@transaction.atomic
def erasure_decide(erasure: Erasure, *, by: User, approve: bool) -> None:
    """Approve or refuse; approved, they leave the trial at once and the deletion begins after this transaction.

    Raises ErasureRefused for the person who asked, and where it was decided already.
    """
    participant = erasure.participant
    lock_participant(participant)
    row = Erasure.objects.select_for_update().get(pk=erasure.pk)
    if row.state != Erasure.State.ASKED:
        raise ErasureRefused(f"It is {row.get_state_display()} already.")
    if approve and by.pk == row.asked_by_id:
        raise ErasureRefused("Another person than the one who asked must approve.")
    row.state = Erasure.State.APPROVED if approve else Erasure.State.REFUSED
    row.decided_by, row.decided_at = by, timezone.now()
    row.save(update_fields=["state", "decided_by", "decided_at"])
    verb = "erasure.approve" if approve else "erasure.refuse"
    record(verb, participant=participant, thing=f"erasure:{row.public_id}")
    if not approve:
        return
    if participant.status != Participant.Status.WITHDRAWN:
        # From here on nothing of theirs is stored or asked for.
        participant_withdraw(participant, on=timezone.now().date())
    after_commit(enqueue, "participants.erase", row.pk)


def erase(pk: int) -> None:
    """Carry out an approved erasure; safe to be called again at any point. Raises NotErased, and then nothing is gone
    but what was measured.
    """
    row = Erasure.objects.select_related("participant__trial").filter(pk=pk, state=Erasure.State.APPROVED).first()
    if row is not None:
        remove(row.participant, str(row.public_id))


def remove(participant: Participant, public_id: str) -> None:
    """Delete everything about a participant and note how much, by table. Their row stays, empty.

    First what is much, in transactions of its own (an eraser may be called again), then all the rest at once, with
    the erasure's own row: a worker killed at any point leaves it to be gone on with, or done.
    """
    known = Participant.objects.select_related("trial").get(pk=participant.pk)
    removed: Counter[str] = Counter()
    for erase_more in hooks.erasers:
        removed.update(erase_more(known))
    with transaction.atomic():
        lock_participant(known)  # who would add to their rows meanwhile waits, and finds them erased
        for erase_more in hooks.erasers:  # what came in between
            removed.update(erase_more(known))
        removed.update(_rows(known))
        removed.update(_mentions(known))
        _empty(known)
        if still := {entry.model._meta.label for entry in data_inventory() if entry.of(known).exists()}:
            raise NotErased(f"Still there: {', '.join(sorted(still))}.")
        report = dict(+removed)
        record("participant.erase", trial=known.trial, thing=f"erasure:{public_id}", new={"removed": report})
        # Of this entry the participant's number is all that is known of them: it explains to
        # participants.audit.hash_chain why the details about them are gone.
        record_view(known, "participant.erase")
        approved = Erasure.objects.filter(public_id=public_id, state=Erasure.State.APPROVED)
        approved.update(state=Erasure.State.DONE, done_at=timezone.now(), report=report, reason="erased")
        erasure_journal.write(known, public_id)


def _rows(participant: Participant) -> Counter[str]:
    removed: Counter[str] = Counter()
    for entry in data_inventory():
        _, by_model = entry.of(participant).delete()
        removed.update(by_model)
    return removed


def _mentions(participant: Participant) -> Counter[str]:
    """Delete what names a participant without a foreign key: audit details, the admin's log, repeated writes."""
    removed: Counter[str] = Counter()
    with connection.cursor() as cursor:
        cursor.execute(sql.ERASING, [str(participant.pk)])
    details = AuditDetail.objects.filter(entry__participant=participant.pk)
    removed["participants.AuditDetail"], _ = details.delete()
    whole = rf"(^|[^A-Za-z0-9._-]){_escaped(participant.study_id)}([^A-Za-z0-9._-]|$)"
    own = Q(content_type=ContentType.objects.get_for_model(Participant), object_id=str(participant.pk))
    log = LogEntry.objects.filter(own | Q(object_repr__iregex=whole) | Q(change_message__iregex=whole))
    removed["admin.LogEntry"], _ = log.delete()
    repeated = IdempotencyKey.objects.filter(
        Q(path__iregex=whole) | Q(rights__contains=[[write_rights.PARTICIPANT, participant.pk]])
    )
    removed["participants.IdempotencyKey"], _ = repeated.delete()
    # Whom a file names, and with what, is known to its uploader alone: all that wait in the participant's trial go.
    # The key is what the model was called first: stored reports have it.
    removed["participants.EnrolmentDraft"], _ = EnrolmentPreview.objects.filter(trial=participant.trial).delete()
    return removed


def _escaped(study_id: str) -> str:
    return study_id.replace(".", r"\.")


def _empty(participant: Participant) -> None:
    """Empty a participant's row: a number is left, in its trial."""
    Participant.objects.filter(pk=participant.pk).update(
        study_id=f"erased-{participant.pk}",
        status=Participant.Status.ERASED,
        site=None,
        arm="",
        time_zone="UTC",
        monitoring_starts_on=None,
        monitoring_ends_on=None,
        withdrawn_on=None,
        enrolled_at=dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
    )
