"""Template filters and tags for the wording of numbers, and for icons."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from dashboards import wording

register = template.Library()
register.filter("hours_minutes", wording.hours_minutes)
register.filter("number", wording.number)


@register.simple_tag
def ago(instant: dt.datetime, now: dt.datetime) -> str:
    return wording.ago(instant, now)


@register.simple_tag
def clock(instant: dt.datetime, now: dt.datetime, zone: str) -> str:
    """The instant's clock time in a named zone."""
    return wording.clock(instant, now, ZoneInfo(zone))


@register.simple_tag
def day(date: dt.date, today: dt.date) -> str:
    return wording.date_short(date, today)


@register.simple_tag
def icon(name: str, classes: str = "icon") -> SafeString:
    """A picture from templates/_sprite.html. Pictures are decoration: the words beside them carry the meaning."""
    box = "0 0 14 14" if name.startswith("s-") else "0 0 16 16"
    return format_html('<svg class="{}" viewBox="{}" aria-hidden="true"><use href="#{}"/></svg>', classes, box, name)
