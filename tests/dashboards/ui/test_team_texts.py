"""Tags that put the team's texts in the installation's language: English as they stand, or by a catalogue."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from gettext import NullTranslations
from typing import Any

import pytest
from django.template import Context, Engine, TemplateSyntaxError

from config.settings import BASE_DIR
from participants import team_texts

TAGS = Engine(libraries={"team_texts": "dashboards.templatetags.team_texts", "i18n": "django.templatetags.i18n"})
FRENCH = {
    "Heat map": "Carte de chaleur",
    "100 %% of it": "100 %% de cela",
    "For <b>%(name)s</b>": "<b>%(name)s</b> : pour",
    "{n} day": "{n} jour",
}


class French(NullTranslations):
    """A catalogue of a language that counts nothing among its singular, as English does not."""

    def gettext(self, message: str) -> str:
        return FRENCH.get(message, message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return "%(n)s jour" if n < 2 else "%(n)s jours"

    def pgettext(self, context: str, message: str) -> str:
        return {("to do", "Open"): "Ouvrir"}.get((context, message), message)


@pytest.fixture
def french() -> Iterator[None]:
    before = team_texts._Chosen.catalogue
    team_texts._Chosen.catalogue = French()
    yield
    team_texts._Chosen.catalogue = before


def drawn(body: str, library: str = "team_texts", **values: object) -> str:
    return TAGS.from_string(f"{{% load {library} %}}{body}").render(Context(values))


BODIES = [
    '{% translate "Heat map" %}',
    '{% translate "A > B & “C”" %}',
    '{% translate "100 % of it" %}',
    '{% translate "Open" context "to do" %}',
    '{% translate "no site" as none %}{{ none }}, {{ missing|default:none }}',
    "{% blocktranslate %}100 % of it{% endblocktranslate %}",
    "{% blocktranslate trimmed %}\n  Two\n  lines\n{% endblocktranslate %}",
    "{% blocktranslate %}For <b>{{ name }}</b>{% endblocktranslate %}",
    "{% blocktranslate with who=name|upper %}For {{ who }}: {{ gone }}{% endblocktranslate %}",
    "{% blocktranslate count n=n %}{{ n }} day{% plural %}{{ n }} days{% endblocktranslate %}",
    "{% blocktranslate count n=one with who=name %}{{ who }}: a day{% plural %}{{ who }}: days{% endblocktranslate %}",
    "{% blocktranslate asvar text %}For {{ name }}{% endblocktranslate %}{{ text }}",
    "{% autoescape off %}{% blocktranslate %}For {{ name }}{% endblocktranslate %}{% endautoescape %}",
]


@pytest.mark.parametrize("body", BODIES)
def test_english_is_what_djangos_own_tags_draw(body: str) -> None:
    values: dict[str, Any] = {"name": "<Ada> & Co", "n": 1234, "one": 1}
    assert drawn(body, **values) == drawn(body, "i18n", **values)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{% translate "Heat map" %}', "Carte de chaleur"),
        ('{% translate "100 % of it" %}', "100 % de cela"),
        ('{% translate "Open" context "to do" %}', "Ouvrir"),
        ("{% blocktranslate %}For <b>{{ name }}</b>{% endblocktranslate %}", "<b>Ada</b> : pour"),
        ("{% blocktranslate count n=zero %}{{ n }} day{% plural %}{{ n }} days{% endblocktranslate %}", "0 jour"),
    ],
)
def test_another_language_is_read_from_its_catalogue(french: None, body: str, text: str) -> None:
    assert drawn(body, name="Ada", zero=0) == text


@pytest.mark.parametrize(
    "body",
    [
        "{% translate name %}",
        '{% translate "a" noop b %}',
        "{% blocktranslate %}For {{ participant.name }}{% endblocktranslate %}",
        "{% blocktranslate %}For {{ name|upper }}{% endblocktranslate %}",
    ],
)
def test_what_could_not_be_translated_is_refused(body: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        drawn(body)


def test_a_text_may_be_marked_without_settings() -> None:
    program = "from participants.team_texts import gettext; print(gettext('Heat map'))"
    bare = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run([sys.executable, "-c", program], cwd=BASE_DIR, env=bare, capture_output=True, check=True)
    assert done.stdout == b"Heat map\n"


@pytest.mark.parametrize("language", ["en", "en-gb", "en-GB"])
def test_english_needs_no_catalogue(language: str) -> None:
    team_texts.use(language)
    assert team_texts.language() == "en-GB"


def test_a_language_without_a_catalogue_stops_the_start() -> None:
    with pytest.raises(FileNotFoundError):
        team_texts.use("xx")
    assert team_texts.language() == "en-GB"
