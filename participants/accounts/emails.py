"""E-mails about accounts: their text, and that the worker sends them.

No page waits for a mail server: a response that came later for addresses that exist would tell who has an account.
No link is handed to the worker either; it makes the link itself, so that none lies in the queue.
"""

from __future__ import annotations

import logging
from functools import partial
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.http import int_to_base36
from kombu.exceptions import OperationalError

from participants.accounts import sign_in_log
from participants.models import ColleagueInvitation, User
from participants.task_queue import enqueue

log = logging.getLogger(__name__)

# What was changed, by the name that allauth gives the e-mail.
NOTICES = {
    "account/email/password_changed": "your password was changed",
    "account/email/password_reset": "your password was set again by a link from an e-mail",
    "account/email/password_set": "a password was set",
    "mfa/email/totp_activated": "an authenticator app was set up",
    "mfa/email/totp_deactivated": "the authenticator app was removed",
    "mfa/email/webauthn_added": "a passkey was added",
    "mfa/email/webauthn_removed": "a passkey was removed",
    "mfa/email/recovery_codes_generated": "new recovery codes were made; the old ones do not work any more",
    "sign_out_everywhere": "you were signed out everywhere else",
    "second_factor_recovered": "an administrator removed your second factor; you set up a new one when you sign in",
}
# What the next page says, by the template that allauth names.
MESSAGES = {
    "account/messages/password_changed.txt": "Your password was changed. Other sessions have ended.",
    "account/messages/password_set.txt": "Your password was set.",
    "mfa/messages/totp_activated.txt": "The authenticator app is set up.",
    "mfa/messages/totp_deactivated.txt": "The authenticator app was removed.",
    "mfa/messages/webauthn_added.txt": "The passkey was added.",
    "mfa/messages/webauthn_removed.txt": "The passkey was removed.",
    "mfa/messages/recovery_codes_generated.txt": "Store these recovery codes where you find them without your phone.",
}

RESET = """Somebody, probably you, asked to set a new password for Wearable Trials at {site}.

Open this page to choose one. It works once, for {hours} hours:

{link}

If it was not you, do nothing: your password stays as it is.
"""
NOTICE = """At {site}, {what}: {at} (UTC), {place}.

If it was you, there is nothing to do. If not, set a new password at once and tell your administrator:

{link}
"""
INVITATION = """{inviter} invites you to the trial {trial} ({title}) at {site}, as {role} of {where}.

Open this page to accept. It works once, until {until} (UTC), and is for you alone:

{link}
"""


NO_SERVER = "This site has no mail server. Ask your administrator."


class CannotSend(Exception):
    """Error: no e-mail can be sent at the moment. The message says why and is fit to show."""


def check_server() -> None:
    """Raises CannotSend where there is no mail server."""
    if not settings.EMAIL_HOST:
        raise CannotSend(NO_SERVER)


def queue(task: str, *args: object) -> None:
    """Hand work to the worker now; `task`: its name.

    Raises CannotSend where there is no mail server or nobody takes the work.
    """
    check_server()
    try:
        enqueue(task, *args)
    except OperationalError:
        log.exception("an e-mail could not be handed to the worker")
        raise CannotSend("No e-mail can be sent at the moment. Try again in a few minutes.") from None


def notify(user: User, what: str, request: HttpRequest | None) -> None:
    """Tell somebody that their account was changed, once the change is stored. Without a mail server nobody is."""
    place = "by an administrator"
    if request is not None:
        place = f"from {sign_in_log.network(request) or 'an unknown address'}"
        if known := sign_in_log.browser(request):
            place += f" ({known})"
    at = timezone.now().strftime("%-d %B %Y %H:%M")
    transaction.on_commit(partial(queue_or_log, "participants.mail_notice", user.pk, what, at, place))


def queue_or_log(task: str, *args: object) -> None:
    """Queue an e-mail where nobody waits for it; a failure is logged."""
    try:
        queue(task, *args)
    except CannotSend as fault:
        log.warning("an e-mail about an account was not sent: %s", fault)


def send_notice(user: User, what: str, at: str, place: str) -> None:
    """Send it. `what`: a key of NOTICES."""
    link = _link(reverse("account_reset_password"))
    text = NOTICE.format(site=_site(), what=NOTICES[what], at=at, place=place, link=link)
    _send(user.email, f"Your account: {NOTICES[what]}", text)


def send_reset(email: str) -> None:
    """A link to set a new password, if the address belongs to somebody who may sign in; else nothing."""
    user = User.objects.by_address(email).filter(is_active=True, is_service=False).first()
    if user is None:
        return
    key = default_token_generator.make_token(user)
    path = reverse("account_reset_password_from_key", args=[int_to_base36(user.pk), key])
    hours = settings.PASSWORD_RESET_TIMEOUT // 3600
    _send(user.email, "Set a new password", RESET.format(site=_site(), hours=hours, link=_link(path)))


def send_invitation(invitation: ColleagueInvitation, code: str) -> None:
    """The link by which a colleague accepts."""
    text = INVITATION.format(
        inviter=invitation.invited_by.get_full_name() or invitation.invited_by.email,
        trial=invitation.trial.code,
        title=invitation.trial.title,
        site=_site(),
        role=invitation.get_role_display(),
        where=invitation.site.name if invitation.site else "all sites",
        until=invitation.expires_at.strftime("%-d %B %Y %H:%M"),
        link=_link(reverse("dashboards:join", args=[code])),
    )
    _send(invitation.email, f"You are asked into the trial {invitation.trial.code}", text)


def _send(to: str, subject: str, text: str) -> None:
    EmailMessage(subject, text, to=[to]).send()


def _site() -> str:
    return str(urlsplit(settings.PUBLIC_URL).netloc)


def _link(path: str) -> str:
    return f"{settings.PUBLIC_URL}{path}"
