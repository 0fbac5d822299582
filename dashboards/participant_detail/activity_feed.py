"""Activity feed of a participant: contacts, alerts, connections, pauses, newest first, with their outcome."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from dashboards.messaging import labels as messaging_labels
from dashboards.models import Alert, AlertEvent, Outreach
from dashboards.participant_detail import stored
from dashboards.ui import connection_labels, formatting
from ingestion.models import Connection, Invitation
from participants.models import Participant, Pause, User
from participants.team_texts import gettext
from participants.user_input import midnight

SHOWN = 6
RULES = {
    Alert.Rule.NEVER_CONNECTED: gettext("never connected"),
    Alert.Rule.RECONNECT: gettext("reconnect needed"),
    Alert.Rule.NO_UPLOAD: gettext("no upload"),
    Alert.Rule.LOW_WEAR: gettext("adherence below the target"),
    Alert.Rule.LOW_SLEEP: gettext("too few nights"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of an entry: a shape of the sprite, a text, and the class of its tone."""

    shape: str
    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    at: dt.datetime
    icon: str
    title: str
    by: str
    outcome: Outcome | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Feed:
    newest: list[Entry]
    earlier: list[Entry]

    @property
    def total(self) -> int:
        return len(self.newest) + len(self.earlier)


def name_of(user: User | None) -> str:
    """Name of a team member; empty for the rules, the participant and the system."""
    return (user.get_short_name() or user.email) if user else ""


def after(start: dt.datetime, end: dt.datetime) -> str:
    """How long something took: "4 h 25", "3 d"."""
    return messaging_labels.span((end - start).total_seconds())


def outreach_outcome(outreach: Outreach, now: dt.datetime, zone: ZoneInfo) -> Outcome:
    """Whether it reached the participant and whether data came back."""
    if outreach.state == Outreach.State.SENT and outreach.sent_at:
        shape, tone = ("s-active", "") if outreach.back_at else ("s-waiting", "outcome-wait")
        return Outcome(shape, messaging_labels.outcome(outreach, now), tone)
    state, why = outreach.state, messaging_labels.plain(outreach.state_reason) if outreach.state_reason else ""
    if state == Outreach.State.SENDING or (state == Outreach.State.HELD and outreach.send_after <= now):
        return Outcome("s-waiting", gettext("Sending"), "outcome-wait")
    if state == Outreach.State.HELD:
        at = formatting.clock(outreach.send_after, now, zone)
        text = gettext("Goes out {at}: {why}") if why else gettext("Goes out {at}")
        return Outcome("s-waiting", text.format(at=at, why=why), "outcome-wait")
    if state in (Outreach.State.BOUNCED, Outreach.State.FAILED):
        word = gettext("Bounced") if state == Outreach.State.BOUNCED else gettext("Could not be sent")
        return Outcome("s-silent", f"{word}: {why}" if why else word, "outcome-bad")
    return Outcome(
        "s-withdrawn", gettext("Not sent: {why}").format(why=why) if why else gettext("Not sent"), "outcome-wait"
    )


def alert_outcome(alert: Alert, now: dt.datetime, zone: ZoneInfo) -> Outcome:
    """Result of an alert so far."""
    if alert.resolved_at:
        word = Alert.Resolution(alert.resolution).label if alert.resolution else "resolved"
        return Outcome(
            "s-active",
            gettext("{word} after {raised_at}").format(
                word=word.capitalize(), raised_at=after(alert.raised_at, alert.resolved_at)
            ),
        )
    if alert.snoozed_until and alert.snoozed_until > now:
        return Outcome(
            "s-waiting",
            gettext("Snoozed until {snoozed_until}").format(
                snoozed_until=formatting.clock(alert.snoozed_until, now, zone)
            ),
            "outcome-wait",
        )
    if alert.acknowledged_at:
        at = formatting.clock(alert.acknowledged_at, now, zone)
        return Outcome("s-waiting", gettext("Open, acknowledged {at}").format(at=at), "outcome-wait")
    return Outcome("s-silent", gettext("Open, not acknowledged"), "outcome-bad")


def alert_note(events: Iterable[AlertEvent], now: dt.datetime, zone: ZoneInfo) -> str:
    """Text for the events of an alert between its beginning and its end."""
    skipped = (AlertEvent.What.RAISED, AlertEvent.What.RESOLVED)
    parts = []
    for event in events:
        if event.what not in skipped:
            what = event.get_what_display()
            if event.by:
                what = gettext("{what} by {who}").format(what=what, who=name_of(event.by))
            note = f" ({event.note})" if event.note else ""
            parts.append(f"{what} {formatting.clock(event.at, now, zone)}{note}")
    return "; ".join(parts)


def _contacts(participant: Participant, now: dt.datetime, zone: ZoneInfo) -> Iterator[Entry]:
    for outreach in stored.outreaches.rows(participant=participant.pk):
        is_call = outreach.kind == Outreach.Kind.CALL
        title = (
            gettext("Call: {outreach}").format(outreach=messaging_labels.title(outreach))
            if is_call
            else gettext("E-mail “{title}”").format(title=outreach.title)
        )
        icon = "i-phone" if is_call else "i-mail"
        outcome = outreach_outcome(outreach, now, zone)
        at = outreach.sent_at or outreach.created_at
        yield Entry(at, icon, title, name_of(outreach.by), outcome, outreach.reason)


def _alerts(participant: Participant, now: dt.datetime, zone: ZoneInfo) -> Iterator[Entry]:
    events = stored.events_by_alert(participant.pk)
    for alert in stored.alerts.rows(participant=participant.pk):
        title = gettext("Alert: {rules}").format(rules=RULES[Alert.Rule(alert.rule)])
        note = alert_note(events[alert.pk], now, zone)
        yield Entry(alert.raised_at, "i-bell", title, "", alert_outcome(alert, now, zone), note)


def _connections(participant: Participant) -> Iterator[Entry]:
    labels = {
        Connection.Status.ACTIVE: gettext("Connected"),
        Connection.Status.RECONNECT: gettext("Reconnect needed"),
        Connection.Status.REVOKED: gettext("Disconnected"),
        Connection.Status.BLOCKED: gettext("Blocked"),
    }
    for event in stored.connection_events.rows(participant=participant.pk):
        has_reason = event.reason and event.status != Connection.Status.ACTIVE
        reason = f": {connection_labels.reason(event.reason)}" if has_reason else ""
        yield Entry(event.at, "i-relink", f"{labels[Connection.Status(event.status)]}{reason}", "")


def _invitations(participant: Participant, now: dt.datetime) -> Iterator[Entry]:
    invitation: Invitation
    for invitation in stored.invitations.rows(participant=participant.pk):
        title = gettext("Invited to connect: {invitation}").format(
            invitation=connection_labels.invitation(invitation, now)
        )
        yield Entry(invitation.created_at, "i-relink", title, name_of(invitation.created_by))


def _pauses(participant: Participant, zone: ZoneInfo, today: dt.date) -> Iterator[Entry]:
    pause: Pause
    for pause in stored.pauses.rows(participant=participant.pk):
        text = gettext("Paused: {reason}").format(reason=pause.reason)
        if pause.ends_on:
            until = formatting.date_short(pause.ends_on, today)
            text = gettext("Paused until {until}: {reason}").format(until=until, reason=pause.reason)
        yield Entry(midnight(pause.starts_on, zone), "i-clock", text, "")
    if participant.withdrawn_on:
        yield Entry(midnight(participant.withdrawn_on, zone), "i-no", gettext("Withdrawn from the trial"), "")


def feed(participant: Participant, now: dt.datetime) -> Feed:
    """Everything, newest first. A fixed number of queries; of each kind the newest hundred."""
    zone = ZoneInfo(participant.time_zone)
    entries = [
        *_contacts(participant, now, zone),
        *_alerts(participant, now, zone),
        *_connections(participant),
        *_invitations(participant, now),
        *_pauses(participant, zone, now.astimezone(zone).date()),
    ]
    entries.sort(key=lambda entry: entry.at, reverse=True)
    return Feed(entries[:SHOWN], entries[SHOWN:])
