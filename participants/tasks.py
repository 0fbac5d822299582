"""Celery tasks of audit trail, erasures and accounts: checkpoints, erasing, sending e-mails, clearing sessions."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from participants.accounts import emails, session_middleware
from participants.accounts import services as accounts_services
from participants.audit import hash_chain
from participants.enrolment import pending_upload
from participants.models import Erasure, User
from participants.privacy import erasure as privacy_erasure


@shared_task(name="participants.seal_audit", acks_late=True)  # type: ignore[untyped-decorator]
def checkpoint_audit() -> None:
    """Each minute: make checkpoints of what was recorded since."""
    hash_chain.checkpoint()


@shared_task(name="participants.erase", acks_late=True)  # type: ignore[untyped-decorator]
def erase(pk: int) -> None:
    """Carry out an approved erasure, or go on with it."""
    privacy_erasure.erase(pk)


@shared_task(name="participants.resume_erasures", acks_late=True)  # type: ignore[untyped-decorator]
def resume_erasures() -> None:
    """Now and then: what was approved and is not done goes on."""
    for pk in Erasure.objects.filter(state=Erasure.State.APPROVED).values_list("pk", flat=True):
        erase.delay(pk)


# Not acks_late: an e-mail that may have gone out is not sent again by a worker that was killed.
@shared_task(name="participants.mail_reset", ignore_result=True, acks_late=False)  # type: ignore[untyped-decorator]
def mail_reset(email: str) -> None:
    """A link to set a new password, if there is such an account."""
    emails.send_reset(email)


@shared_task(name="participants.mail_notice", ignore_result=True, acks_late=False)  # type: ignore[untyped-decorator]
def mail_notice(user_id: int, what: str, at: str, place: str) -> None:
    """Tell somebody that their account was changed. An account that was deleted meanwhile ends it quietly."""
    user = User.objects.filter(pk=user_id).first()
    if user is not None:
        emails.send_notice(user, what, at, place)


@shared_task(name="participants.mail_invitation", ignore_result=True, acks_late=False)  # type: ignore[untyped-decorator]
def mail_invitation(invitation_id: int) -> None:
    """Send a colleague the link into a trial."""
    accounts_services.invitation_send(invitation_id)


@shared_task(name="participants.resume_invitations", acks_late=True)  # type: ignore[untyped-decorator]
def resume_invitations() -> None:
    """Every few minutes: invitations whose e-mail never went out are sent."""
    for pk in accounts_services.invitations_due(timezone.now()):
        mail_invitation.delay(pk)


@shared_task(name="participants.clear_sessions", acks_late=True)  # type: ignore[untyped-decorator]
def clear_sessions() -> None:
    """Each hour: sessions that have expired, and files to enrol that nobody confirmed, are deleted."""
    session_middleware.clear_expired()
    pending_upload.clear(timezone.now())
