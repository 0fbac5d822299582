"""Message templates of a trial: made at first use, edited by staff, chosen by cause; and the values of variables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from dashboards.messaging import default_templates, template_variables
from dashboards.models import MessageTemplate
from metrics.models import ParticipantStatusSummary
from participants.models import Participant, Protocol, Trial
from participants.privacy.contacts import DEFAULT_LANGUAGE


def templates_ensure(trial: Trial) -> None:
    """Create the templates that the trial lacks; existing ones stay as staff have edited them. Safe to repeat."""
    MessageTemplate.objects.bulk_create(
        [
            MessageTemplate(
                trial=trial,
                code=code,
                language=language,
                title=title,
                subject=subject,
                body=default_templates.body(language, text),
                causes=[str(cause) for cause in default_templates.CAUSES[code]],
            )
            for code, by_language in default_templates.TEXTS.items()
            for language, (title, subject, text) in by_language.items()
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
    places = {code: place for place, code in enumerate(default_templates.CAUSES)}
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
    words = template_variables.words(language)
    last = summary.last_sample_at if summary else None
    overwritten = summary.overwritten_at if summary else None
    return {
        "first_name": first_name,
        "device": (summary.device_model if summary else "") or words.device,
        "last_upload": template_variables.when(last, ZoneInfo(person.time_zone), language),
        "salvage_sentence": template_variables.salvage(overwritten, now, language) if last else "",
        "site_name": person.site.name if person.site else person.trial.title,
        "site_phone": person.site.phone if person.site else "",
        "study": person.trial.code,
        "reconnect_link": reconnect_link,
        "wear_hours": f"{protocol.valid_day_minutes / 60:g}",
    }
