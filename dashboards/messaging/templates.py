"""Message templates of a trial: made at first use, edited by staff, chosen by cause; and the values of variables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from dashboards.messaging import default_templates, template_variables
from dashboards.models import MessageTemplate
from metrics.models import ParticipantStatusSummary
from participants.models import Participant, Protocol, Trial
from participants.privacy.contacts import DEFAULT_LANGUAGE, LANGUAGES


def templates_ensure(trial: Trial) -> None:
    """Create the templates that the trial lacks; existing ones stay as staff have edited them. Safe to repeat."""
    MessageTemplate.objects.bulk_create(
        [
            MessageTemplate(
                trial=trial,
                code=code,
                language=language,
                title=texts.title,
                subject=texts.subject,
                body=texts.body,
                causes=[str(cause) for cause in default.causes],
            )
            for code, default in default_templates.DEFAULT_TEMPLATES.items()
            for language in LANGUAGES
            for texts in [default_templates.texts(code, language)]
        ],
        ignore_conflicts=True,
    )


def templates_of(trial: Trial) -> list[MessageTemplate]:
    """Active templates of a trial; created first where it has none at all."""
    if not trial.message_templates.exists():
        templates_ensure(trial)
    return list(trial.message_templates.filter(active=True).order_by("title", "language"))


def in_language(templates: Iterable[MessageTemplate], code: str, language: str) -> MessageTemplate | None:
    """Template of a code in a language; else in the default language, else in any."""
    of_code = {template.language: template for template in templates if template.code == code}
    return of_code.get(language) or of_code.get(DEFAULT_LANGUAGE) or next(iter(of_code.values()), None)


def choices(templates: Iterable[MessageTemplate]) -> list[MessageTemplate]:
    """One template of each code to choose from: in the default language where there is one."""
    by_code: dict[str, MessageTemplate] = {}
    for template in templates:
        if template.code not in by_code or template.language == DEFAULT_LANGUAGE:
            by_code[template.code] = template
    places = {code: place for place, code in enumerate(default_templates.DEFAULT_TEMPLATES)}
    return sorted(by_code.values(), key=lambda template: (places.get(template.code, 99), template.title))


def values(
    person: Participant,
    summary: ParticipantStatusSummary | None,
    protocol: Protocol,
    language: str,
    now: dt.datetime,
    *,
    first_name: str = "",
    reconnect_link: str = "",
) -> dict[str, str]:
    """Values for an e-mail to a participant, by variable."""
    last = summary.last_sample_at if summary else None
    overwritten = summary.overwritten_at if summary else None
    return {
        "first_name": first_name,
        "device": template_variables.device(summary.device_model if summary else "", language),
        "last_upload": template_variables.when(last, ZoneInfo(person.time_zone), language),
        "salvage_sentence": template_variables.salvage(overwritten, now, language) if last else "",
        "site_name": person.site.name if person.site else person.trial.title,
        "site_phone": person.site.phone if person.site else "",
        "study": person.trial.code,
        "reconnect_link": reconnect_link,
        "wear_hours": template_variables.wear_hours(protocol.valid_day_minutes, language),
    }
