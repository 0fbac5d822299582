"""Bounces that come after the mail server took a message: delivery-status notifications (RFC 3464), read as bytes."""

from __future__ import annotations

import datetime as dt
import logging
import re
from dataclasses import dataclass
from email import policy
from email.errors import MessageError
from email.message import EmailMessage, Message
from email.parser import BytesParser

from dashboards.messaging import smtp
from dashboards.models import Outreach
from participants.privacy import contacts

log = logging.getLogger(__name__)

STATUS = re.compile(r"^\s*([245]\.\d{1,3}\.\d{1,3})\b")
MESSAGE_ID = re.compile(r"<[^<>\s]{3,118}>")
LARGEST = 10_000_000


class NoNotification(ValueError):
    """The input is not a delivery-status notification about one of our e-mails; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Notification:
    """Status of one message. `action`: failed, delayed, delivered, relayed or expanded; `status`: 5.1.1."""

    message_id: str
    action: str
    status: str

    @property
    def final(self) -> bool:
        return self.action == "failed"

    @property
    def about_address(self) -> bool:
        """Whether writing to that address again is useless."""
        return self.status in smtp.NO_SUCH_ADDRESS


def parse(raw: bytes) -> Notification:
    """Read a notification as a mail server sends it. Raises NoNotification."""
    if not raw.strip():
        raise NoNotification("The input is empty: pipe the whole message into the command.")
    if len(raw) > LARGEST:
        raise NoNotification("The input is larger than 10 MB: that is no delivery-status notification.")
    try:
        message = BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(raw)
        parts = list(message.walk())
        report = next((part for part in parts if part.get_content_type() == "message/delivery-status"), None)
        if report is None:
            raise NoNotification("There is no part of type message/delivery-status: this is no notification.")
        action, status = _recipient(report)
        message_id = _message_id(message, parts)
    except (MessageError, UnicodeError, AttributeError, LookupError) as fault:
        raise NoNotification(f"The message cannot be read ({type(fault).__name__}).") from None
    return Notification(message_id, action, status)


def _recipient(report: Message) -> tuple[str, str]:
    """Action and status of the first recipient: our messages have one."""
    payload = report.get_payload()
    for group in payload if isinstance(payload, list) else []:
        if not isinstance(group, Message) or not group.get("Action"):
            continue
        status = STATUS.match(str(group.get("Status", "")))
        if status is None:
            raise NoNotification("The notification gives no Status such as 5.1.1.")
        return str(group["Action"]).strip().lower(), status.group(1)
    raise NoNotification("The notification names no recipient with an Action.")


def _message_id(whole: Message, parts: list[EmailMessage]) -> str:
    """The Message-ID of what bounced: in the returned message or its headers, else where the notification answers."""
    for part in parts:
        if part.get_content_type() in ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers"):
            payload = part.get_payload()
            returned = payload[0] if isinstance(payload, list) and payload else payload
            text = returned.as_string() if isinstance(returned, Message) else str(returned)
            match = re.search(r"(?im)^message-id:\s*(<[^<>\s]{3,118}>)", text)
            if match:
                return match.group(1)
    for header in ("In-Reply-To", "References"):
        if match := MESSAGE_ID.search(str(whole.get(header, ""))):
            return match.group()
    raise NoNotification("The notification does not say which message it is about: no Message-ID is in it.")


def take(notification: Notification, now: dt.datetime) -> Outreach | None:
    """Mark what bounced, and the participant's address if that is at fault. None: it is not final, or was taken before.

    Raises NoNotification where the message is none of ours.
    """
    row = Outreach.objects.filter(message_id=notification.message_id).select_related("participant").first()
    if row is None:
        raise NoNotification("None of our e-mails has the Message-ID that the notification names.")
    if not notification.final:
        return None
    why = smtp.reply_text(notification.status.partition(".")[0] + "xx", notification.status)
    moved = Outreach.objects.filter(
        pk=row.pk, state__in=(Outreach.State.SENT, Outreach.State.SENDING, Outreach.State.FAILED)
    ).update(state=Outreach.State.BOUNCED, state_at=now, state_reason=f"after it was taken: {why}")
    if not moved:
        return None
    if notification.about_address:
        contacts.bounced(row.participant, why, now=now)
    log.info("outreach %s bounced: %s", row.pk, notification.status)
    return row
