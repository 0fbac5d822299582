"""Preview of an e-mail: as one recipient will read it, but for their name, their address and their links."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils.safestring import SafeString

from dashboards.messaging import template_engine, template_variables
from dashboards.messaging import templates as messaging_templates
from dashboards.messaging.compose import ComposedEmail
from dashboards.messaging.recipients import Recipient
from participants.models import Protocol
from participants.privacy import contacts

SEGMENTS = 4  # recipients to choose the preview by buttons; more by a list


@dataclass(frozen=True, slots=True)
class Preview:
    """E-mail as one recipient will read it, but for their name, their address and their links."""

    recipient: Recipient
    sender: str
    language: str
    subject: str
    html: SafeString
    plain: str
    footer: str
    opt_out: str


def preview(email: ComposedEmail, protocol: Protocol, now: dt.datetime) -> Preview | None:
    """Preview for the recipient shown; None without recipients. Raises InvalidTemplate for unknown variables."""
    recipient = email.shown_recipient
    if recipient is None:
        return None
    text = email.texts.get(recipient.reach.language) or email.text
    language = recipient.reach.language if recipient.reach.language in email.texts else email.language
    template_engine.check(text.subject)
    template_engine.check(text.body)
    person = recipient.participant
    frame = template_variables.frame(person.trial.code, language)
    filled = messaging_templates.values(
        person, recipient.status_summary, protocol, language, now, first_name="x", reconnect_link="x"
    )
    shown = template_engine.masked(filled)
    marks = {name: f"[{value}]" if name in template_engine.HIDDEN else value for name, value in shown.items()}
    return Preview(
        recipient=recipient,
        sender=f"{person.trial.code}, {person.site.name}" if person.site else person.trial.code,
        language=contacts.LANGUAGES.get(language, language),
        subject=template_engine.subject(text.subject, marks),
        html=template_engine.html(text.body, shown, template_engine.PreviewStyle()),
        plain=template_engine.plain(text.body, marks),
        footer=frame.footer,
        opt_out=frame.opt_out,
    )
