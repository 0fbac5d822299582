"""What Celery runs of the audit trail and of erasures."""

from __future__ import annotations

from celery import shared_task

from participants import audit_chain, erasing
from participants.models import Erasure


@shared_task(name="participants.seal_audit", acks_late=True)  # type: ignore[untyped-decorator]
def seal_audit() -> None:
    """Each minute: chain what was recorded since."""
    audit_chain.seal()


@shared_task(name="participants.erase", acks_late=True)  # type: ignore[untyped-decorator]
def erase(pk: int) -> None:
    """Carry out an approved erasure, or go on with it."""
    erasing.erase(pk)


@shared_task(name="participants.resume_erasures", acks_late=True)  # type: ignore[untyped-decorator]
def resume_erasures() -> None:
    """Now and then: what was approved and is not done goes on."""
    for pk in Erasure.objects.filter(state=Erasure.State.APPROVED).values_list("pk", flat=True):
        erase.delay(pk)
