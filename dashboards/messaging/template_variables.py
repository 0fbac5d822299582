"""What is filled into letters, in each language that participants are written to. Pure functions."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from participants.privacy.contacts import DEFAULT_LANGUAGE

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Words:
    """A language's words. `when` takes weekday, day, month and clock; the salvage sentences a number."""

    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    when: str
    device: str
    never: str
    gone: str
    hours: str
    days: str
    footer: str
    opt_out: str
    test: str


ENGLISH = Words(
    weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    months=("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
            "November", "December"),
    when="{weekday} {day} {month}, {clock}",
    device="watch",
    never="the study began",
    gone="The oldest days are already gone, and more go every hour; the rest is still on the watch.",
    hours="In {n} hours the watch begins to overwrite the oldest of them.",
    days="The watch keeps them for about {n} more days.",
    footer="You get this e-mail because you take part in {study}.",
    opt_out="No more reminders",
    test="This is a test. Name and links in it are made up.",
)  # fmt: skip
DUTCH = Words(
    weekdays=("maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag"),
    months=("januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober",
            "november", "december"),
    when="{weekday} {day} {month}, {clock} uur",
    device="horloge",
    never="het begin van het onderzoek",
    gone="De oudste dagen zijn al verloren, en elk uur gaan er meer verloren; de rest staat nog op het horloge.",
    hours="Over {n} uur begint het horloge de oudste ervan te overschrijven.",
    days="Het horloge bewaart ze nog ongeveer {n} dagen.",
    footer="U krijgt deze e-mail omdat u meedoet aan {study}.",
    opt_out="Geen herinneringen meer",
    test="Dit is een test. Naam en links zijn verzonnen.",
)  # fmt: skip
GERMAN = Words(
    weekdays=("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    months=("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober",
            "November", "Dezember"),
    when="{weekday}, {day}. {month}, {clock} Uhr",
    device="Uhr",
    never="Beginn der Studie",
    gone="Die ältesten Tage sind schon verloren, und jede Stunde werden es mehr; der Rest ist noch auf der Uhr.",
    hours="In {n} Stunden beginnt die Uhr, die ältesten zu überschreiben.",
    days="Die Uhr bewahrt sie noch etwa {n} Tage auf.",
    footer="Sie bekommen diese E-Mail, weil Sie an {study} teilnehmen.",
    opt_out="Keine Erinnerungen mehr",
    test="Dies ist ein Test. Name und Links sind erfunden.",
)  # fmt: skip
WORDS: dict[str, Words] = {"en": ENGLISH, "nl": DUTCH, "de": GERMAN}
SAMPLE_NAME = "Robin"


def words(language: str) -> Words:
    """A language's words, the default language's where we have none."""
    return WORDS.get(language, WORDS[DEFAULT_LANGUAGE])


def when(instant: dt.datetime | None, zone: ZoneInfo, language: str) -> str:
    """Saturday 14 November, 18:02, in the participant's zone; None: since the study began."""
    known = words(language)
    if instant is None:
        return known.never
    local = instant.astimezone(zone)
    return known.when.format(
        weekday=known.weekdays[local.weekday()],
        day=local.day,
        month=known.months[local.month - 1],
        clock=f"{local:%H:%M}",
    )


def salvage(overwritten_at: dt.datetime | None, now: dt.datetime, language: str) -> str:
    """What is lost by waiting: when the watch begins to overwrite what it has not handed over. Empty: unknown."""
    known = words(language)
    if overwritten_at is None:
        return ""
    left = overwritten_at - now
    if left <= dt.timedelta(0):
        return known.gone
    if left < 2 * DAY:
        return known.hours.format(n=max(2, round(left / HOUR)))
    return known.days.format(n=int(left / DAY))
