"""Text that a reader would see in a template, and that no tag marks for translation.

A template is cut into Django's tokens; tags and values become single characters, and what is left is read as HTML:
text between elements, and attributes that are read out or shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.template.base import Lexer, Token, TokenType

# Stand for a value, for another tag, and for a marked text; no template has these characters.
VALUE, TAG, MARKED = "\ue000", "\ue001", "\ue002"
SHOWN = ("title", "aria-label", "aria-roledescription", "aria-valuetext", "placeholder", "alt", "summary", "label")
ELEMENT = re.compile(r"""<(/?)([a-zA-Z][\w-]*|!doctype)((?:"[^"]*"|'[^']*'|[^<>"'])*)>""")
ATTRIBUTE = re.compile(r"""([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
# What they hold is for a program.
NOT_READ = {"script", "style", "code"}
# Blocks of classes of an element.
CLASSES = ("block bodyclass", "block body_class")
LETTERS = re.compile(r"[^\W\d_]{2,}")
IN_FILTER = re.compile(r'''\|(?:default|default_if_none|yesno|pluralize):"([^"]*)"''')
IN_TAG = re.compile(r'''(?:\s|label=|hint=)"([^"]*)"''')
ENTITY = re.compile(r"&#?\w+;")
# Names and units, which are the same in every language.
SAME_EVERYWHERE = re.compile(r"\b(Wearable Trials|UTC|CSV|Excel|min|kcal|km|bpm|API|REM)\b")


@dataclass(frozen=True)
class Unmarked:
    """A text in a template without a mark, and the number of its line."""

    line: int
    text: str


def unmarked(source: str) -> list[Unmarked]:
    """Every text of a template that a reader would see and nobody could translate, in their order."""
    return sorted(_unmarked(source), key=lambda one: one.line)


def _unmarked(source: str) -> Iterator[Unmarked]:
    page, lines = _flattened(source)
    for line, argument in _arguments(source):
        if LETTERS.search(argument):
            yield Unmarked(line, argument)
    for start, text in _read(page):
        if LETTERS.search(SAME_EVERYWHERE.sub("", ENTITY.sub("", text))):
            yield Unmarked(lines[start + len(text) - len(text.lstrip())], " ".join(text.split()))


def _flattened(source: str) -> tuple[str, list[int]]:
    """The page with one character for each tag and value; and the line of each character."""
    page: list[str] = []
    lines: list[int] = []
    until = ""
    for token in Lexer(source).tokenize():
        piece, until = _piece(token, until)
        page.append(piece)
        line = token.lineno or 0
        for character in piece:
            lines.append(line)
            line += character == "\n"
    return "".join(page), [*lines, 0]


def _piece(token: Token, until: str) -> tuple[str, str]:
    """What stands for a token; and the tag that ends what is left out, if it is within such a block."""
    tag = token.contents if token.token_type == TokenType.BLOCK else ""
    word = tag.split(" ", 1)[0]
    if until:
        return ("", "") if word == until else ("", until)
    if word == "blocktranslate":
        return MARKED, "endblocktranslate"
    if tag in CLASSES:
        return TAG, "endblock"
    if token.token_type == TokenType.COMMENT:
        return "", ""
    if token.token_type == TokenType.TEXT:
        return token.contents, ""
    return (VALUE if token.token_type == TokenType.VAR else MARKED if word == "translate" else TAG), ""


def _arguments(source: str) -> Iterator[tuple[int, str]]:
    """Texts in quotes that a filter or a tag would show: default:"none", form_field form.name "Name"."""
    for token in Lexer(source).tokenize():
        if token.token_type == TokenType.VAR:
            found = IN_FILTER.findall(token.contents)
        elif token.token_type == TokenType.BLOCK and token.contents.startswith("form_field "):
            found = IN_TAG.findall(token.contents)
        else:
            continue
        yield from ((token.lineno or 0, text) for text in found)


def _read(page: str) -> Iterator[tuple[int, str]]:
    """Where and what is read: texts between elements, and attributes that are shown."""
    end, hidden = 0, ""
    for element in ELEMENT.finditer(page):
        if not hidden:
            yield end, page[end : element.start()]
        end = element.end()
        closes, name = element[1], element[2].lower()
        if hidden:
            hidden = "" if closes and name == hidden else hidden
        elif not closes and name in NOT_READ:
            hidden = name
        for attribute in ATTRIBUTE.finditer(element[3]):
            if attribute[1] in SHOWN or (name == "input" and attribute[1] == "value" and 'type="submit"' in element[3]):
                yield element.start(3) + attribute.start(), attribute[2] or attribute[3] or ""
    yield end, page[end:]
