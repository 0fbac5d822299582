"""Numbers and instants as people read them: "3 h ago", "Sun 21:40", "7 h 46". Pure functions."""

from __future__ import annotations

import datetime as dt
from math import isnan
from zoneinfo import ZoneInfo

from participants.team_texts import gettext

NO_BREAK = "\u00a0"
MINUTE, HOUR, DAY = 60, 3600, 86_400
SPREAD = 37  # seconds between the turns of two that follow each other; has no divisor in common with 60


def ago(instant: dt.datetime, now: dt.datetime) -> str:
    """Age of an instant: how long before `now` an instant lies, in at most two units; both aware."""
    if (now - instant).total_seconds() < MINUTE:
        return gettext("just now")
    return gettext("{age} ago").format(age=age(instant, now))


def age(instant: dt.datetime, now: dt.datetime) -> str:
    """3 min, 2 h, 5 d 3 h, 20 d: as `ago` says it, without its word."""
    seconds = int((now - instant).total_seconds())
    if seconds < MINUTE:
        return gettext("just now")
    if seconds < HOUR:
        return gettext("{n}\u00a0min").format(n=seconds // MINUTE)
    if seconds < DAY:
        return gettext("{n}\u00a0h").format(n=seconds // HOUR)
    days, hours = seconds // DAY, seconds % DAY // HOUR
    if days < 14 and hours:
        return gettext("{days}\u00a0d {hours}\u00a0h").format(days=days, hours=hours)
    return gettext("{days:,}\u00a0d").format(days=days)


def refresh_minute(now: dt.datetime, whose: int) -> int:
    """The number of the minute, which for each `whose` (a key: of who looks, or of whom) begins at a second of its own.

    "3 min ago" must not stand there for an hour; but were it everybody's minute, all open pages would be drawn anew
    within the same few seconds.
    """
    return int(now.timestamp() + whose * SPREAD % 60) // 60


def clock(instant: dt.datetime, now: dt.datetime, zone: ZoneInfo) -> str:
    """An instant in a zone: "today, 06:02", "Sun 21:40" within a week, "14 Nov, 08:10", with the year if another."""
    local, today = instant.astimezone(zone), now.astimezone(zone).date()
    if local.date() == today:
        return gettext("today, {local:%H:%M}").format(local=local)
    if dt.timedelta(0) < today - local.date() < dt.timedelta(days=7):
        return f"{local:%a %H:%M}"
    return f"{date_short(local.date(), today)}, {local:%H:%M}"


def date_short(date: dt.date, today: dt.date) -> str:
    """14 Nov, or 14 Nov 2016 when the year is not this one."""
    return f"{date.day} {date:%b}" if date.year == today.year else f"{date.day} {date:%b %Y}"


def date_span(first: dt.date, last: dt.date) -> str:
    """17–23 Nov 2026, 30 Oct – 3 Nov 2026, 28 Dec 2025 – 3 Jan 2026, or one date."""
    end = f"{last.day} {last:%b %Y}"
    if first == last:
        return f"{last:%a} {end}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{end}"
    if first.year == last.year:
        return f"{first.day} {first:%b} – {end}"
    return f"{first.day} {first:%b %Y} – {end}"


def hours_minutes(minutes: int) -> str:
    """20 h 55."""
    return f"{minutes // 60:,}{NO_BREAK}h{NO_BREAK}{minutes % 60:02d}"


def length(seconds: int) -> str:
    """A bucket's length as text: 10 min, 1 h, 1 day."""
    for unit, size in (("day", DAY), ("h", HOUR), ("min", MINUTE)):
        if seconds % size == 0 and seconds >= size:
            count = seconds // size
            return f"{count}{NO_BREAK}{unit}{'s' if unit == 'day' and count > 1 else ''}"
    return f"{seconds}{NO_BREAK}s"


def number(value: float | None, decimals: int = 0) -> str:
    """A value with thousands separators; a dash where there is none, which is not zero."""
    return "–" if value is None or isnan(value) else f"{value:,.{decimals}f}"


def zone_text(zone: ZoneInfo, at: dt.datetime) -> str:
    """Europe/Amsterdam, UTC+1: the zone and its offset at an instant."""
    offset = at.astimezone(zone).utcoffset() or dt.timedelta(0)
    minutes = int(offset.total_seconds() // 60)
    sign, hours, rest = ("−" if minutes < 0 else "+"), abs(minutes) // 60, abs(minutes) % 60
    offset_text = f"UTC{sign}{hours}" + (f":{rest:02d}" if rest else "") if minutes else "UTC"
    return offset_text if zone.key == offset_text else f"{zone.key}, {offset_text}"
