"""Template engine for e-mails to participants: text with `{{ variables }}` becomes plain text and HTML. Pure functions.

The substitution is our own and knows nothing but names of the list below: what managers write is never run by a
template engine. An empty line begins a paragraph; lines that begin with `1.` or `-` are a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from participants.user_input import line_of

# Name -> what stands in the preview where the value itself is hidden from who writes; empty: the value is shown.
VARIABLES: dict[str, str] = {
    "first_name": "first name",
    "device": "",
    "last_upload": "",
    "salvage_sentence": "",
    "site_name": "",
    "site_phone": "",
    "study": "",
    "wear_hours": "",
    "reconnect_link": "a link of their own",
}
HIDDEN = frozenset(name for name, label in VARIABLES.items() if label)
LINKS = frozenset({"reconnect_link"})

VARIABLE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
STRAY = re.compile(r"\{\{|\}\}|\{%|%\}")
ORDERED, BULLET = re.compile(r"\d{1,2}[.)]\s+"), re.compile(r"[-*•]\s+")


class InvalidTemplate(ValueError):
    """Raised for a text that cannot be sent; the message is fit to show to its author."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a line: text as it was written, or a variable's name."""

    text: str = ""
    variable: str = ""


Line = list[Piece]


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph (kind p) or a list (ol, ul) with its lines or items."""

    kind: str
    lines: list[Line] = field(default_factory=list)


class Style(Protocol):
    """How HTML is written: for mail clients or for a page."""

    def tag(self, name: str) -> str: ...
    def variable(self, name: str, value: str) -> str: ...


def check(text: str) -> None:
    """Raise InvalidTemplate for a variable that does not exist, or braces that close or open nothing."""
    unknown = sorted({name for name in VARIABLE.findall(text) if name not in VARIABLES})
    if unknown:
        names = ", ".join(f"{{{{ {name} }}}}" for name in unknown)
        raise InvalidTemplate(f"There is no {names}. There are: {', '.join(VARIABLES)}.")
    if stray := STRAY.search(VARIABLE.sub("", text)):
        raise InvalidTemplate(f"“{stray.group()}” stands alone: a variable is written {{{{ first_name }}}}.")


def used(text: str) -> set[str]:
    """The variables that a text names."""
    return set(VARIABLE.findall(text)) & VARIABLES.keys()


def pieces(line: str, values: Mapping[str, str]) -> Line:
    """A line in pieces. A variable without a value takes along the spaces and commas that led to it."""
    parts: Line = []
    end = 0
    for match in VARIABLE.finditer(line):
        text, name = line[end : match.start()], match.group(1)
        end = match.end()
        if not values.get(name):
            text = text.rstrip(" ,;:")
        if text:
            parts.append(Piece(text))
        if values.get(name):
            parts.append(Piece(variable=name))
    if rest := line[end:]:
        parts.append(Piece(rest))
    return parts


def plain_line(line: str, values: Mapping[str, str]) -> str:
    return "".join(piece.text or values[piece.variable] for piece in pieces(line, values)).strip()


def plain(text: str, values: Mapping[str, str]) -> str:
    """Plain text of an e-mail. `values`: name -> value; a name without one is left out."""
    lines = [plain_line(line, values) for line in text.strip().splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def subject(text: str, values: Mapping[str, str]) -> str:
    """The subject: one line, whatever was written."""
    return line_of(plain_line(" ".join(text.split()), values))


def blocks(text: str, values: Mapping[str, str]) -> list[Block]:
    """Paragraphs and lists of an e-mail."""
    parsed: list[Block] = []
    fresh = True
    for raw in text.strip().splitlines():
        line = raw.strip()
        if not line:
            fresh = True
            continue
        kind, marker = "p", ORDERED.match(line) or BULLET.match(line)
        if marker:
            kind = "ol" if ORDERED.match(line) else "ul"
            line = line[marker.end() :]
        shown = pieces(line, values)
        if not shown:
            continue
        if fresh or parsed[-1].kind != kind:
            parsed.append(Block(kind))
        fresh = False
        parsed[-1].lines.append(shown)
    return parsed


def html(text: str, values: Mapping[str, str], style: Style) -> SafeString:
    """HTML of an e-mail's body in a style. All text and all values are escaped."""
    return mark_safe("\n".join(_block(block, values, style) for block in blocks(text, values)))  # noqa: S308


def _block(block: Block, values: Mapping[str, str], style: Style) -> str:
    lines = ["".join(_piece(piece, values, style) for piece in line).strip() for line in block.lines]
    if block.kind == "p":
        return f"{style.tag('p')}{'<br>'.join(lines)}</p>"
    items = "".join(f"{style.tag('li')}{line}</li>" for line in lines)
    return f"{style.tag(block.kind)}{items}</{block.kind}>"


def _piece(piece: Piece, values: Mapping[str, str], style: Style) -> str:
    return escape(piece.text) if piece.text else style.variable(piece.variable, values[piece.variable])


class EmailStyle:
    """Style for mail clients, which know no stylesheets."""

    STYLES: Mapping[str, str] = {
        "p": "margin:0 0 16px",
        "ol": "margin:0 0 16px;padding-left:24px",
        "ul": "margin:0 0 16px;padding-left:24px",
        "li": "margin:0 0 4px",
    }

    def tag(self, name: str) -> str:
        return f'<{name} style="{self.STYLES[name]}">'

    def variable(self, name: str, value: str) -> str:
        return link(value, value) if name in LINKS else escape(value)


class PreviewStyle:
    """Style for the preview: values are marked, hidden ones are shown by their name."""

    def tag(self, name: str) -> str:
        return f"<{name}>"

    def variable(self, name: str, value: str) -> str:
        return f'<span class="var{" var-long" if len(value) > 40 else ""}">{escape(value)}</span>'


def link(address: str, text: str) -> str:
    return f'<a href="{escape(address)}" style="color:#1d4fbf">{escape(text)}</a>'


def masked(values: Mapping[str, str], names: Iterable[str] = HIDDEN) -> dict[str, str]:
    """Values, with those hidden that the sender must not see: replaced by their names."""
    return {**values, **{name: VARIABLES[name] for name in names}}


def email_html(body: SafeString, *, footer: str, opt_out_text: str, opt_out: str, language: str) -> str:
    """HTML part of an e-mail around its body."""
    return (
        f'<!doctype html><html lang="{escape(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
        '<body style="margin:0;padding:24px;background:#ffffff;color:#14202b;'
        'font:16px/1.5 -apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif">'
        f'<div style="max-width:560px">{body}'
        '<p style="margin:24px 0 0;padding-top:12px;border-top:1px solid #d8dee6;color:#5a6775;font-size:13px">'
        f"{escape(footer)} {link(opt_out, opt_out_text)}</p></div></body></html>"
    )
