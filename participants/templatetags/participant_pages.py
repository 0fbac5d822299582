"""Template filters and tags of the pages that participants read: dates and times in the page's language."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from django import template

from participants.privacy import languages

register = template.Library()
register.filter("date_long", languages.date_long, expects_localtime=True)


@register.simple_tag
def moment(instant: dt.datetime, now: dt.datetime, zone: str) -> str:
    """A past instant's time in a named zone."""
    return languages.moment(instant, now, ZoneInfo(zone))
