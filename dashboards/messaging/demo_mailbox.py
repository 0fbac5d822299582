"""Demo mailbox: shows the e-mails that the demo's mail server took in place of participants' own.

There is such a page only where DEMO_MAIL_FOLDER is set, and only for those who manage a demo trial; it shows what
was written to participants whom they manage there, and what this site wrote to themselves.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from html import unescape
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboards.models import Outreach
from dashboards.ui.access import Request, signed_in
from participants.models import Participant, Trial, User
from participants.user_input import canonical_address, query_params

SHOWN = 100
NAME = re.compile(r"[0-9A-Za-z-]+\.eml")
INLINE, SHEET = re.compile(r'\sstyle="([^"]*)"'), re.compile(r"<style>(.*?)</style>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DemoEmail:
    """E-mail in the folder. `study_id` is empty for e-mails to staff."""

    name: str
    at: dt.datetime
    to: str
    sender: str
    subject: str
    study_id: str
    html: str
    plain: str
    headers: list[tuple[str, str]]


@require_safe
@never_cache
@signed_in
def mailbox(request: Request) -> HttpResponse:
    """Page with the list of e-mails, newest first; `mail` opens one, `format=plain` its plain text."""
    folder = settings.DEMO_MAIL_FOLDER
    managed = Participant.objects.managed_by(request.user).filter(trial__is_demo=True)
    if not folder or not managed.exists():
        raise Http404("no mailbox here")
    emails = read_emails(Path(folder), request.user, managed)
    name = query_params(request).get("mail", "")
    opened = next((email for email in emails if email.name == name), emails[0] if emails else None)
    trial = Trial.objects.visible_to(request.user).filter(is_demo=True).first()
    context = {
        "trial": trial,
        "emails": emails,
        "opened": opened,
        "plain": query_params(request).get("format") == "plain",
        "now": timezone.now(),
        "section": "contacts",
    }
    response = render(request, "dashboards/messaging/mailbox.html", context)
    if opened:
        # The e-mail's frame has this page's policy; e-mails must bring their styles along, and only these are let in.
        response._csp_update = {"style-src": style_hashes(opened.html)}  # type: ignore[attr-defined]  # django-csp's
    return response


def style_hashes(html: str) -> list[str]:
    """Sources for a content security policy that lets in the styles within this HTML, and no others."""
    styles = [unescape(style) for style in INLINE.findall(html)] + SHEET.findall(html)
    digests = (hashlib.sha256(style.encode()).digest() for style in dict.fromkeys(styles))
    hashes = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    return ["'unsafe-hashes'", *hashes] if hashes else []


def read_emails(folder: Path, user: User, managed: object) -> list[DemoEmail]:
    """Newest e-mails in the folder that the user may see."""
    files = sorted((file for file in folder.glob("*.eml") if NAME.fullmatch(file.name)), reverse=True)
    read = []
    for file in files[: 5 * SHOWN]:
        try:
            read.append(
                (file.name, BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(file.read_bytes()))
            )
        except FileNotFoundError:  # the server keeps only so many and has just dropped it
            continue
    ids = [str(message.get("Message-ID", "")).strip() for _, message in read]
    named = [message_id for message_id in ids if message_id]
    rows = Outreach.objects.filter(message_id__in=named, participant__in=managed)  # type: ignore[misc]
    known = dict(rows.values_list("message_id", "participant__study_id"))
    emails = []
    for (name, message), message_id in zip(read, ids, strict=True):
        to = str(message.get("To", ""))
        if message_id in known or canonical_address(to) == user.email:
            emails.append(_parsed(name, message, known.get(message_id, "")))
        if len(emails) == SHOWN:
            break
    return emails


def _parsed(name: str, message: EmailMessage, study_id: str) -> DemoEmail:
    html, plain = message.get_body(("html",)), message.get_body(("plain",))
    headers = ("From", "To", "Reply-To", "Subject", "Date", "Message-ID", "List-Unsubscribe")
    return DemoEmail(
        name=name,
        at=_date(message),
        to=str(message.get("To", "")),
        sender=str(message.get("From", "")),
        subject=str(message.get("Subject", "")),
        study_id=study_id,
        html=html.get_content() if html else "",
        plain=plain.get_content() if plain else "",
        headers=[(header, str(message[header])) for header in headers if message[header]],
    )


def _date(message: EmailMessage) -> dt.datetime:
    """Date of an e-mail; one without a zone is UTC (RFC 5322: -0000)."""
    at = parsedate_to_datetime(str(message["Date"]))
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)
