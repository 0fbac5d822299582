"""Composing of an e-mail, or of a call: what its form says, filled with what fits the recipients. Sends nothing."""

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
from participants.user_input import Entered, number_of

MOST_BODY = 100_000  # characters of a letter's text


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
        return ",".join(one.study_id for one in self.recipients)

    @property
    def more(self) -> str:
        """Those chosen beyond the list's end."""
        shown = {one.study_id for one in self.recipients[:SHOWN]}
        return ",".join(one.study_id for one in self.chosen if one.study_id not in shown)

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
        return sum(one.when.now for one in self.chosen)

    @property
    def held_count(self) -> int:
        return sum(bool(one.when.held) for one in self.chosen)

    @property
    def refused_count(self) -> int:
        return len(self.chosen) - self.now_count - self.held_count

    @property
    def button(self) -> str:
        """Send 2 now, hold 1."""
        if self.held_count and not self.now_count:
            return f"Hold {self.held_count} until they may go"
        return f"Send {self.now_count} now" + (f", hold {self.held_count}" if self.held_count else "")

    @property
    def counted(self) -> str:
        parts = [f"{self.now_count} now"]
        parts += [f"{self.held_count} held"] if self.held_count else []
        parts += [f"{self.refused_count} not possible"] if self.refused_count else []
        return ", ".join(parts)

    @property
    def shown_recipient(self) -> Recipient | None:
        named = (one for one in self.recipients if one.study_id == self.shown_study_id)
        return next(named, None) or next(iter(self.chosen), None) or next(iter(self.recipients), None)


def compose_email(trial: Trial, user: User, asked: Entered, now: dt.datetime) -> ComposedEmail:
    """The letter as the form says; at first the one that fits most, in each language that is needed."""
    found = managed(trial, user, asked, now)
    posted = bool(asked.get("listed"))
    checked = {one.study_id for one in found}
    if posted:
        checked = {*asked.texts("to", people_to_write_to.MOST), *asked.text("more", MOST_LISTED).split(",")}
    chosen = [one for one in found if one.study_id in checked]
    templates = messaging_templates.templates_of(trial)
    code = _code(templates, asked, chosen or found)
    alert = _alert(asked.get("alert", ""), found)
    email = ComposedEmail(
        trial=trial,
        recipients=found,
        chosen=chosen,
        templates=templates,
        code=code,
        language="",
        texts=_texts(templates, code, found, asked),
        reason=asked.get("reason", _reason(found, alert))[:200],
        batch=_batch(asked.get("batch", "")),
        shown_study_id=asked.get("pick") or asked.get("person", ""),
        plain=asked.get("format") == "plain",
        alert=alert,
    )
    _agree(email, asked)
    email.edited = {name for name, text in email.texts.items() if text != _stored(templates, code, name)}
    return email


def _code(templates: Sequence[MessageTemplate], asked: Entered, people: Sequence[Recipient]) -> str:
    """The letter that was chosen, else the one that fits the most."""
    known = {template.code for template in templates}
    wanted: str = asked.get("template", "")
    if wanted in known:
        return wanted
    if asked.get("for") == "reconnect" and default_templates.RECONNECT in known:
        return default_templates.RECONNECT
    fitting = Counter(
        found.code for one in people if (found := people_to_write_to.fitting(templates, one.cause)) is not None
    )
    if fitting:
        return fitting.most_common(1)[0][0]
    return default_templates.SYNC if default_templates.SYNC in known else next(iter(sorted(known)), "")


def _stored(templates: Sequence[MessageTemplate], code: str, language: str) -> Text:
    template = messaging_templates.in_language(templates, code, language)
    return Text(template.subject, template.body.replace("\r\n", "\n")) if template else Text("", "")


def _texts(
    templates: Sequence[MessageTemplate], code: str, people: Sequence[Recipient], asked: Entered
) -> dict[str, Text]:
    """The letter in each language that is needed: as the form says, unless another letter was just chosen."""
    needed = {one.reach.language for one in people}
    languages = [name for name in contacts.LANGUAGES if name in needed] or [contacts.DEFAULT_LANGUAGE]
    if needed - contacts.LANGUAGES.keys() and contacts.DEFAULT_LANGUAGE not in languages:
        languages.insert(0, contacts.DEFAULT_LANGUAGE)
    texts = {}
    for name in languages:
        stored = _stored(templates, code, name)
        if asked.get("template_was") == code:
            subject = asked.get(f"subject.{name}", stored.subject)
            body = asked.lines(f"body.{name}", MOST_BODY, stored.body)
            stored = Text(subject, body.replace("\r\n", "\n"))
        texts[name] = stored
    return texts


def _agree(email: ComposedEmail, asked: Entered) -> None:
    """Language and person shown belong together: who changes one gets the other that fits."""
    wanted = asked.get("language", "")
    person = email.shown_recipient
    spoken = person.reach.language if person else contacts.DEFAULT_LANGUAGE
    if wanted in email.texts and wanted != asked.get("language_was") and not asked.get("pick"):
        fitting = next((one for one in email.chosen if one.reach.language == wanted), None)
        email.shown_study_id, email.language = (fitting.study_id if fitting else email.shown_study_id), wanted
    else:
        email.language = spoken if spoken in email.texts else next(iter(email.texts))
    if not email.shown_study_id and person:
        email.shown_study_id = person.study_id


def _alert(pk: str, people: Sequence[Recipient]) -> Alert | None:
    number = number_of(pk)
    if number is None:
        return None
    return Alert.objects.filter(pk=number, participant__in=[one.participant.pk for one in people]).first()


def _reason(people: Sequence[Recipient], alert: Alert | None) -> str:
    """What stands in the log unless who writes says otherwise."""
    if alert:
        return f"{alert.get_level_display().capitalize()}: {alert.get_rule_display()}"
    words = Counter(one.attention_status for one in people)
    return ", ".join(f"{AttentionStatus(attention_status).label}" for attention_status, _ in words.most_common(3))


def _batch(given: str) -> str:
    """The form's own number: with it, sending twice sends once."""
    try:
        return str(uuid.UUID(given))
    except ValueError:
        return str(uuid.uuid4())


def call_form(person: Participant, asked: Entered, now: dt.datetime) -> dict[str, Any]:
    """The form of a call: its reason, its number, the alert it answers."""
    (one,) = people_to_write_to.recipients(Participant.objects.filter(pk=person.pk), person.trial, now)
    alert = _alert(asked.get("alert", ""), [one])
    reason = asked.get("reason", _reason([one], alert))[:200]
    return {"reason": reason, "batch": _batch(asked.get("batch", "")), "alert": alert}
