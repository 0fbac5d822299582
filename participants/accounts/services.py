"""Rules of accounts: inviting colleagues into a trial, joining, the way back in for who lost their second factor."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from participants import audit
from participants.accounts import emails, sign_in_log
from participants.models import SERVICE_DOMAIN, ColleagueInvitation, Membership, Site, Trial, User, Via
from participants.services.changes import change, locked
from participants.services.team import membership_grant
from participants.user_input import canonical_address

# What never went out is tried again: a moment after it was asked for, then at each sweep, for some hours.
FIRST_PAUSE, PAUSE = dt.timedelta(minutes=2), dt.timedelta(minutes=10)
MOST_ATTEMPTS = 30


class CannotJoin(Exception):
    """The invitation opens nothing (any more), or not for this user; the message is fit to show."""


def led_by(user: User) -> QuerySet[Trial]:
    """Trials into which a user invites colleagues: those that they lead, while these are open."""
    led: QuerySet[Trial] = Trial.objects.led_by(user)
    return led.exclude(status=Trial.Status.CLOSED)


def colleague_invite(*, trial: Trial, email: str, role: str, site: Site | None, by: User) -> ColleagueInvitation:
    """Invite a colleague into a trial by e-mail. An open invitation to the same address gives way to the new one.

    Raises django's ValidationError for bad values, emails.CannotSend where no e-mail can be sent (the invitation
    is revoked at once then).
    """
    invitation = ColleagueInvitation(
        trial=trial,
        site=site,
        role=role,
        email=canonical_address(email),
        invited_by=by,
        expires_at=timezone.now() + dt.timedelta(days=settings.COLLEAGUE_INVITATION_DAYS),
    )
    invitation.full_clean(exclude=["code_hash"])
    if site is not None and site.trial_id != trial.pk:
        raise ValidationError({"site": "This site belongs to another trial."})
    if invitation.email.endswith(f"@{SERVICE_DOMAIN}"):
        raise ValidationError({"email": "This is a program's address: a service account is made in its own trial."})
    if _is_member(trial, site, invitation.email):
        raise ValidationError({"email": "This person is a member there already."})
    with transaction.atomic():
        for old in open_invitations(trial).filter(email=invitation.email):
            colleague_revoke(old)
        invitation.save()
        audit.record(
            "colleague.invite", trial=trial, thing=f"invitation:{invitation.pk}", new=_audit_values(invitation)
        )
    try:
        emails.queue("participants.mail_invitation", invitation.pk)
    except emails.CannotSend:
        colleague_revoke(invitation)
        raise
    return invitation


def open_invitations(trial: Trial) -> QuerySet[ColleagueInvitation]:
    """Invitations whose links still work."""
    return ColleagueInvitation.objects.filter(
        trial=trial, accepted_at=None, revoked_at=None, expires_at__gt=timezone.now()
    ).select_related("site", "invited_by")


@transaction.atomic
def colleague_revoke(invitation: ColleagueInvitation) -> bool:
    """Make the link useless. Returns False where it was accepted or revoked already."""
    invitations = ColleagueInvitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None)
    if not invitations.update(revoked_at=timezone.now()):
        return False
    audit.record(
        "colleague.revoke", trial=invitation.trial, thing=f"invitation:{invitation.pk}", old=_audit_values(invitation)
    )
    return True


def invitation_again(invitation: ColleagueInvitation) -> bool:
    """Send the link once more, a new one: the one before does not work any more. False where it is not open.

    Raises emails.CannotSend: without a mail server nothing has changed, else it is sent by the next sweep.
    """
    emails.check_server()
    with transaction.atomic():
        invitations = ColleagueInvitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None)
        if not invitations.filter(expires_at__gt=timezone.now()).update(
            sent_at=None, code_hash="", attempts=0, tried_at=None
        ):
            return False
        values, thing = _audit_values(invitation), f"invitation:{invitation.pk}"
        audit.record("colleague.invite_again", trial=invitation.trial, thing=thing, new=values)
    emails.queue("participants.mail_invitation", invitation.pk)
    return True


def invitations_due(now: dt.datetime) -> list[int]:
    """Invitations whose link never went out: its task is gone, or the mail server did not take it."""
    lost = Q(tried_at=None, created_at__lt=now - FIRST_PAUSE) | Q(tried_at__lt=now - PAUSE)
    open_ones = ColleagueInvitation.objects.filter(accepted_at=None, revoked_at=None, expires_at__gt=now, sent_at=None)
    return list(open_ones.filter(lost, attempts__lt=MOST_ATTEMPTS).order_by("pk").values_list("pk", flat=True))


def invitation_send(pk: int) -> None:
    """The worker's part: make the code and send it. Twice is once: what was sent or is not open is left alone.

    The attempt is counted whatever comes of it. A worker that is killed right after the e-mail went out leaves it to be
    sent again: of two links the later one works.
    """
    ColleagueInvitation.objects.filter(pk=pk, sent_at=None).update(attempts=F("attempts") + 1, tried_at=timezone.now())
    with transaction.atomic():
        invitation = ColleagueInvitation.objects.select_for_update().get(pk=pk)
        if invitation.sent_at or not invitation.open:
            return
        code = secrets.token_urlsafe(32)
        invitation.code_hash, invitation.sent_at = _hashed(code), timezone.now()
        emails.send_invitation(invitation, code)
        invitation.save(update_fields=["code_hash", "sent_at"])


def invitation_by(code: str) -> ColleagueInvitation:
    """The open invitation of a code. Raises CannotJoin, with one message whatever is wrong with it."""
    invitations = ColleagueInvitation.objects.filter(code_hash=_hashed(code)).select_related(
        "trial", "site", "invited_by"
    )
    invitation = invitations.first()
    if invitation is None or not invitation.open or not led_by(invitation.invited_by).filter(pk=invitation.trial_id):
        raise CannotJoin("This invitation does not work any more. Ask your colleague for a new one.")
    return invitation


def has_account(invitation: ColleagueInvitation) -> bool:
    """Whether the invited address belongs to somebody already: they sign in and accept."""
    return User.objects.by_address(invitation.email).exists()


@transaction.atomic
def colleague_join(code: str, *, user: User | None, name: tuple[str, str] = ("", ""), password: str = "") -> User:
    """Accept: with the account of the invited address, or with a new one. Raises CannotJoin."""
    ColleagueInvitation.objects.select_for_update().filter(code_hash=_hashed(code)).first()
    invitation = invitation_by(code)
    if user is None:
        if has_account(invitation):
            raise CannotJoin("There is an account with this address. Sign in and open the link again.")
        user = User.objects.create_user(invitation.email, password, first_name=name[0], last_name=name[1])
    elif user.email != canonical_address(invitation.email):
        raise CannotJoin("This invitation is for another address. Sign out and open the link again.")
    if _is_member(invitation.trial, invitation.site, user.email):
        raise CannotJoin("You are a member there already.")
    invitation.accepted_at, invitation.accepted_by = timezone.now(), user
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    with audit.acting(via=Via.PAGE, user=user):
        membership_grant(user=user, trial=invitation.trial, site=invitation.site, role=invitation.role)
        values = _audit_values(invitation)
        audit.record("colleague.join", trial=invitation.trial, thing=f"invitation:{invitation.pk}", new=values)
    return user


@transaction.atomic
def account_rename(user: User, *, first_name: str, last_name: str) -> None:
    """Store how colleagues see somebody. Nothing different writes nothing. Raises django's ValidationError."""
    old, new = change(locked(user), {"first_name": first_name, "last_name": last_name}, may=("first_name", "last_name"))
    if new:
        audit.record("account.rename", thing=f"user:{user.pk}", old=old, new=new)


@transaction.atomic
def second_factor_recover(user: User, *, reason: str) -> int:
    """Remove all second factors of somebody who lost theirs, end their sessions and tell them. Returns how many."""
    count, _ = Authenticator.objects.filter(user=user).delete()
    if count:
        audit.record(
            "account.second_factor_removed", thing=f"user:{user.pk}", old={"second_factors": count}, reason=reason
        )
        sign_in_log.sign_out_everywhere(None, user, why="the second factor was removed")
        emails.notify(user, "second_factor_recovered", None)
    return int(count)


def _is_member(trial: Trial, site: Site | None, email: str) -> bool:
    return Membership.objects.filter(
        trial=trial, site=site, user__email=canonical_address(email), ended_at=None
    ).exists()


def _audit_values(invitation: ColleagueInvitation) -> dict[str, str]:
    site = invitation.site.code if invitation.site else ""
    return {"email": invitation.email, "role": invitation.role, "site": site}


def _hashed(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
