"""Template filters and tags for the wording of numbers, and for icons."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from dashboards.alerts.services import Names
from dashboards.ui import formatting

register = template.Library()
register.filter("hours_minutes", formatting.hours_minutes)
register.filter("number", formatting.number)


@register.simple_tag
def ago(instant: dt.datetime, now: dt.datetime) -> str:
    return formatting.ago(instant, now)


@register.simple_tag
def clock(instant: dt.datetime, now: dt.datetime, zone: str) -> str:
    """The instant's clock time in a named zone."""
    return formatting.clock(instant, now, ZoneInfo(zone))


@register.simple_tag
def day(date: dt.date, today: dt.date) -> str:
    return formatting.date_short(date, today)


@register.simple_tag
def icon(name: str, classes: str = "icon") -> SafeString:
    """A picture from templates/_sprite.html. Pictures are decoration: the words beside them carry the meaning."""
    box = "0 0 14 14" if name.startswith("s-") else "0 0 16 16"
    return format_html('<svg class="{}" viewBox="{}" aria-hidden="true"><use href="#{}"/></svg>', classes, box, name)


@register.simple_tag
def member_options(team: Names, me: int, holder: int | None = None) -> SafeString:
    """The options of a list to assign to: who has it already is chosen, else whoever looks. Row ids of users."""
    return _options(team, me, holder or me)


@lru_cache(maxsize=64)
def _options(team: Names, me: int, chosen: int) -> SafeString:
    """Options of a list, cached: they are the same for nearly every row of a page, and long in a large team."""
    options = ((pk, SafeString(" selected" if pk == chosen else ""), "Me" if pk == me else name) for pk, name in team)
    return format_html_join("", '<option value="{}"{}>{}</option>', options)
