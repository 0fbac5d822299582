"""A letter as the e-mail that goes out: both parts, its headers, and what of it the log keeps."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from email.utils import formataddr, parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.urls import reverse

from dashboards import letter_store, letter_words, letters, opting_out
from dashboards.models import Outreach
from dashboards.recipients import protocol_now
from ingestion import connections
from participants import contacts
from participants.entered import line_of
from participants.models import Participant, User


class NoLink(ValueError):
    """The letter wants a link to connect with, and none can be made for the participant."""


@dataclass(frozen=True, slots=True)
class Mail:
    """The message, and subject and text for the log: name and link in them are hidden."""

    message: EmailMultiAlternatives
    title: str
    body: str


def sender(person: Participant) -> str:
    """STRIDE-2, Harbour: what the recipient sees as the sender, at this site's address."""
    name = f"{person.trial.code}, {person.site.name}" if person.site else person.trial.code
    return formataddr((line_of(name), parseaddr(settings.DEFAULT_FROM_EMAIL)[1]))


def written(row: Outreach, now: dt.datetime) -> Mail:
    """The e-mail of a row that is being sent: opens its contact and, if the letter wants it, makes a link.

    Raises BadLetter, NoLink, vault.CannotOpen.
    """
    person = row.participant
    letters.check(row.title)
    letters.check(row.body)
    details = contacts.contact_open(person)
    link = _link(row, now) if "reconnect_link" in letters.used(row.title + row.body) else ""
    values = letter_store.values(
        person,
        getattr(person, "standing", None),
        protocol_now(person.trial, now),
        row.language,
        now,
        first_name=details.first_name,
        reconnect_link=link,
    )
    message = build(
        person, row.language, row.title, row.body, values, to=details.email, opt_out=opting_out.address(person)
    )
    message.extra_headers["Message-ID"] = row.message_id
    hidden = letters.masked({**values, "first_name": "x", "reconnect_link": "x"})
    hidden = {name: f"[{hidden[name]}]" if name in letters.HIDDEN else hidden[name] for name in hidden}
    return Mail(message, letters.subject(row.title, hidden)[:160], letters.plain(row.body, hidden))


def _link(row: Outreach, now: dt.datetime) -> str:
    try:
        made = connections.invitation_create(participant=row.participant, by=row.by, now=now)
    except ValueError as fault:
        raise NoLink(str(fault)) from fault
    path = reverse("ingestion:connect", args=[connections.invitation_code(made)])
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
    """The message in both parts. `note`: a line before the letter."""
    words = letter_words.words(language)
    footer = words.footer.format(study=person.trial.code)
    body = f"{note}\n\n{body}" if note else body
    headers = {"List-Unsubscribe": f"<{opt_out}>"}
    if opt_out.startswith("https:"):  # mailboxes offer one click for HTTPS alone (RFC 8058)
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message = EmailMultiAlternatives(
        subject=letters.subject(subject, values),
        body=f"{letters.plain(body, values)}\n--\n{footer}\n{words.opt_out}: {opt_out}\n",
        from_email=sender(person),
        to=[to],
        reply_to=[person.site.email] if person.site and person.site.email else [],
        headers=headers,
    )
    part = letters.mail_html(
        letters.html(body, values, letters.Mail()),
        footer=footer,
        opt_out_words=words.opt_out,
        opt_out=opt_out,
        language=language,
    )
    message.attach_alternative(part, "text/html")
    return message


def sample(
    person: Participant, language: str, subject: str, body: str, *, to: User, now: dt.datetime
) -> EmailMultiAlternatives:
    """The letter to a participant as a test to who writes it: a made-up name, links that lead nowhere."""
    words = letter_words.words(language)
    values = letter_store.values(
        person,
        getattr(person, "standing", None),
        protocol_now(person.trial, now),
        language,
        now,
        first_name=letter_words.SAMPLE_NAME,
        reconnect_link=f"{settings.PUBLIC_URL}/",
    )
    return build(
        person, language, subject, body, values, to=to.email, opt_out=f"{settings.PUBLIC_URL}/", note=words.test
    )


def possible() -> bool:
    """Whether this site has a mail server."""
    return bool(settings.EMAIL_HOST)
