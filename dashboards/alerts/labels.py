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
from participants.team_texts import gettext, ngettext

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
        return gettext("No upload since {last}").format(last=last) if last else gettext("Nothing was ever uploaded")
    if alert.rule == Rule.RECONNECT:
        what = gettext("Consent partial") if facts.get("access") == Access.PARTIAL else gettext("Access ended")
        since = _at(facts, "since", zone, now)
        return gettext("{what} since {since}").format(what=what, since=since) if since else what
    if alert.rule == Rule.NEVER_CONNECTED:
        invited = _at(facts, "invited_at", zone, now)
        return (
            gettext("Invited {invited} and never connected").format(invited=invited)
            if invited
            else gettext("Never connected")
        )
    if alert.rule == Rule.LOW_WEAR:
        return _low_wear(alert, facts)
    nights = facts.get("nights")
    if nights is None:
        return gettext("Too few nights")
    return ngettext("{n} main sleep in 7 nights", "{n} main sleeps in 7 nights", nights).format(n=nights)


def _low_wear(alert: Alert, facts: dict[str, Any]) -> str:
    now, target = percent(facts.get("adherence")), percent(facts.get("target"))
    if alert.level == Level.CRITICAL:
        return gettext("Adherence {now}: target of {target} no longer reachable, best still possible {best}").format(
            now=now, target=target, best=percent(facts.get("best"))
        )
    if facts.get("best") is None:
        return gettext("Adherence {now}, below {target}").format(now=now, target=target)
    return gettext("Adherence {now}, below {target}; best still possible {best}").format(
        now=now, target=target, best=percent(facts["best"])
    )


def state(alert: Alert, now: dt.datetime, zone: ZoneInfo) -> str:
    """State of an alert among the team, as a sentence's end: "not acknowledged yet", "snoozed until 30 Nov, 00:00"."""
    if alert.resolved_at:
        return f"{alert.get_resolution_display()} {clock(alert.resolved_at, now, zone)}"
    parts = []
    if alert.acknowledged_at:
        at = clock(alert.acknowledged_at, now, zone)
        parts.append(
            gettext("acknowledged by {who} {at}").format(who=who(alert.acknowledged_by), at=at)
            if alert.acknowledged_by
            else gettext("acknowledged {at}").format(at=at)
        )
    if alert.snoozed_until and alert.snoozed_until > now:
        parts.append(
            gettext("snoozed until {snoozed_until}").format(snoozed_until=_ahead(alert.snoozed_until, now, zone))
        )
    return "; ".join(parts) or gettext("not acknowledged yet")


def _ahead(instant: dt.datetime, now: dt.datetime, zone: ZoneInfo) -> str:
    """An instant to come: "Tue 24 Nov", with the time unless it is midnight."""
    local = instant.astimezone(zone)
    date = f"{local:%a} {local.day} {local:%b}" + ("" if local.year == now.year else f" {local.year}")
    return date if local.time() == dt.time() else f"{date}, {local:%H:%M}"


def event(happened: AlertEvent) -> str:
    """Event of an alert, as one line of its history."""
    what = {
        What.RAISED: gettext("Raised"),
        What.WORSE: gettext("Became critical"),
        What.BETTER: gettext("No longer critical"),
        What.ACKNOWLEDGED: gettext("Acknowledged"),
        What.SNOOZED: gettext("Snoozed"),
        What.ASSIGNED: gettext("Assigned"),
        What.RESOLVED: gettext("Resolved"),
    }[What(happened.what)]
    if happened.note == TAKEN_BACK:
        return gettext("Acknowledgement undone") if happened.what == What.ACKNOWLEDGED else gettext("Snooze undone")
    if happened.what == What.RESOLVED:
        return f"{what}: {happened.note}"
    if happened.what == What.RAISED:
        return gettext("{what} as {note}").format(what=what, note=happened.note) if happened.note else what
    return f"{what} {happened.note}".rstrip()
