"""Why data are missing, as a nurse reads it: a cause and its facts (metrics.monitoring.evidence) as one short line."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from dashboards.ui import connection_labels
from dashboards.ui.formatting import NO_BREAK, clock, date_short
from metrics.models import Cause
from metrics.registry import BY_CODE, HEART_RATE, STEPS
from participants.team_texts import gettext, ngettext

Facts = dict[str, Any]
MOST_NAMES = 3


def since(at: dt.datetime, *, zone: ZoneInfo, now: dt.datetime) -> str:
    """Beginning of a gap as text: "since Sun 21:40" within the last week, "since 14 Nov" before."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    if today - local.date() < dt.timedelta(days=7):
        return gettext("since {at}").format(at=_clock(at, zone=zone, now=now))
    return gettext("since {date}").format(date=date_short(local.date(), today))


def sentence(cause: str, evidence: Facts, *, zone: ZoneInfo, now: dt.datetime) -> str:
    """The evidence of a cause, in local time: "Last reading 2 %, falling 9 % a day". No full stop at the end.

    `cause` is a Cause's value; "" (nothing is missing) has no sentence.
    """
    return _SENTENCES[Cause(cause)](evidence, zone, now) if cause else ""


def _clock(at: dt.datetime, *, zone: ZoneInfo, now: dt.datetime) -> str:
    """ "06:02" today, "Sun 21:40" within a week, "14 Nov, 08:10" before, tomorrow's with its day."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    if local.date() == today:
        return f"{local:%H:%M}"
    if dt.timedelta(0) < local.date() - today < dt.timedelta(days=7):
        return f"{local:%a %H:%M}"
    return clock(at, now, zone)


def _time(evidence: Facts, key: str, zone: ZoneInfo, now: dt.datetime) -> str:
    """A fact that is an instant, as text; empty where it is not known."""
    value = evidence.get(key)
    return _clock(dt.datetime.fromisoformat(value), zone=zone, now=now) if value else ""


def _date(evidence: Facts, key: str, zone: ZoneInfo, now: dt.datetime) -> str:
    value = evidence.get(key)
    return date_short(dt.date.fromisoformat(value[:10]), now.astimezone(zone).date()) if value else ""


def _percent(value: Any) -> str:
    return f"{value}{NO_BREAK}%"


def _paused(evidence: Facts, zone: ZoneInfo, now: dt.datetime) -> str:
    begins, ends = _date(evidence, "from", zone, now), _date(evidence, "to", zone, now)
    span = (
        gettext("{begins} to {ends}").format(begins=begins, ends=ends)
        if begins and ends
        else gettext("from {begins}, no end set").format(begins=begins)
        if begins
        else gettext("no end set")
    )
    reason = str(evidence.get("reason") or gettext("Paused by the study team"))
    return f"{reason}, {span}"


def _withdrawn(evidence: Facts, zone: ZoneInfo, now: dt.datetime) -> str:
    on = _date(evidence, "on", zone, now)
    return (
        gettext("Withdrawn on {on}; what came before is kept").format(on=on)
        if on
        else gettext("Withdrawn; what came before is kept")
    )


def _never_connected(evidence: Facts, zone: ZoneInfo, now: dt.datetime) -> str:
    invited, opened = _time(evidence, "invited_at", zone, now), _time(evidence, "opened_at", zone, now)
    if opened:
        return gettext("Link opened {opened}, but the device was not connected").format(opened=opened)
    return (
        gettext("Invited {invited}; the link has not been opened").format(invited=invited)
        if invited
        else gettext("No invitation has been made yet")
    )


def _token_dead(evidence: Facts, zone: ZoneInfo, now: dt.datetime) -> str:
    code = str(evidence.get("code") or "")
    return _capital(connection_labels.reason(code)) if code else gettext("Access to their account has ended")


def _consent_partial(evidence: Facts, zone: ZoneInfo, now: dt.datetime) -> str:
    names = [BY_CODE[code].name if code in BY_CODE else code.replace("_", " ") for code in evidence.get("missing", ())]
    if not names:
        return gettext("Only a part was allowed; the rest arrives")
    # Heart rates first, on which the day status rests; a row holds two lines, not a dozen names.
    names.sort(key=lambda name: (name != HEART_RATE.name, name != STEPS.name, name))
    if len(names) > MOST_NAMES:
        names = [
            *names[: MOST_NAMES - 1],
            gettext("{n} more kinds of data").format(n=len(names) - MOST_NAMES + 1),
        ]
    listed = (
        names[0]
        if len(names) == 1
        else gettext("{names} and {last}").format(names=", ".join(names[:-1]), last=names[-1])
    )
    text = ngettext(
        "{kinds} was not allowed; the rest arrives", "{kinds} were not allowed; the rest arrives", len(names)
    )
    return text.format(kinds=_capital(listed.lower()))


def _platform(evidence: Facts, zone: ZoneInfo, now: dt.datetime) -> str:
    code, again = str(evidence.get("code") or ""), _time(evidence, "next_at", zone, now)
    what = (
        gettext("We have not requested the data in time")
        if code == "overdue"
        else _capital(connection_labels.error(code))
    )
    after = (
        gettext("we try again at {again}").format(again=again)
        if again
        else gettext("it was given up after several attempts")
    )
    what = what or gettext("Something failed on our side")
    return gettext("{what}; {after}. Not counted").format(what=what, after=after)


def _not_synced(evidence: Facts, zone: ZoneInfo, now: dt.datetime) -> str:
    synced, battery = _time(evidence, "last_sync_at", zone, now), evidence.get("battery_percent")
    if synced and battery is not None:
        return gettext("No upload and no error; last synced {synced} with battery {battery}").format(
            synced=synced, battery=_percent(battery)
        )
    if battery is not None:
        return gettext("No upload and no error; last seen with battery {battery}").format(battery=_percent(battery))
    if synced:
        return gettext("No upload and no error; last synced {synced}").format(synced=synced)
    again = _time(evidence, "next_pull_at", zone, now)
    return (
        gettext("Not requested yet; the next request is at {again}").format(again=again)
        if again
        else gettext("No upload and no error; the phone app may be closed")
    )


def _battery_flat(evidence: Facts, zone: ZoneInfo, now: dt.datetime) -> str:
    battery, falling = evidence.get("battery_percent"), evidence.get("falling_per_day")
    if battery is None:
        return gettext("The device called its battery empty, then nothing")
    if falling:
        return gettext("Last reading {battery}, falling {falling} a day").format(
            battery=_percent(battery), falling=_percent(falling)
        )
    return gettext("Last reading {battery}, then nothing").format(battery=_percent(battery))


def _off_wrist(evidence: Facts, zone: ZoneInfo, now: dt.datetime) -> str:
    synced = _time(evidence, "synced_at", zone, now)
    if synced:
        if len(synced) == 5:
            return gettext("Device synced at {time}; neither heart rate nor steps").format(time=synced)
        return gettext("Device synced {date}; neither heart rate nor steps").format(date=synced)
    minutes = evidence.get("zero_step_minutes")
    return (
        gettext("{minutes:,}\u00a0min of zero steps, no heart rate").format(minutes=minutes)
        if minutes
        else gettext("Neither heart rate nor steps")
    )


def _unknown(evidence: Facts, zone: ZoneInfo, now: dt.datetime) -> str:
    steps = evidence.get("steps")
    if steps:
        return gettext("Uploads go on without heart rate; {steps:,}\u00a0steps are present").format(steps=steps)
    return gettext("Data came before and after; nothing says why not here")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_SENTENCES = {
    Cause.PAUSED: _paused,
    Cause.WITHDRAWN: _withdrawn,
    Cause.NEVER_CONNECTED: _never_connected,
    Cause.TOKEN_DEAD: _token_dead,
    Cause.CONSENT_PARTIAL: _consent_partial,
    Cause.PLATFORM: _platform,
    Cause.NOT_SYNCED: _not_synced,
    Cause.BATTERY_FLAT: _battery_flat,
    Cause.OFF_WRIST: _off_wrist,
    Cause.UNKNOWN: _unknown,
}
