"""One participant's row on the trial's page: every figure as text, with its tone and its picture's geometry."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from dashboards.trial_overview import day_strip, status_reason
from dashboards.ui import formatting
from dashboards.ui.connection_labels import Badge
from dashboards.ui.status_labels import Action, action, attention_badge
from metrics.models import ParticipantStatusSummary
from metrics.monitoring.status import AttentionStatus
from participants.team_texts import gettext

RING = 47.1  # circumference of the salvage clock's ring


@dataclass(frozen=True, slots=True)
class Adherence:
    """Percentages rounded to whole ones, and the bar's class."""

    now: int | None
    best: int | None
    target: int
    tone: str

    @property
    def label(self) -> str:
        if self.now is None and self.best is None:
            text = gettext("No day counts yet, target {target} percent")
        elif self.now is None:
            text = gettext("No day counts yet, best still possible {best} percent, target {target} percent")
        elif self.best is None:
            text = gettext("Adherence {now} percent, target {target} percent")
        else:
            text = gettext("Adherence {now} percent, best still possible {best} percent, target {target} percent")
        return text.format(now=self.now, best=self.best, target=self.target)


@dataclass(frozen=True, slots=True)
class Upload:
    ago: str
    clock: str
    tone: str


@dataclass(frozen=True, slots=True)
class Salvage:
    """Time left until the device overwrites what it has not handed over. `dash`: the ring's filled arc."""

    text: str
    sub: str
    tone: str
    dash: str


@dataclass(frozen=True, slots=True)
class Battery:
    percent: int
    width: str
    low: bool
    ago: str


@dataclass(frozen=True, slots=True)
class Row:
    """Texts alone: what is equal looks the same."""

    study_id: str
    place: str  # the participant's site
    arm: str
    badge: Badge
    why: status_reason.Why
    adherence: Adherence | None
    strip: SafeString
    upload: Upload | None
    salvage: Salvage | None
    battery: Battery | None
    action: Action
    stamp: str  # changes when data arrive


def row(participant: Any, now: dt.datetime, until: dt.date, under: SafeString, warn_hours: int) -> Row:
    """The row of a participant with attention status, site and status summary.

    `until`: the strip's last day; `under`: its marks. `warn_hours`: hours without data until the protocol warns.
    """
    summary: ParticipantStatusSummary | None = getattr(participant, "status_summary", None)
    attention_status, zone = AttentionStatus(participant.attention_status), ZoneInfo(participant.time_zone)
    recent = day_strip.recent_codes(summary, until) if summary else " " * day_strip.DAYS
    last = summary.last_sample_at if summary else None
    return Row(
        study_id=participant.study_id,
        place=participant.site.name if participant.site else gettext("no site"),
        arm=participant.arm,
        badge=attention_badge(attention_status, warn_hours),
        why=status_reason.why(participant, attention_status, recent, now),
        adherence=adherence(summary) if summary else None,
        strip=day_strip.strip(recent, under),
        upload=upload(summary, now, zone) if summary and last else None,
        salvage=salvage(summary, now) if summary else None,
        battery=battery(summary, now) if summary else None,
        action=action(attention_status, bool(summary and summary.out_of_reach)),
        stamp=str(int(last.timestamp())) if last else "",
    )


def percent(share: float | None) -> int | None:
    """Whole percent, rounded down: 69.9 % is below a target of 70 %."""
    return None if share is None else int(share * 100 + 1e-9)


def adherence(summary: ParticipantStatusSummary) -> Adherence:
    tone = "is-out" if summary.out_of_reach else "is-low" if summary.low_wear else ""
    return Adherence(percent(summary.adherence), percent(summary.best_adherence), round(summary.target * 100), tone)


def _tone(summary: ParticipantStatusSummary, now: dt.datetime) -> str:
    """Tone of how late the data are, by the protocol's hours; none where it is nobody's fault or task."""
    if summary.waiting or summary.excused:
        return ""
    if summary.critical_at and summary.critical_at <= now:
        return "tone-crit"
    return "tone-warn" if summary.silent_at and summary.silent_at <= now else ""


def upload(summary: ParticipantStatusSummary, now: dt.datetime, zone: ZoneInfo) -> Upload | None:
    last = summary.last_sample_at
    if last is None:
        return None
    return Upload(formatting.ago(last, now), formatting.clock(last, now, zone), _tone(summary, now))


def salvage(summary: ParticipantStatusSummary, now: dt.datetime) -> Salvage | None:
    """None where nothing runs out: no data yet, or no longer monitored."""
    over, last = summary.overwritten_at, summary.last_sample_at
    if over is None or last is None or summary.excused:
        return None
    left = over - now
    if left <= dt.timedelta(0):
        lost = formatting.age(over, now)
        return Salvage(gettext("Losing data now"), gettext("{lost} lost").format(lost=lost), "tone-crit", f"0 {RING}")
    share = min(left / max(over - last, dt.timedelta(hours=1)), 1.0)
    tone = _tone(summary, now) or "tone-mute"
    length = formatting.age(now - left, now)
    return Salvage(length, "", tone, f"{share * RING:.1f} {RING}")


def battery(summary: ParticipantStatusSummary, now: dt.datetime) -> Battery | None:
    level, at = summary.battery_percent, summary.battery_at
    if level is None:
        return None
    old = at is not None and now - at >= dt.timedelta(days=1)
    ago = gettext("{days:,}\u00a0d ago").format(days=(now - at).days) if old and at else ""
    return Battery(level, f"{max(level, 4) * 0.15:.1f}", level <= 20, ago)


# About 4 kB each, in each web process.
ROWS_KEPT = 4096


@lru_cache(maxsize=ROWS_KEPT)
def drawn(row: Row, trial: str, manages: bool, listed: str) -> SafeString:
    """`trial`: its code. `manages`: whether who looks may act for them. `listed`: the query string of the list."""
    context = {"row": row, "trial": trial, "manages": manages, "listed": listed}
    return render_to_string("dashboards/trial_overview/_participant_row.html", context)
