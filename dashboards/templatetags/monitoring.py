"""Template filters and tags of the monitoring pages: shares, lags, day marks, the trial's day."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from dashboards.alerts import listing
from dashboards.trial_overview import open_alerts as open_alerts_of
from dashboards.trial_overview import rows as trial_overview_rows
from dashboards.ui import formatting
from metrics.monitoring import pending
from metrics.monitoring.status import Summary
from participants.models import Participant, Trial
from participants.team_texts import gettext

register = template.Library()

SEPARATOR = " · "


@register.filter
def percent(share: float | None) -> str:
    """87 %, rounded down; a dash where there is none."""
    whole = trial_overview_rows.percent(share)
    return "–" if whole is None else f"{whole}{formatting.NO_BREAK}%"


@register.filter
def evaluated(summary: Summary) -> int:
    """Days of the summary's date that count or may still count."""
    return summary.valid + summary.invalid + summary.lost + summary.pending


@register.simple_tag
def lag(instant: dt.datetime, now: dt.datetime) -> str:
    """2 h 10 below a day, then 1 d 3 h."""
    minutes = max(int((now - instant).total_seconds() // 60), 0)
    if minutes < 1440:
        return formatting.hours_minutes(minutes)
    return formatting.age(instant, now)


@register.simple_tag
def mark(name: str) -> SafeString:
    """A day's mark from the sprite."""
    return format_html('<svg viewBox="0 0 13 20" aria-hidden="true"><use href="#{}"/></svg>', name)


@register.filter
def day_of(trial: Trial, today: dt.date) -> str:
    """The trial's day, as the end of a sentence: day 143 of 365; since 4 May 2026; starts 4 January."""
    if trial.starts_on is None:
        return ""
    if trial.starts_on > today:
        return SEPARATOR + gettext("starts {date}").format(date=formatting.date_short(trial.starts_on, today))
    day = (today - trial.starts_on).days + 1
    if trial.ends_on is None:
        return SEPARATOR + gettext("day {day:,}").format(day=day)
    if today > trial.ends_on:
        return SEPARATOR + gettext("ended {date}").format(date=formatting.date_short(trial.ends_on, today))
    days = (trial.ends_on - trial.starts_on).days + 1
    return SEPARATOR + gettext("day {day:,} of {days:,}").format(day=day, days=days)


@register.simple_tag(takes_context=True)
def open_alerts(context: dict[str, Any], trial: Trial) -> int:
    """The number beside "Alerts": see open_alerts.open_count."""
    return open_alerts_of.open_count(trial, context["request"].user, context.get("now"))


@register.simple_tag(takes_context=True)
def evaluating(context: dict[str, Any], trial: Trial) -> int:
    """Number of the trial's participants, of those whom the user sees, whose newest data are not evaluated yet."""
    return pending.waiting(Participant.objects.visible_to(context["request"].user).filter(trial=trial))


@register.simple_tag
def participant_row(row: trial_overview_rows.Row, trial: Trial, manages: bool, listed: str) -> SafeString:
    """A row of the trial's table."""
    return trial_overview_rows.drawn(row, trial.code, manages, listed)


@register.simple_tag
def alert_row(row: listing.Row, trial: Trial, me: int, selectable: bool) -> SafeString:
    """A row of the alerts' table."""
    return listing.drawn(row, trial.code, me, selectable)
