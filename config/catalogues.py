"""Catalogues of translated texts: taken from code and templates, brought up to date, compiled, and looked through.

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
# Pages of the team and of staff, which are shown in English alone: their texts may lack a translation.
ENGLISH_ALONE = re.compile(
    r"templates/(base|_brand|_nav|message|\d{3}(_csrf)?)\.html"
    r"|templates/(account|admin|api|mfa)/(?!printable_invitations\.html)"
    r"|templates/dashboards/(?!messaging/opt_out\.html|connections/invitation\.html)"
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


def po_path(language: str) -> Path:
    """What translators edit."""
    return LOCALE / language / "LC_MESSAGES" / "django.po"


def mo_path(language: str) -> Path:
    """The same, compiled: what is read while pages are served."""
    return po_path(language).with_suffix(".mo")


def sources() -> Iterator[Path]:
    """Every file that may hold a marked text."""
    for app in APPS:
        yield from sorted(path for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts)
    yield from sorted(path for path in (ROOT / "templates").rglob("*") if path.suffix in (".html", ".txt"))


def as_python(path: Path) -> bytes:
    """A file's text as Python that can be looked through: a template becomes calls of gettext, all else in it X's.

    Nothing of a file that marks no text.
    """
    text = path.read_text(encoding="utf-8")
    if not MARKED.search(text):
        return b""
    if path.suffix != ".py":
        lines = templatize(text, origin=str(path)).splitlines()
        text = "\n".join(line.strip() for line in lines)
    return text.encode()


# --- from the sources to what is served --------------------------------------------------------------------------


def extracted() -> Catalog:
    """Every marked text, without translations. Raises django's TranslationSyntaxError."""
    catalog = Catalog(creation_date=NO_TIME, revision_date=NO_TIME)
    for path in sources():
        place = str(path.relative_to(ROOT))
        texts = extract("python", io.BytesIO(as_python(path)), KEYWORDS, ("Translators:",))
        for line, text, comments, context in texts:
            catalog.add(text, None, [(place, line)], auto_comments=comments, context=context)
    return catalog


def stored(language: str) -> Catalog:
    """A language's catalogue as it is kept; empty where there is none yet."""
    path = po_path(language)
    if not path.is_file():
        return Catalog(language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def updated(language: str, template: Catalog) -> Catalog:
    """The catalogue with the sources' texts. A text that was changed keeps its translation, marked as fuzzy."""
    catalog = stored(language)
    catalog.update(template, update_creation_date=False)
    for message in catalog:
        if message.id and message.fuzzy and english_alone(message):
            message.flags.discard("fuzzy")
            message.string = ("",) * catalog.num_plurals if message.pluralizable else ""
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


def make_messages() -> list[Path]:
    """Bring every language's catalogue up to date with the sources; the files written."""
    template = extracted()
    for language in LANGUAGES:
        text = po_text(updated(language, template))
        po_path(language).parent.mkdir(parents=True, exist_ok=True)
        po_path(language).write_text(text, encoding="utf-8")
    return [po_path(language) for language in LANGUAGES]


def compile_messages() -> list[Path]:
    """Compile every language's catalogue; the files written."""
    for language in LANGUAGES:
        mo_path(language).write_bytes(mo_bytes(stored(language)))
    return [mo_path(language) for language in LANGUAGES]


# --- what is wrong -----------------------------------------------------------------------------------------------


def english_alone(message: Message) -> bool:
    """Whether a text of the sources is only on pages that are shown in English."""
    return all(ENGLISH_ALONE.match(place) for place, _ in message.locations)


def entries(catalog: Catalog) -> dict[Key, Message]:
    """A catalogue's texts by what gettext looks them up by, without its header."""
    return {(message.context, forms(message.id)): message for message in catalog if message.id}


def forms(text: str | Sequence[str]) -> tuple[str, ...]:
    """A text's forms: one, or one for each number."""
    return (text,) if isinstance(text, str) else tuple(text)


def objections() -> list[str]:
    """What keeps a participant from reading a text in their language, one line each; empty where all is well."""
    template = entries(extracted())
    return [fault for language in LANGUAGES for fault in _objections(language, template)]


def _objections(language: str, template: Mapping[Key, Message]) -> Iterator[str]:
    catalog = stored(language)
    kept = entries(catalog)
    for key in template.keys() - kept.keys():
        yield f"{language}: no entry for {key[1][0]!r}: run `make messages`"
    for key in kept.keys() - template.keys():
        yield f"{language}: {key[1][0]!r} is in no source any more: run `make messages`"
    for key in template.keys() & kept.keys():
        yield from _faults(language, kept[key], must=not english_alone(template[key]))
    if not mo_path(language).is_file() or _told(mo_path(language).read_bytes()) != _told(mo_bytes(catalog)):
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
