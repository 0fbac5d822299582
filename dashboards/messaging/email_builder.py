"""Builder of outgoing e-mails: both parts, headers, and subject and body for the log."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from email.utils import formataddr, parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.urls import reverse

from dashboards.messaging import template_engine, template_variables, templates, unsubscribe
from dashboards.messaging.recipients import protocol_now
from dashboards.models import Outreach
from ingestion.connections import invitations
from participants.models import Participant, User
from participants.privacy import contacts
from participants.user_input import line_of


class NoLink(ValueError):
    """The e-mail needs a link to connect with, and none can be made for the participant."""


@dataclass(frozen=True, slots=True)
class BuiltEmail:
    """Message, and subject and body for the log: name and link in them are hidden."""

    message: EmailMultiAlternatives
    title: str
    body: str


def sender(person: Participant) -> str:
    """STRIDE-2, Harbour: what the recipient sees as the sender, at this site's address."""
    name = f"{person.trial.code}, {person.site.name}" if person.site else person.trial.code
    return formataddr((line_of(name), parseaddr(settings.DEFAULT_FROM_EMAIL)[1]))


def built(row: Outreach, now: dt.datetime) -> BuiltEmail:
    """The e-mail of a row that is being sent: opens the contact and, if the e-mail needs one, makes a link.

    Raises InvalidTemplate, NoLink, encryption.CannotDecrypt.
    """
    person = row.participant
    template_engine.check(row.title)
    template_engine.check(row.body)
    details = contacts.contact_open(person)
    link = _link(row, now) if "reconnect_link" in template_engine.used(row.title + row.body) else ""
    values = templates.values(
        person,
        getattr(person, "status_summary", None),
        protocol_now(person.trial, now),
        row.language,
        now,
        first_name=details.first_name,
        reconnect_link=link,
    )
    message = build(
        person, row.language, row.title, row.body, values, to=details.email, opt_out=unsubscribe.address(person)
    )
    message.extra_headers["Message-ID"] = row.message_id
    hidden = template_engine.masked({**values, "first_name": "x", "reconnect_link": "x"})
    hidden = {name: f"[{hidden[name]}]" if name in template_engine.HIDDEN else hidden[name] for name in hidden}
    return BuiltEmail(
        message, template_engine.subject(row.title, hidden)[:160], template_engine.plain(row.body, hidden)
    )


def _link(row: Outreach, now: dt.datetime) -> str:
    try:
        made = invitations.invitation_create(participant=row.participant, by=row.by, now=now)
    except ValueError as fault:
        raise NoLink(str(fault)) from fault
    path = reverse("ingestion:connect", args=[invitations.invitation_code(made)])
    return f"{settings.PUBLIC_URL}{path}"


def build(
    person: Participant,
    language: str,
    subject: str,
    body: str,
    values: dict[str, str],
    *,
    to: str,
    opt_out: str,
    note: str = "",
) -> EmailMultiAlternatives:
    """The message in both parts. `note`: a line before the body."""
    frame = template_variables.frame(person.trial.code, language)
    body = f"{note}\n\n{body}" if note else body
    headers = {"List-Unsubscribe": f"<{opt_out}>"}
    if opt_out.startswith("https:"):  # mailboxes offer one click for HTTPS alone (RFC 8058)
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message = EmailMultiAlternatives(
        subject=template_engine.subject(subject, values),
        body=f"{template_engine.plain(body, values)}\n--\n{frame.footer}\n{frame.opt_out}: {opt_out}\n",
        from_email=sender(person),
        to=[to],
        reply_to=[person.site.email] if person.site and person.site.email else [],
        headers=headers,
    )
    part = template_engine.email_html(
        template_engine.html(body, values, template_engine.EmailStyle()),
        footer=frame.footer,
        opt_out_text=frame.opt_out,
        opt_out=opt_out,
        language=language,
    )
    message.attach_alternative(part, "text/html")
    return message


def sample(
    person: Participant, language: str, subject: str, body: str, *, to: User, now: dt.datetime
) -> EmailMultiAlternatives:
    """Test of an e-mail, to its sender: a made-up name, links that lead nowhere."""
    frame = template_variables.frame(person.trial.code, language)
    values = templates.values(
        person,
        getattr(person, "status_summary", None),
        protocol_now(person.trial, now),
        language,
        now,
        first_name=template_variables.SAMPLE_NAME,
        reconnect_link=f"{settings.PUBLIC_URL}/",
    )
    return build(
        person, language, subject, body, values, to=to.email, opt_out=f"{settings.PUBLIC_URL}/", note=frame.test
    )


def possible() -> bool:
    """Whether this site has a mail server."""
    return bool(settings.EMAIL_HOST)
