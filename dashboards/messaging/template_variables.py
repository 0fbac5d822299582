"""Values that are filled into e-mails, and the lines around them, in a contact's language. Pure functions."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext, ngettext, pgettext

from participants.privacy.languages import in_language

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
SAMPLE_NAME = "Robin"


@dataclass(frozen=True, slots=True)
class FrameTexts:
    """Lines around an e-mail's text: why they get it, the words of the link that ends reminders, what marks a test."""

    footer: str
    opt_out: str
    test: str


def frame(study: str, language: str) -> FrameTexts:
    """The texts around an e-mail of a trial."""
    with in_language(language):
        return FrameTexts(
            footer=gettext("You get this e-mail because you take part in {study}.").format(study=study),
            opt_out=gettext("No more reminders"),
            test=gettext("This is a test. Name and links in it are made up."),
        )


def device(model: str, language: str) -> str:
    """What the participant wears: by its model, else "watch"."""
    with in_language(language):
        return model or pgettext("device", "watch")


def when(instant: dt.datetime | None, zone: ZoneInfo, language: str) -> str:
    """Saturday 14 November, 18:02, in the participant's zone; None: since the study began."""
    with in_language(language):
        if instant is None:
            # Translators: stands after "since".
            return gettext("the study began")
        # Translators: Django's format characters for a time such as Saturday 14 November, 18:02.
        return date_format(instant.astimezone(zone), pgettext("date format", "l j F, H:i"))


def wear_hours(minutes: int, language: str) -> str:
    """For how many hours a day a watch must be worn: 10, or 7.5."""
    with in_language(language):
        return number_format(Decimal(f"{minutes / 60:g}"))


def salvage(overwritten_at: dt.datetime | None, now: dt.datetime, language: str) -> str:
    """What is lost by waiting: when the watch begins to overwrite what it has not handed over. Empty: unknown."""
    if overwritten_at is None:
        return ""
    left = overwritten_at - now
    with in_language(language):
        if left <= dt.timedelta(0):
            return gettext("The oldest days are already gone, and more go every hour; the rest is still on the watch.")
        if left < 2 * DAY:
            hours = max(2, round(left / HOUR))
            return ngettext(
                "In {n} hour the watch begins to overwrite the oldest of them.",
                "In {n} hours the watch begins to overwrite the oldest of them.",
                hours,
            ).format(n=hours)
        days = int(left / DAY)
        return ngettext(
            "The watch keeps them for about {n} more day.", "The watch keeps them for about {n} more days.", days
        ).format(n=days)
