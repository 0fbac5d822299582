"""Catalogues: complete in every language, up to date with the sources, compiled; and what is noticed where not."""

from __future__ import annotations

import ast
import io
import re
import shutil
from gettext import GNUTranslations
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils.translation import gettext, override

from config import catalogues

PLURAL = "In {n} hour the watch begins to overwrite the oldest of them."


@pytest.fixture
def locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the catalogues, to be spoilt."""
    folder = tmp_path / "locale"
    shutil.copytree(catalogues.LOCALE, folder)
    monkeypatch.setattr(catalogues, "LOCALE", folder)
    return folder


def spoil(language: str, pattern: str, new: str) -> None:
    """Change one place of a language's catalogue, and compile it."""
    path = catalogues.po_path(language)
    text, n = re.subn(pattern, new, path.read_text(), count=1)
    assert n == 1
    path.write_text(text)
    catalogues.compile_messages()


def test_every_text_of_participants_is_translated_and_compiled() -> None:
    assert catalogues.objections() == []


def test_the_languages_are_those_that_contacts_may_have() -> None:
    from participants.privacy.contacts import DEFAULT_LANGUAGE, LANGUAGES

    assert {*catalogues.LANGUAGES, DEFAULT_LANGUAGE} == set(LANGUAGES)


@pytest.mark.parametrize(
    ("pattern", "new", "told"),
    [
        (r'(?s)#: [^\n]*\nmsgid "This link is too old"\nmsgstr "[^"]*"\n', "", "de: no entry for 'This link"),
        (r'(msgid "This link is too old"\nmsgstr) "[^"]*"', r'\1 ""', "de: 'This link is too old' is not translated"),
        (r'(msgid "This link is too old")', r"#, fuzzy\n\1", "de: 'This link is too old' is fuzzy"),
        (r'msgid "This link is too old"', 'msgid "This link was old"', "de: 'This link was old' is in no source"),
        (r"\{study\} ist beendet", "Die Studie ist beendet", "de: '{study} has ended' and its translation differ"),
        (r"In \{n\} Stunden", "Bald", f"de: '{PLURAL}' and its translation differ"),
        (r"(msgstr \"[^\"]*)\{\{ first_name \}\}", r"\1{{ name }}", "de: 'Dear {{ first_name }},' and its translation"),
        (r"Bei %\(vendor\)s zustimmen", "Dort zustimmen", "de: 'Say yes at %(vendor)s' and its translation differ"),
        (r"dem <b>%\(last_day\)s</b>", "dem %(last_day)s", "de: 'Nothing is collected from after <b>"),
    ],
)  # fmt: skip
def test_what_a_participant_could_not_read_is_told(locale: Path, pattern: str, new: str, told: str) -> None:
    spoil("de", pattern, new)
    faults = catalogues.objections()
    assert any(fault.startswith(told) for fault in faults), faults
    assert not [fault for fault in faults if fault.startswith("nl")]


def test_a_catalogue_that_was_not_compiled_is_told(locale: Path) -> None:
    path = catalogues.po_path("nl")
    path.write_text(path.read_text().replace("Deze link is te oud", "Deze link is oud"))
    assert catalogues.objections() == ["nl: the compiled file is not that of its catalogue: run `make messages`"]
    catalogues.mo_path("nl").unlink()
    assert len(catalogues.objections()) == 1
    call_command("compilemessages", stdout=io.StringIO())
    assert catalogues.objections() == []


def test_the_command_changes_nothing_that_is_up_to_date(locale: Path) -> None:
    before = {path: path.read_bytes() for path in locale.rglob("*.?o")}
    assert len(before) == 2 * len(catalogues.LANGUAGES)
    call_command("makemessages", stdout=io.StringIO())
    assert {path: path.read_bytes() for path in before} == before


def test_a_changed_text_keeps_its_translation_until_a_translator_confirms_it(locale: Path) -> None:
    spoil("de", 'msgid "This link is too old"', 'msgid "This link is too old now"')
    catalogues.make_messages()
    text = catalogues.po_path("de").read_text()
    assert '#, fuzzy\nmsgid "This link is too old"\nmsgstr "Dieser Link ist zu alt"' in text
    with pytest.raises(CommandError, match="'This link is too old' is fuzzy"):
        call_command("makemessages", check=True)


def test_texts_of_templates_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "page.html").write_text(
        "{% load i18n %}<p>It's not this, nor gettext('this'): “neither”\n"
        '   {% translate "One" %} {% translate "Two" context "place" %}\n'
        "  {% blocktranslate trimmed count n=n with x=y %}{{ x }} day\n and"
        "{% plural %}{{ x }} days{% endblocktranslate %}"
    )
    monkeypatch.setattr(catalogues, "ROOT", tmp_path)
    assert set(catalogues.entries(catalogues.extracted())) == {
        (None, ("One",)),
        ("place", ("Two",)),
        (None, ("%(x)s day and", "%(x)s days")),
    }


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("{% load static team_texts %}", catalogues.TEAM),
        ("from participants import hooks, team_texts", catalogues.TEAM),
        ("from participants.team_texts import gettext, ngettext", catalogues.TEAM),
        ("{% load i18n %}", catalogues.PARTICIPANTS),
        ("from django.utils.translation import gettext", catalogues.PARTICIPANTS),
    ],
)
def test_a_file_is_for_the_team_or_for_participants_by_what_marks_its_texts(text: str, domain: str) -> None:
    assert catalogues.domain_of(text) == domain


def test_a_file_that_marks_texts_of_both_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text("{% load i18n team_texts %}")
    monkeypatch.setattr(catalogues, "ROOT", tmp_path)
    assert "templates/page.html marks texts of participants and of the team" in catalogues.objections()


def test_texts_of_the_team_are_in_a_catalogue_of_their_own() -> None:
    team = catalogues.entries(catalogues.extracted(catalogues.TEAM))
    participants = catalogues.entries(catalogues.extracted())
    assert (None, ("Heat map",)) in team
    assert (None, ("Heat map",)) not in participants
    assert (None, ("This link is too old",)) not in team


def test_a_language_of_the_team_is_begun_kept_up_to_date_and_compiled(locale: Path) -> None:
    call_command("makemessages", team=["fr"], stdout=io.StringIO())
    path = catalogues.po_path("fr", catalogues.TEAM)
    text = path.read_text()
    path.write_text(text.replace('msgid "Heat map"\nmsgstr ""', 'msgid "Heat map"\nmsgstr "Carte de chaleur"'))
    assert catalogues.objections() == ["fr: the compiled file is not that of its catalogue: run `make messages`"]
    call_command("makemessages", stdout=io.StringIO())
    with catalogues.mo_path("fr", catalogues.TEAM).open("rb") as file:
        assert GNUTranslations(file).gettext("Heat map") == "Carte de chaleur"
    assert catalogues.objections() == []


def test_a_translation_of_the_team_that_lost_a_value_is_told(locale: Path) -> None:
    call_command("makemessages", team=["fr"], stdout=io.StringIO())
    path = catalogues.po_path("fr", catalogues.TEAM)
    path.write_text(
        path.read_text().replace(
            'msgid "Select %(study_id)s"\nmsgstr ""', 'msgid "Select %(study_id)s"\nmsgstr "Choisir"'
        )
    )
    with pytest.raises(CommandError, match=r"fr: 'Select %\(study_id\)s' and its translation differ"):
        call_command("makemessages", stdout=io.StringIO())


def test_nothing_that_serves_pages_imports_babel() -> None:
    wrong = set()
    for app in catalogues.APPS:
        for path in (catalogues.ROOT / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                if any(name.split(".")[0] == "babel" or name == "config.catalogues" for name in names):
                    wrong.add(str(path.relative_to(catalogues.ROOT)))
    assert wrong == {"config/catalogues.py"}  # its commands import it when they run


def test_texts_stay_english_without_a_language_of_a_participant() -> None:
    assert settings.LANGUAGE_CODE == "en-gb"
    assert not [name for name in settings.MIDDLEWARE if "locale" in name.lower()]
    assert gettext("This link is too old") == "This link is too old"
    with override("de"):
        assert gettext("This link is too old") == "Dieser Link ist zu alt"
