"""Languages of what participants read: which one is a participant's, and dates and times in it.

Texts are gettext's: English in the code and the templates, other languages in locale/. Pages of the team and of staff
stay in English whatever the browser asks for; only what is rendered inside `in_language` is another's.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext, pgettext

from participants.models import Participant
from participants.privacy.contacts import DEFAULT_LANGUAGE, LANGUAGES

if TYPE_CHECKING:
    from django.utils.translation import override

WEEK = dt.timedelta(days=7)


def locale_of(language: str) -> str:
    """The locale of a contact's language; the default's where we have no texts in it. English is British."""
    return language if language in LANGUAGES and language != DEFAULT_LANGUAGE else settings.LANGUAGE_CODE


def in_language(language: str) -> override:
    """Context in which texts, dates and numbers are those of a contact's language."""
    return translation.override(locale_of(language))


def of_participant(participant: Participant) -> str:
    """The language in which a participant is written to: their contact's, else the default."""
    contact = getattr(participant, "contact", None)
    return contact.language if contact else DEFAULT_LANGUAGE


def in_language_of_browser(request: HttpRequest) -> override:
    """Context of a participant's page before it is known whose it is: the browser's first language that we have."""
    return translation.override(translation.get_language_from_request(request))


def switch_to(participant: Participant) -> None:
    """Go on in a participant's language until the context ends; as before where no contact of theirs is kept."""
    if contact := getattr(participant, "contact", None):
        translation.activate(locale_of(contact.language))


def date_long(date: dt.date) -> str:
    """30 June 2027, in the language of the context. Of an instant it is the date in its own zone."""
    # Translators: Django's format characters for a date such as 30 June 2027.
    return date_format(date, pgettext("date format", "j F Y"))


def moment(instant: dt.datetime, now: dt.datetime, zone: ZoneInfo) -> str:
    """A past instant in a zone, in the language of the context: "today, 06:02", "Sun 21:40" within a week, else
    "14 Nov, 08:10", with the year if another. Both are aware.
    """
    local, today = instant.astimezone(zone), now.astimezone(zone).date()
    if local.date() == today:
        return gettext("today, {clock}").format(clock=f"{local:%H:%M}")
    if dt.timedelta(0) < today - local.date() < WEEK:
        # Translators: Django's format characters for a day of this week and its time, such as Sun 21:40.
        pattern = pgettext("date format", "D H:i")
    elif local.year == today.year:
        # Translators: Django's format characters for a time of this year, such as 14 Nov, 08:10.
        pattern = pgettext("date format", "j M, H:i")
    else:
        # Translators: Django's format characters for a time of another year, such as 14 Nov 2026, 08:10.
        pattern = pgettext("date format", "j M Y, H:i")
    return date_format(local, pattern)
