"""Django's `translate` and `blocktranslate` for the team's pages: {% load team_texts %} where others load i18n.

They are written and extracted as Django's are. The language is the installation's (participants.team_texts), so a text
is looked up when its template is compiled: a page pays for the values that are filled in, and for nothing else.
Django's own look it up by the thread's language each time, at some 11 microseconds each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from django import template
from django.template.base import FilterExpression, Node, Parser, TextNode, Token, render_value_in_context
from django.template.context import Context
from django.templatetags import i18n
from django.utils.safestring import SafeString
from django.utils.text import unescape_string_literal

from participants import team_texts

register = template.Library()
PLACE = re.compile(r"%\((\w+)\)s")
register.simple_tag(team_texts.language, name="team_language")


class Named(Node):
    """A text that is kept under a name, for other tags to use: {% translate "no site" as no_site %}."""

    def __init__(self, text: str, name: str) -> None:
        self.text, self.name = SafeString(text), name

    def render(self, context: Context) -> str:
        context[self.name] = self.text
        return ""


class Filled(Node):
    """A text with values, in one form or in one for each number: `forms` have a place %(name)s for each value.

    It is kept in pieces, so that it costs what the same text and values cost without a mark.
    """

    def __init__(self, forms: tuple[str, ...], context: str, values: Mapping[str, FilterExpression]) -> None:
        self.forms, self.context, self.values = forms, context, values
        self.counter: FilterExpression | None = None
        self.asvar = ""
        self.pieces = self._pieces(_translated(forms, context))
        self.pieces_of: dict[str, list[str | FilterExpression]] = {}

    def _pieces(self, text: str) -> list[str | FilterExpression]:
        """Plain text and values by turns."""
        parts = PLACE.split(text)
        return [self.values[part] if i % 2 else part.replace("%%", "%") for i, part in enumerate(parts) if part]

    def _fitting(self, count: int) -> list[str | FilterExpression]:
        """The pieces of the form that fits a number."""
        text = _translated(self.forms, self.context, count)
        if text not in self.pieces_of:
            self.pieces_of[text] = self._pieces(text)
        return self.pieces_of[text]

    def render(self, context: Context) -> str:
        pieces = self._fitting(self.counter.resolve(context)) if self.counter else self.pieces
        filled = "".join(
            [
                piece if isinstance(piece, str) else render_value_in_context(piece.resolve(context), context)
                for piece in pieces
            ]
        )
        if self.asvar:
            context[self.asvar] = SafeString(filled)
            return ""
        return filled


def _translated(forms: tuple[str, ...], context: str, n: int = 1) -> str:
    one, many = forms[0], forms[-1]
    if len(forms) > 1:
        return team_texts.npgettext(context, one, many, n) if context else team_texts.ngettext(one, many, n)
    return team_texts.pgettext(context, one) if context else team_texts.gettext(one)


@register.tag
def translate(parser: Parser, token: Token) -> Node:
    """{% translate "A text" %}, with `context "what it means"` and `as name` where needed."""
    tag, text, *rest = token.split_contents()
    options = dict(zip(rest[::2], rest[1::2], strict=True))
    if text[0] not in "\"'" or not options.keys() <= {"as", "context"}:
        raise template.TemplateSyntaxError(
            f"{tag} takes a text in quotes, `as name` and `context “…”`: {token.contents}"
        )
    # As Django does it: %% stands for % in the catalogue.
    form = unescape_string_literal(text).replace("%", "%%")
    meaning = unescape_string_literal(options["context"]) if "context" in options else ""
    found = _translated((form,), meaning).replace("%%", "%")
    return Named(found, options["as"]) if "as" in options else TextNode(found)


@register.tag
def blocktranslate(parser: Parser, token: Token) -> Node:
    """Django's, with its options; what stands in {{ }} is a plain name, given in `with` or of the page's context."""
    given = i18n.do_block_translate(parser, token)
    parts = [given.render_token_list(tokens) for tokens in (given.singular, given.plural) if tokens]
    names = {name for _, found in parts for name in found}
    if wrong := {name for name in names if not name.isidentifier()}:
        raise template.TemplateSyntaxError(f"blocktranslate needs `with name=…` for {', '.join(sorted(wrong))}")
    meaning = given.message_context.resolve(Context()) if given.message_context else ""
    counted = {given.countervar: given.counter} if given.counter and given.countervar else {}
    bound = {**given.extra_context, **counted}
    filled = Filled(
        tuple(form for form, _ in parts),
        meaning,
        {name: bound.get(name) or parser.compile_filter(name) for name in names},
    )
    filled.counter, filled.asvar = given.counter, given.asvar or ""
    # Without values it is as good as plain text.
    return filled if names or filled.asvar or filled.counter else TextNode("".join(map(str, filled.pieces)))
