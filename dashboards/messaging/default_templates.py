"""Message templates that every trial begins with: what each is for, and its texts in English; others in locale/.

They name no vendor: to participants it is their watch and the app that belongs to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from metrics.models import Cause
from participants.privacy.languages import in_language

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as LazyText

SYNC, CHARGE, WEAR, CONNECT, RECONNECT = "sync", "charge", "wear", "connect", "reconnect"


@dataclass(frozen=True, slots=True)
class DefaultTemplate:
    """A template that nobody has edited: the causes that it is for, its title for who sends it, subject and text."""

    causes: tuple[Cause, ...]
    title: LazyText
    subject: LazyText
    text: LazyText


@dataclass(frozen=True, slots=True)
class Texts:
    """The same in one language, its text with greeting and ending."""

    title: str
    subject: str
    body: str


DEFAULT_TEMPLATES: dict[str, DefaultTemplate] = {
    SYNC: DefaultTemplate(
        causes=(Cause.NOT_SYNCED, Cause.UNKNOWN),
        title=_("Please sync your watch"),
        subject=_("A quick check of your watch"),
        text=_(
            "We have not received data from your {{ device }} since {{ last_upload }}. {{ salvage_sentence }}\n\n"
            "Please do this today:\n1. Charge the watch.\n"
            "2. Open the app of your watch and wait until it says that it has synced."
        ),
    ),
    CHARGE: DefaultTemplate(
        causes=(Cause.BATTERY_FLAT,),
        title=_("Charge your watch"),
        subject=_("Your watch needs charging"),
        text=_(
            "The battery of your {{ device }} seems to be empty: we have had no data since {{ last_upload }}. "
            "{{ salvage_sentence }}\n\nPlease do this today:\n1. Charge the watch until it is full.\n"
            "2. Open the app of your watch once, so that it can send what it has stored.\n"
            "3. Put it on again, at night too."
        ),
    ),
    WEAR: DefaultTemplate(
        causes=(Cause.OFF_WRIST,),
        title=_("Please wear your watch"),
        subject=_("Wearing your watch"),
        text=_(
            "Your {{ device }} sends data, but it seems that it has not been worn much lately. Each day counts for "
            "{{ study }} when the watch is worn for {{ wear_hours }} hours or more.\n\n"
            "What helps:\n- Wear it day and night; take it off to shower only.\n"
            "- Charge it while you sit at a meal.\n- Wear it a finger’s breadth above the wrist bone."
        ),
    ),
    CONNECT: DefaultTemplate(
        causes=(Cause.NEVER_CONNECTED,),
        title=_("Finish connecting"),
        subject=_("One step is missing: connect your watch"),
        text=_(
            "Thank you for taking part in {{ study }}. Your watch is not connected to the study yet, so nothing "
            "reaches us.\n\nPlease do this today:\n1. Open this link on your phone: {{ reconnect_link }}\n"
            "2. Choose the account that you use in the app of your watch, and allow what it asks.\n\n"
            "The link is only for you and works for some days."
        ),
    ),
    RECONNECT: DefaultTemplate(
        causes=(Cause.TOKEN_DEAD, Cause.CONSENT_PARTIAL),
        title=_("Please reconnect"),
        subject=_("Please connect your watch again"),
        text=_(
            "The connection between your {{ device }} and {{ study }} has ended or lets through only a part, which "
            "can happen by itself. We have had no data since {{ last_upload }}.\n\n"
            "Please do this today:\n1. Open this link on your phone: {{ reconnect_link }}\n"
            "2. Choose the same account as before and tick every box.\n\nThe link is only for you."
        ),
    ),
}


def texts(code: str, language: str) -> Texts:
    """A template's texts in a contact's language. Raises KeyError for a code that none has."""
    template = DEFAULT_TEMPLATES[code]
    with in_language(language):
        greeting = gettext("Dear {{ first_name }},")
        ending = gettext("Does it not work? Answer this e-mail or call us.\n\n{{ site_name }}, {{ site_phone }}")
        return Texts(str(template.title), str(template.subject), f"{greeting}\n\n{template.text}\n\n{ending}\n")
