"""Every text of the pages is marked for translation."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.marking import unmarked
from tests.paths import ROOT

TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*") if path.suffix in (".html", ".txt"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_every_text_of_a_template_is_marked(path: Path) -> None:
    assert [f"{path.name}:{one.line}: {one.text}" for one in unmarked(path.read_text())] == []


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("<h1>Trials</h1>", ["Trials"]),
        ('{% load x %}\n<h1>{% translate "Trials" %}</h1>', []),
        ("<p>{% blocktranslate %}For <b>{{ name }}</b>{% endblocktranslate %}</p>", []),
        ("<p>{% if many %}Many{% else %}–{% endif %}</p>", ["\ue001Many\ue001–\ue001"]),
        ("<p>{{ name }} · {{ n }} %, 3 h</p>", []),
        ('<a title="Open it" class="not read" href="{% url \'a\' %}">{{ name }}</a>', ["Open it"]),
        ('<input type="submit" value="Send"><input type="text" value="kept">', ["Send"]),
        ('{{ site|default:"no site" }}{{ day|date:"j F Y" }}', ["no site"]),
        ('{% form_field form.name "Name" %}{% form_field form.name _("Name") autocomplete="off" %}', ["Name"]),
        ("<style>b { color: red }</style><code>manage.py</code>{# A remark. #}", []),
        ("{% block bodyclass %}wide{% endblock %}Wearable Trials", []),
    ],
)
def test_what_a_reader_would_see_without_a_mark_is_found(source: str, texts: list[str]) -> None:
    assert [one.text for one in unmarked(source)] == texts


def test_the_line_of_an_unmarked_text_is_named() -> None:
    source = '{% load x %}\n<p>\n  {% translate "One" %}</p>\n<p class="{{ a }}">\n  Two</p>'
    assert [(one.line, one.text) for one in unmarked(source)] == [(5, "Two")]
