"""Texts for e-mails and calls to a participant: their state and their result."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from dashboards.models import Outreach
from dashboards.ui import formatting
from dashboards.ui.connection_labels import Badge
from participants.team_texts import gettext

State = Outreach.State
MINUTE, HOUR, DAY = 60, 3600, 86_400

BADGES: dict[str, Badge] = {
    State.HELD: Badge(gettext("Held"), "s-waiting", "s-warn"),
    State.SENDING: Badge(gettext("Sending"), "s-waiting", "s-mute"),
    State.SENT: Badge(gettext("Sent"), "s-active", "s-ok"),
    State.BOUNCED: Badge(gettext("Bounced"), "s-crit", "s-crit"),
    State.FAILED: Badge(gettext("Failed"), "s-crit", "s-crit"),
    State.DROPPED: Badge(gettext("Not sent"), "s-withdrawn", "s-mute"),
}
CALLED = Badge(gettext("Called"), "s-active", "s-ok")
# Stored, and told by the API, as if everybody were a woman: what pages say in their place.
PLAIN = {
    "Reached her": gettext("Reached"),
    "she has left the trial": gettext("they have left the trial"),
    "she wants no more reminders": gettext("they want no more reminders"),
    "her address refuses mail": gettext("their address refuses e-mail"),
}


def badge(row: Outreach, now: dt.datetime) -> Badge:
    """State of an e-mail or a call. An e-mail that is due is being sent: nothing holds it any more."""
    if row.kind == Outreach.Kind.CALL:
        return CALLED
    due = row.state == State.HELD and row.send_after <= now
    return BADGES[State.SENDING] if due else BADGES[row.state]


def plain(stored: str) -> str:
    """Page text for what is stored."""
    return PLAIN.get(stored, stored)


def title(row: Outreach) -> str:
    """Result of a call; of an e-mail its subject, as it was written."""
    return plain(row.title) if row.kind == Outreach.Kind.CALL else row.title


def span(seconds: float) -> str:
    """How long something took, in at most two units: 12 min, 4 h 25, 2 d 3 h."""
    whole = max(0, int(seconds))
    if whole < HOUR:
        return gettext("{whole}\u00a0min").format(whole=whole // MINUTE)
    if whole < DAY:
        return formatting.hours_minutes(whole // MINUTE)
    days, hours = whole // DAY, whole % DAY // HOUR
    return f"{days}{formatting.NO_BREAK}d" + (f" {hours}{formatting.NO_BREAK}h" if hours and days < 14 else "")


def outcome(row: Outreach, now: dt.datetime) -> str:
    """Result: "Data came back after 4 h 25", "Waiting for data (sent 2 d ago)"; else what is known of the sending."""
    if row.state == State.SENT and row.sent_at:
        if row.back_at:
            return gettext("Data came back after {back_at}").format(
                back_at=span((row.back_at - row.sent_at).total_seconds())
            )
        return gettext("Waiting for data (sent {sent_at})").format(sent_at=formatting.ago(row.sent_at, now))
    if row.state == State.HELD:
        due = gettext("goes out within a minute") if row.send_after <= now else ""
        return sentence(", ".join(part for part in (due, row.state_reason) if part))
    return sentence(plain(row.state_reason))


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def held_until(row: Outreach, now: dt.datetime, zone: ZoneInfo) -> str:
    """When a held e-mail goes: "today, 13:05", "tomorrow, 08:00"; empty for one that goes now."""
    return moment(row.send_after, now, zone) if row.send_after > now else ""


def moment(instant: dt.datetime, now: dt.datetime, zone: ZoneInfo) -> str:
    """A coming instant: today, 13:05; tomorrow, 08:00; 27 Nov, 08:00."""
    local, today = instant.astimezone(zone), now.astimezone(zone).date()
    if local.date() == today + dt.timedelta(days=1):
        return gettext("tomorrow, {local:%H:%M}").format(local=local)
    return formatting.clock(instant, now, zone)
