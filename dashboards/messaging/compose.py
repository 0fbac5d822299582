"""Composing of an e-mail, and the form of a call: reads the form, chooses template and language. Sends nothing."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboards.messaging import default_templates
from dashboards.messaging import recipients as people_to_write_to
from dashboards.messaging import templates as messaging_templates
from dashboards.messaging.recipient_list import MOST_LISTED, SHOWN, managed
from dashboards.messaging.recipients import Recipient
from dashboards.messaging.services import Text
from dashboards.models import Alert, MessageTemplate
from metrics.monitoring.status import AttentionStatus
from participants.models import Participant, Trial, User
from participants.privacy import contacts
from participants.team_texts import gettext
from participants.user_input import Entered, number_of

MOST_BODY = 100_000  # characters of an e-mail's text


@dataclass(slots=True)
class ComposedEmail:
    """An e-mail that is being written. `texts` by language, the one that is shown among them."""

    trial: Trial
    recipients: list[Recipient]
    chosen: list[Recipient]
    templates: list[MessageTemplate]
    code: str
    language: str
    texts: dict[str, Text]
    reason: str
    batch: str
    shown_study_id: str
    plain: bool
    alert: Alert | None
    edited: set[str] = field(default_factory=set)
    fault: str = ""

    @property
    def listed(self) -> str:
        return ",".join(recipient.study_id for recipient in self.recipients)

    @property
    def more(self) -> str:
        """Those chosen beyond the list's end."""
        shown = {recipient.study_id for recipient in self.recipients[:SHOWN]}
        return ",".join(recipient.study_id for recipient in self.chosen if recipient.study_id not in shown)

    @property
    def hidden_count(self) -> int:
        return max(0, len(self.recipients) - SHOWN)

    @property
    def choices(self) -> list[MessageTemplate]:
        return messaging_templates.choices(self.templates)

    @property
    def languages(self) -> list[tuple[str, str]]:
        return [(code, contacts.LANGUAGES[code]) for code in self.texts]

    @property
    def text(self) -> Text:
        return self.texts[self.language]

    @property
    def others(self) -> list[tuple[str, Text]]:
        return [(code, text) for code, text in self.texts.items() if code != self.language]

    @property
    def now_count(self) -> int:
        return sum(recipient.when.now for recipient in self.chosen)

    @property
    def held_count(self) -> int:
        return sum(bool(recipient.when.held) for recipient in self.chosen)

    @property
    def refused_count(self) -> int:
        return len(self.chosen) - self.now_count - self.held_count

    @property
    def button(self) -> str:
        """Send 2 now, hold 1."""
        if self.held_count and not self.now_count:
            return gettext("Hold {held_count} until they may go").format(held_count=self.held_count)
        if self.held_count:
            return gettext("Send {n} now, hold {held}").format(n=self.now_count, held=self.held_count)
        return gettext("Send {n} now").format(n=self.now_count)

    @property
    def counted(self) -> str:
        parts = [gettext("{now_count} now").format(now_count=self.now_count)]
        parts += [gettext("{held_count} held").format(held_count=self.held_count)] if self.held_count else []
        parts += (
            [gettext("{refused_count} not possible").format(refused_count=self.refused_count)]
            if self.refused_count
            else []
        )
        return ", ".join(parts)

    @property
    def shown_recipient(self) -> Recipient | None:
        named = (recipient for recipient in self.recipients if recipient.study_id == self.shown_study_id)
        return next(named, None) or next(iter(self.chosen), None) or next(iter(self.recipients), None)


def compose_email(trial: Trial, user: User, form: Entered, now: dt.datetime) -> ComposedEmail:
    """E-mail as the form says; at first the template that fits most recipients, in each language that is needed."""
    recipients = managed(trial, user, form, now)
    posted = bool(form.get("listed"))
    checked = {recipient.study_id for recipient in recipients}
    if posted:
        checked = {*form.texts("to", people_to_write_to.MOST), *form.text("more", MOST_LISTED).split(",")}
    chosen = [recipient for recipient in recipients if recipient.study_id in checked]
    templates = messaging_templates.templates_of(trial)
    code = _code(templates, form, chosen or recipients)
    alert = _alert(form.get("alert", ""), recipients)
    email = ComposedEmail(
        trial=trial,
        recipients=recipients,
        chosen=chosen,
        templates=templates,
        code=code,
        language="",
        texts=_texts(templates, code, recipients, form),
        reason=form.get("reason", _reason(recipients, alert))[:200],
        batch=_batch(form.get("batch", "")),
        shown_study_id=form.get("pick") or form.get("person", ""),
        plain=form.get("format") == "plain",
        alert=alert,
    )
    _agree(email, form)
    email.edited = {name for name, text in email.texts.items() if text != _stored(templates, code, name)}
    return email


def _code(templates: Sequence[MessageTemplate], form: Entered, people: Sequence[Recipient]) -> str:
    """Code of the chosen template, else of the one that fits most recipients."""
    known = {template.code for template in templates}
    requested: str = form.get("template", "")
    if requested in known:
        return requested
    if form.get("for") == "reconnect" and default_templates.RECONNECT in known:
        return default_templates.RECONNECT
    fitting = Counter(
        template.code
        for recipient in people
        if (template := people_to_write_to.fitting(templates, recipient.cause)) is not None
    )
    if fitting:
        return fitting.most_common(1)[0][0]
    return default_templates.SYNC if default_templates.SYNC in known else next(iter(sorted(known)), "")


def _stored(templates: Sequence[MessageTemplate], code: str, language: str) -> Text:
    template = messaging_templates.in_language(templates, code, language)
    return Text(template.subject, template.body.replace("\r\n", "\n")) if template else Text("", "")


def _texts(
    templates: Sequence[MessageTemplate], code: str, people: Sequence[Recipient], form: Entered
) -> dict[str, Text]:
    """Texts in each language that is needed: as the form says, unless another template was just chosen."""
    needed = {recipient.reach.language for recipient in people}
    languages = [name for name in contacts.LANGUAGES if name in needed] or [contacts.DEFAULT_LANGUAGE]
    if needed - contacts.LANGUAGES.keys() and contacts.DEFAULT_LANGUAGE not in languages:
        languages.insert(0, contacts.DEFAULT_LANGUAGE)
    texts = {}
    for name in languages:
        stored = _stored(templates, code, name)
        if form.get("template_was") == code:
            subject = form.get(f"subject.{name}", stored.subject)
            body = form.lines(f"body.{name}", MOST_BODY, stored.body)
            stored = Text(subject, body.replace("\r\n", "\n"))
        texts[name] = stored
    return texts


def _agree(email: ComposedEmail, form: Entered) -> None:
    """Keep language and recipient shown in agreement: a change of one changes the other."""
    requested = form.get("language", "")
    person = email.shown_recipient
    spoken = person.reach.language if person else contacts.DEFAULT_LANGUAGE
    if requested in email.texts and requested != form.get("language_was") and not form.get("pick"):
        fitting = next((recipient for recipient in email.chosen if recipient.reach.language == requested), None)
        email.shown_study_id, email.language = (fitting.study_id if fitting else email.shown_study_id), requested
    else:
        email.language = spoken if spoken in email.texts else next(iter(email.texts))
    if not email.shown_study_id and person:
        email.shown_study_id = person.study_id


def _alert(pk: str, people: Sequence[Recipient]) -> Alert | None:
    number = number_of(pk)
    if number is None:
        return None
    return Alert.objects.filter(pk=number, participant__in=[recipient.participant.pk for recipient in people]).first()


def _reason(people: Sequence[Recipient], alert: Alert | None) -> str:
    """Reason for the log, unless the sender gives another."""
    if alert:
        return f"{alert.get_level_display().capitalize()}: {alert.get_rule_display()}"
    statuses = Counter(recipient.attention_status for recipient in people)
    return ", ".join(f"{AttentionStatus(status).label}" for status, _ in statuses.most_common(3))


def _batch(text: str) -> str:
    """Batch id of the form: with it, sending twice sends once."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return str(uuid.uuid4())


def call_form(participant: Participant, form: Entered, now: dt.datetime) -> dict[str, Any]:
    """Form of a call: reason, batch id, the alert that it is about."""
    (recipient,) = people_to_write_to.recipients(Participant.objects.filter(pk=participant.pk), participant.trial, now)
    alert = _alert(form.get("alert", ""), [recipient])
    reason = form.get("reason", _reason([recipient], alert))[:200]
    return {"reason": reason, "batch": _batch(form.get("batch", "")), "alert": alert}
