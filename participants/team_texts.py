"""Texts of the team's pages, marked for translation and put in one language for the whole installation.

They are English unless TEAM_LANGUAGE names another language that has a catalogue (docs/decisions/013-team-texts.md).
Participants' texts are another matter: each is put in the language of its reader, by Django's gettext.

Imports nothing of Django's and needs no settings, so that whatever runs without them can mark its texts. A text is
looked up when its module is imported or its template compiled, wherever it stands there by itself: on a page it costs
nothing. `config.settings` chooses the language before anything of the product is imported.
"""

from __future__ import annotations

import gettext as catalogues
from pathlib import Path

DOMAIN = "team"
ENGLISH = "en-GB"
LOCALE = Path(__file__).resolve().parent.parent / "locale"


class _Chosen:
    """The language and its catalogue; the one of English gives every text back as it is."""

    language = ENGLISH
    catalogue = catalogues.NullTranslations()


def use(language: str) -> None:
    """Choose the language of all texts that are looked up from now on. Raises FileNotFoundError without a catalogue."""
    english = language.lower() in ("en", ENGLISH.lower())
    _Chosen.catalogue = (
        catalogues.NullTranslations() if english else catalogues.translation(DOMAIN, LOCALE, languages=[language])
    )
    _Chosen.language = ENGLISH if english else language


def language() -> str:
    """The chosen language, as HTML's `lang` names it."""
    return _Chosen.language


def gettext(text: str) -> str:
    """A text in the team's language. Values are filled in afterwards: gettext("Sent to {address}").format(...)."""
    return _Chosen.catalogue.gettext(text)


def ngettext(singular: str, plural: str, n: int) -> str:
    """The form of a text that fits a number, to be formatted like gettext's."""
    return _Chosen.catalogue.ngettext(singular, plural, n)


def pgettext(context: str, text: str) -> str:
    """gettext for a text whose meaning needs to be said: a word that another language has two for."""
    return _Chosen.catalogue.pgettext(context, text)


def npgettext(context: str, singular: str, plural: str, n: int) -> str:
    """ngettext with a context."""
    return _Chosen.catalogue.npgettext(context, singular, plural, n)


def gettext_noop(text: str) -> str:
    """A text as it is: it is marked here, and looked up where it is shown.

    For what is stored, or is part of a migration, such as the labels of a field's choices.
    """
    return text
