"""What Celery runs of the audit trail."""

from __future__ import annotations

from celery import shared_task

from participants import audit_chain


@shared_task(name="participants.seal_audit", acks_late=True)  # type: ignore[untyped-decorator]
def seal_audit() -> None:
    """Each minute: chain what was recorded since."""
    audit_chain.seal()
