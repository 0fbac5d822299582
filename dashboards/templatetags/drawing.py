"""Template tags that write long runs of like elements: rows of tables, blocks of pictures.

A template spends on each value many times what it takes to write it here, and a page has thousands of them. Texts are
escaped; what else stands in an element are numbers and classes of our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import template
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

from dashboards.heatmap.picture import MapRow
from dashboards.participant_detail.charts.sleep import Piece
from dashboards.ui.timeline_geometry import Block

register = template.Library()


@register.simple_tag
def table_rows(rows: Iterable[Sequence[Any]]) -> SafeString:
    """Rows of a table of numbers: the first cell heads its row."""
    return _safe(
        f'<tr><th scope="row">{conditional_escape(row[0])}</th>{_numbers(row[1:])}</tr>' if row else "<tr></tr>"
        for row in rows
    )


def _numbers(cells: Iterable[Any]) -> str:
    return "".join(f'<td class="num">{conditional_escape(cell)}</td>' for cell in cells)


@register.simple_tag
def blocks(drawn: Iterable[Block], rx: str, top: int, bottom: int) -> SafeString:
    """Blocks of a timeline, each with its text; a hairline from `top` to `bottom` where one may be too thin to see."""
    rounded = f' rx="{rx}"' if rx else ""
    return _safe(
        f'<rect class="{one.classes}" x="{one.x}" width="{one.width}" y="{one.y}" height="{one.height}"{rounded}>'
        f"<title>{conditional_escape(one.label)}</title></rect>"
        + (f'<line class="hair {one.classes}" x1="{one.x}" x2="{one.x}" y1="{top}" y2="{bottom}"/>' if one.thin else "")
        for one in drawn
    )


@register.simple_tag
def stages(pieces: Sequence[Piece]) -> SafeString:
    """Stages of a night, and what joins them."""
    joins = (
        f'<line class="v-join" x1="{one.x}" x2="{one.x}" y1="{one.join + 7}" y2="{one.y + 7}"/>'
        for one in pieces
        if one.join is not None
    )
    rects = (
        f'<rect class="v-{one.stage}" x="{one.x}" width="{one.width}" y="{one.y}" height="14" rx="1">'
        f"<title>{conditional_escape(one.text)}</title></rect>"
        + (
            f'<line class="hair v-{one.stage}" x1="{one.x}" x2="{one.x}" y1="{one.y}" y2="{one.y + 14}"/>'
            if one.thin
            else ""
        )
        for one in pieces
    )
    return _safe([*joins, *rects])


@register.simple_tag
def map_rows(rows: Iterable[MapRow]) -> SafeString:
    """Rows of the table under the heat map."""
    return _safe(
        f'<tr><th scope="row">{conditional_escape(row.study_id)}</th><td>{conditional_escape(row.badge.label)}</td>'
        f'{_numbers(row.counts)}<td class="num">{row.share_text}</td></tr>\n'
        for row in rows
    )


def _safe(parts: Iterable[str]) -> SafeString:
    return mark_safe("".join(parts))  # noqa: S308  texts were escaped one by one
