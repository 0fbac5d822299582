"""Labels of alerts: what is wrong and since when, who has it, what became of it. Pure functions over loaded rows."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from dashboards.alerts.services import TAKEN_BACK, who
from dashboards.models import Alert, AlertEvent
from dashboards.ui.connection_labels import Badge
from dashboards.ui.formatting import NO_BREAK, clock
from dashboards.ui.status_labels import BADGES
from metrics.models import Access
from metrics.monitoring.status import AttentionStatus

Rule, Level, What = Alert.Rule, Alert.Level, AlertEvent.What

_BADGES: dict[str, Badge] = {
    Rule.NEVER_CONNECTED: BADGES[AttentionStatus.UNCONNECTED],
    Rule.RECONNECT: BADGES[AttentionStatus.RECONNECT],
    Rule.NO_UPLOAD: BADGES[AttentionStatus.SILENT],
    Rule.LOW_WEAR: BADGES[AttentionStatus.LOW_WEAR],
    Rule.LOW_SLEEP: BADGES[AttentionStatus.LOW_SLEEP],
}
_TONES = {Level.WARN: "s-warn", Level.CRITICAL: "s-crit"}


def badge(alert: Alert) -> Badge:
    """The label, shape and tone of what an alert is about; silence that is critical has a label of its own."""
    if alert.rule == Rule.NO_UPLOAD and alert.level == Level.CRITICAL:
        return BADGES[AttentionStatus.CRITICAL]
    return _BADGES[alert.rule]


def tone(alert: Alert) -> str:
    """The ground of its notice: by level, since the badge carries the rule."""
    return _TONES[Level(alert.level)]


def percent(share: float | None) -> str:
    """58 %; a dash where there is none. Rounded down, so that 69.9 % does not read as the 70 % that is the target."""
    return "–" if share is None else f"{int(share * 100 + 1e-9)}{NO_BREAK}%"


def _at(facts: dict[str, Any], key: str, zone: ZoneInfo, now: dt.datetime) -> str:
    value = facts.get(key)
    return clock(dt.datetime.fromisoformat(value), now, zone) if value else ""


def headline(alert: Alert, zone: ZoneInfo, now: dt.datetime) -> str:
    """Headline of an alert, from what the rule saw last: what is wrong since when, in local time. No full stop."""
    facts: dict[str, Any] = alert.facts
    if alert.rule == Rule.NO_UPLOAD:
        last = _at(facts, "last_sample_at", zone, now)
        return f"No upload since {last}" if last else "Nothing was ever uploaded"
    if alert.rule == Rule.RECONNECT:
        what = "Consent partial" if facts.get("access") == Access.PARTIAL else "Access ended"
        since = _at(facts, "since", zone, now)
        return what + (f" since {since}" if since else "")
    if alert.rule == Rule.NEVER_CONNECTED:
        invited = _at(facts, "invited_at", zone, now)
        return f"Invited {invited} and never connected" if invited else "Never connected"
    if alert.rule == Rule.LOW_WEAR:
        return _low_wear(alert, facts)
    nights = facts.get("nights")
    if nights is None:
        return "Too few nights"
    return f"{nights} main sleep{'' if nights == 1 else 's'} in 7 nights"


def _low_wear(alert: Alert, facts: dict[str, Any]) -> str:
    now, target = percent(facts.get("adherence")), percent(facts.get("target"))
    if alert.level == Level.CRITICAL:
        return (
            f"Adherence {now}: target of {target} no longer reachable, best still possible {percent(facts.get('best'))}"
        )
    best = f"; best still possible {percent(facts['best'])}" if facts.get("best") is not None else ""
    return f"Adherence {now}, below {target}{best}"


def state(alert: Alert, now: dt.datetime, zone: ZoneInfo) -> str:
    """State of an alert among the team, as a sentence's end: "not acknowledged yet", "snoozed until 30 Nov, 00:00"."""
    if alert.resolved_at:
        return f"{alert.get_resolution_display()} {clock(alert.resolved_at, now, zone)}"
    parts = []
    if alert.acknowledged_at:
        name = f" by {who(alert.acknowledged_by)}" if alert.acknowledged_by else ""
        parts.append(f"acknowledged{name} {clock(alert.acknowledged_at, now, zone)}")
    if alert.snoozed_until and alert.snoozed_until > now:
        parts.append(f"snoozed until {_ahead(alert.snoozed_until, now, zone)}")
    return "; ".join(parts) or "not acknowledged yet"


def _ahead(instant: dt.datetime, now: dt.datetime, zone: ZoneInfo) -> str:
    """An instant to come: "Tue 24 Nov", with the time unless it is midnight."""
    local = instant.astimezone(zone)
    date = f"{local:%a} {local.day} {local:%b}" + ("" if local.year == now.year else f" {local.year}")
    return date if local.time() == dt.time() else f"{date}, {local:%H:%M}"


def event(happened: AlertEvent) -> str:
    """Event of an alert, as one line of its history."""
    what = {
        What.RAISED: "Raised",
        What.WORSE: "Became critical",
        What.BETTER: "No longer critical",
        What.ACKNOWLEDGED: "Acknowledged",
        What.SNOOZED: "Snoozed",
        What.ASSIGNED: "Assigned",
        What.RESOLVED: "Resolved",
    }[What(happened.what)]
    if happened.note == TAKEN_BACK:
        return "Acknowledgement undone" if happened.what == What.ACKNOWLEDGED else "Snooze undone"
    if happened.what == What.RESOLVED:
        return f"{what}: {happened.note}"
    if happened.what == What.RAISED:
        return f"{what} as {happened.note}" if happened.note else what
    return f"{what} {happened.note}".rstrip()
