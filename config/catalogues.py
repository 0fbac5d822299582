"""Catalogues of translated texts: taken from code and templates, brought up to date, compiled, and looked through.

There are two: `django`, of what participants read, which is complete in every language of theirs; and `team`, of the
team's pages, which are English until somebody adds a language (participants.team_texts). A file is for the one or for
the other, by what it marks its texts with.

Babel does the work, so that no gettext programs are needed; it is among the tests' tools and never imported by what
serves pages, which reads the compiled files. docs/decisions/011-catalogues.md says why they are kept with the code.
"""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError
from django.utils.translation import templatize

from participants import team_texts

try:
    from babel.messages.catalog import Catalog, Message
    from babel.messages.extract import extract
    from babel.messages.mofile import read_mo, write_mo
    from babel.messages.pofile import read_po, write_po
except ModuleNotFoundError as missing:
    raise CommandError("Babel is not installed here: `make messages` brings it.") from missing

ROOT = Path(settings.BASE_DIR)
LOCALE = ROOT / "locale"
APPS = ("participants", "metrics", "ingestion", "dashboards", "config")
# English is in the sources themselves.
LANGUAGES = tuple(code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE)
PARTICIPANTS, TEAM = "django", team_texts.DOMAIN
# What a file that marks the team's texts says, and one that marks participants'.
FOR_TEAM = re.compile(r"\{% load [^%]*\bteam_texts\b|^\s*from participants(\.| import .*\b)team_texts\b", re.MULTILINE)
FOR_PARTICIPANTS = re.compile(
    r"\{% load [^%]*\bi18n\b|^\s*from django\.utils\.translation import [^\n]*gettext", re.MULTILINE
)

ONE, WITH_PLURAL, IN_CONTEXT = (1,), (1, 2), ((1, "c"), 2)
KEYWORDS: Mapping[str, tuple[int | tuple[int, str], ...]] = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), ONE),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), WITH_PLURAL),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), IN_CONTEXT),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), (*IN_CONTEXT, 3)),
}
# Stands in every file that marks a text, if only in an import.
MARKED = re.compile("gettext|translate")
# What a translation must keep: {{ variable }}, {value}, %(value)s, and tags.
KEPT = re.compile(r"\{\{\s*\w+\s*\}\}|\{\w*\}|%\(\w+\)[sd]|</?\w+")
# Would differ at each run, or tell nothing.
LEFT_OUT = re.compile(
    r'^"(?:POT-Creation-Date|PO-Revision-Date|Last-Translator|Language-Team|Report-Msgid-Bugs-To|Generated-By|Project-Id-Version)'
    r'(?:[^\n]*\n")*?[^\n]*\\n"\n',
    re.MULTILINE,
)
NO_TIME = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)

Key = tuple[str | None, tuple[str, ...]]


# --- files -----------------------------------------------------------------------------------------------------


def po_path(language: str, domain: str = PARTICIPANTS) -> Path:
    """What translators edit."""
    return LOCALE / language / "LC_MESSAGES" / f"{domain}.po"


def mo_path(language: str, domain: str = PARTICIPANTS) -> Path:
    """The same, compiled: what is read while pages are served."""
    return po_path(language, domain).with_suffix(".mo")


def kept() -> list[tuple[str, str]]:
    """Every catalogue that is kept, as language and domain: participants' languages, and those that a team added."""
    added = sorted(path.parts[-3] for path in LOCALE.glob(f"*/LC_MESSAGES/{TEAM}.po"))
    return [*((language, PARTICIPANTS) for language in LANGUAGES), *((language, TEAM) for language in added)]


def sources() -> Iterator[Path]:
    """Every file that may hold a marked text."""
    for app in APPS:
        yield from sorted(path for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts)
    yield from sorted(path for path in (ROOT / "templates").rglob("*") if path.suffix in (".html", ".txt"))


def domain_of(text: str) -> str:
    """Whose texts a file marks."""
    return TEAM if FOR_TEAM.search(text) else PARTICIPANTS


def as_python(path: Path, domain: str) -> bytes:
    """A file's text as Python that can be looked through: a template becomes calls of gettext, all else in it X's.

    Nothing of a file that marks no text of this domain.
    """
    text = path.read_text(encoding="utf-8")
    if not MARKED.search(text) or domain_of(text) != domain:
        return b""
    if path.suffix != ".py":
        lines = templatize(text, origin=str(path)).splitlines()
        text = "\n".join(line.strip() for line in lines)
    return text.encode()


# --- from the sources to what is served --------------------------------------------------------------------------


def extracted(domain: str = PARTICIPANTS) -> Catalog:
    """Every marked text of a domain, without translations. Raises django's TranslationSyntaxError."""
    catalog = Catalog(creation_date=NO_TIME, revision_date=NO_TIME)
    for path in sources():
        place = str(path.relative_to(ROOT))
        texts = extract("python", io.BytesIO(as_python(path, domain)), KEYWORDS, ("Translators:",))
        for line, text, comments, context in texts:
            catalog.add(text, None, [(place, line)], auto_comments=comments, context=context)
    return catalog


def stored(language: str, domain: str = PARTICIPANTS) -> Catalog:
    """A language's catalogue as it is kept; empty where there is none yet."""
    path = po_path(language, domain)
    if not path.is_file():
        return Catalog(language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def updated(language: str, template: Catalog, domain: str = PARTICIPANTS) -> Catalog:
    """The catalogue with the sources' texts. A text that was changed keeps its translation, marked as fuzzy."""
    catalog = stored(language, domain)
    catalog.update(template, update_creation_date=False)
    return catalog


def po_text(catalog: Catalog) -> str:
    """The file for translators. Places are named without lines, which change with every edit."""
    out = io.BytesIO()
    catalog.fuzzy, catalog.header_comment = False, ""
    write_po(out, catalog, width=0, sort_by_file=True, include_lineno=False, ignore_obsolete=True)
    return LEFT_OUT.sub("", out.getvalue().decode()).lstrip()


def mo_bytes(catalog: Catalog) -> bytes:
    """The compiled file; fuzzy translations are left out."""
    out = io.BytesIO()
    catalog.creation_date = catalog.revision_date = NO_TIME
    write_mo(out, catalog)
    return out.getvalue()


def make_messages(team: Sequence[str] = ()) -> list[Path]:
    """Bring every catalogue up to date with the sources, and begin the team's in these languages; the files written."""
    catalogues = [*kept(), *((language, TEAM) for language in team if (language, TEAM) not in kept())]
    templates = {domain: extracted(domain) for domain in {domain for _, domain in catalogues}}
    for language, domain in catalogues:
        text = po_text(updated(language, templates[domain], domain))
        po_path(language, domain).parent.mkdir(parents=True, exist_ok=True)
        po_path(language, domain).write_text(text, encoding="utf-8")
    return [po_path(*catalogue) for catalogue in catalogues]


def compile_messages() -> list[Path]:
    """Compile every catalogue; the files written."""
    for catalogue in kept():
        mo_path(*catalogue).write_bytes(mo_bytes(stored(*catalogue)))
    return [mo_path(*catalogue) for catalogue in kept()]


# --- what is wrong -----------------------------------------------------------------------------------------------


def entries(catalog: Catalog) -> dict[Key, Message]:
    """A catalogue's texts by what gettext looks them up by, without its header."""
    return {(message.context, forms(message.id)): message for message in catalog if message.id}


def forms(text: str | Sequence[str]) -> tuple[str, ...]:
    """A text's forms: one, or one for each number."""
    return (text,) if isinstance(text, str) else tuple(text)


def objections() -> list[str]:
    """What keeps a participant from reading a text in their language, one line each; empty where all is well.

    Also what is wrong in a catalogue of the team's, which may lack translations: the page then shows English.
    """
    templates = {domain: entries(extracted(domain)) for domain in {domain for _, domain in kept()}}
    both = [
        f"{path.relative_to(ROOT)} marks texts of participants and of the team" for path in sources() if _both(path)
    ]
    return both + [fault for catalogue in kept() for fault in _objections(*catalogue, templates[catalogue[1]])]


def _both(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    return bool(FOR_TEAM.search(text) and FOR_PARTICIPANTS.search(text))


def _objections(language: str, domain: str, template: Mapping[Key, Message]) -> Iterator[str]:
    catalog = stored(language, domain)
    there = entries(catalog)
    for key in template.keys() - there.keys():
        yield f"{language}: no entry for {key[1][0]!r}: run `make messages`"
    for key in there.keys() - template.keys():
        yield f"{language}: {key[1][0]!r} is in no source any more: run `make messages`"
    for key in template.keys() & there.keys():
        yield from _faults(language, there[key], must=domain == PARTICIPANTS)
    compiled = mo_path(language, domain)
    if not compiled.is_file() or _told(compiled.read_bytes()) != _told(mo_bytes(catalog)):
        yield f"{language}: the compiled file is not that of its catalogue: run `make messages`"


def _faults(language: str, message: Message, *, must: bool) -> Iterator[str]:
    ids, strings = forms(message.id), forms(message.string or "")
    if must and (message.fuzzy or not all(strings)):
        yield f"{language}: {ids[0]!r} is {'fuzzy' if message.fuzzy else 'not translated'}"
    for string in filter(None, strings):
        if set(KEPT.findall(string)) != set(KEPT.findall(ids[-1])):
            yield f"{language}: {ids[0]!r} and its translation differ in what is filled in or in tags"


def _told(compiled: bytes) -> dict[Key, tuple[str, ...]]:
    return {key: forms(message.string or "") for key, message in entries(read_mo(io.BytesIO(compiled))).items()}
