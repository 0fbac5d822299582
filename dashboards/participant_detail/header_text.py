"""Texts for the head of a participant's page: the status sentence and the key figures. No queries."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from dashboards.ui import formatting
from dashboards.ui.status_labels import CAUSES
from metrics.models import Cause, Exclusion, ParticipantStatusSummary
from metrics.monitoring.status import AttentionStatus
from participants.models import Participant, Protocol
from participants.team_texts import gettext

NB = formatting.NO_BREAK
# Statuses whose sentence needs no "last upload": the data are not expected, or never came.
WITHOUT_UPLOAD = (
    AttentionStatus.PAUSED,
    AttentionStatus.WITHDRAWN,
    AttentionStatus.COMPLETED,
    AttentionStatus.UNCONNECTED,
)
# Where no cause is known.
OPENINGS = {
    AttentionStatus.UNCONNECTED: gettext("Never connected"),
    AttentionStatus.RECONNECT: gettext("The consent is no longer complete"),
    AttentionStatus.CRITICAL: gettext("No upload"),
    AttentionStatus.SILENT: gettext("No upload"),
    AttentionStatus.WAITING: gettext("Technical delay (ours or the vendor’s): nothing for the participant to do"),
}
# Tones of the time left: mute above five days, a warning down to two, critical below.
SALVAGE_TONES = ((5 * 86_400, "mute"), (2 * 86_400, "warn"), (0, "crit"))
RING = 37.7  # the circle's circumference at a radius of 6


def percent(share: float) -> str:
    """Rounded down: 69.9 % is below a target of 70 %."""
    return f"{int(share * 100 + 1e-9)}{NB}%"


def since(at: dt.datetime, now: dt.datetime, zone: ZoneInfo) -> str:
    """Since when, as a sentence goes on: "since Sun 21:40", "since 06:02 today"."""
    if at.astimezone(zone).date() == now.astimezone(zone).date():
        return gettext("since {at:%H:%M} today").format(at=at.astimezone(zone))
    return gettext("since {at}").format(at=formatting.clock(at, now, zone))


def _paused(day: str, end: str) -> str:
    """A pause with its first and its last day, of which either may not be known."""
    if day and end:
        return gettext("Paused since {day}, until {end}: these days do not count").format(day=day, end=end)
    if day:
        return gettext("Paused since {day}: these days do not count").format(day=day)
    if end:
        return gettext("Paused, until {end}: these days do not count").format(end=end)
    return gettext("Paused: these days do not count")


def excused(summary: ParticipantStatusSummary, today: dt.date) -> str:
    """Why today does not count, as a sentence without its full stop; empty where it counts."""
    on, until = summary.excused_since, summary.excused_until
    day = formatting.date_short(on, today) if on else ""
    end = formatting.date_short(until, today) if until else ""
    texts = {
        Exclusion.PAUSED: _paused(day, end),
        Exclusion.WITHDRAWN: (
            gettext("Withdrawn on {day}: no more data are expected").format(day=day)
            if day
            else gettext("Withdrawn: no more data are expected")
        ),
        Exclusion.AFTER_END: (
            gettext("Monitoring ended on {day}").format(day=day) if day else gettext("Monitoring ended")
        ),
        Exclusion.BEFORE_START: gettext("Monitoring has not begun yet"),
    }
    return texts[Exclusion(summary.excused)] if summary.excused in texts else ""


def reach(summary: ParticipantStatusSummary) -> str:
    """Whether the target can still be reached; empty where adherence is not below it."""
    if not summary.low_wear or summary.best_adherence is None:
        return ""
    best = percent(summary.best_adherence)
    if summary.out_of_reach:
        return gettext("target of {target} no longer reachable, best still possible {best}").format(
            target=percent(summary.target), best=best
        )
    return gettext("best still possible {best}").format(best=best)


def opening(
    summary: ParticipantStatusSummary, attention_status: AttentionStatus, now: dt.datetime, zone: ZoneInfo
) -> str:
    """First part of the status sentence: the cause, where one is known."""
    if text := excused(summary, now.astimezone(zone).date()):
        return text
    if summary.cause:
        name = CAUSES[Cause(summary.cause)][0]
        return f"{name} {since(summary.cause_since, now, zone)}" if summary.cause_since else name
    if attention_status is AttentionStatus.LOW_WEAR and summary.adherence is not None:
        return gettext("Adherence {adherence}, below the target of {target}").format(
            adherence=percent(summary.adherence), target=percent(summary.target)
        )
    if attention_status is AttentionStatus.LOW_SLEEP:
        return gettext("Only {n} of the last 7 nights recorded").format(n=summary.nights_recorded or 0)
    return OPENINGS.get(attention_status, gettext("Wearing it"))


def sentence(
    summary: ParticipantStatusSummary | None, attention_status: AttentionStatus, now: dt.datetime, zone: ZoneInfo
) -> str:
    """Status sentence: cause and since when, last upload, what adherence can still be reached."""
    if summary is None:
        return gettext("Not assessed yet: nothing has been computed for the participant.")
    parts = [opening(summary, attention_status, now, zone)]
    if attention_status not in WITHOUT_UPLOAD and not summary.excused:
        at = summary.last_sample_at
        parts.append(gettext("last upload {at}").format(at=formatting.ago(at, now)) if at else gettext("no upload yet"))
    if not summary.excused and (text := reach(summary)):
        parts.append(text)
    return "; ".join(parts) + "."


def trial_day_text(participant: Participant, today: dt.date) -> str:
    """Where a participant is in their monitoring: "day 87 of 160"; empty where no start is set or it lies ahead."""
    start, end = participant.monitoring_starts_on, participant.monitoring_ends_on
    if not start or start > today:
        return ""
    number = (min(today, end) - start).days + 1 if end else (today - start).days + 1
    return (
        gettext("day {number} of {days}").format(number=number, days=(end - start).days + 1)
        if end
        else gettext("day {number}").format(number=number)
    )


@dataclass(frozen=True, slots=True)
class Salvage:
    """The time left until the device overwrites what it has not synced. `dash` draws the ring's filled part."""

    text: str
    sub: str
    tone: str
    dash: str


def salvage(summary: ParticipantStatusSummary | None, now: dt.datetime, keeps_hours: int) -> Salvage | None:
    """Time until unsynced data are lost; None where no data came yet, or none are expected."""
    if summary is None or summary.overwritten_at is None or summary.excused:
        return None
    left = (summary.overwritten_at - now).total_seconds()
    if left <= 0:
        return Salvage(
            gettext("Losing data now"), gettext("the oldest unsynced data are overwritten"), "crit", f"0 {RING}"
        )
    days, hours = int(left // 86_400), int(left % 86_400 // 3600)
    text = (
        f"{days}{NB}d{NB}{hours}{NB}h"
        if days
        else f"{hours}{NB}h"
        if hours
        else gettext("{left}\u00a0min").format(left=int(left // 60))
    )
    tone = next(tone for limit, tone in SALVAGE_TONES if left >= limit)
    filled = RING * min(1.0, left / (keeps_hours * 3600))
    return Salvage(text, gettext("then the oldest unsynced data are overwritten"), tone, f"{filled:.1f} {RING}")


@dataclass(frozen=True, slots=True)
class Adherence:
    """Adherence as texts and as a bar; widths in percent of it."""

    days: str
    now: str
    best: str
    now_width: str
    best_width: str
    target_x: str
    tone: str
    sentence: str


def adherence(summary: ParticipantStatusSummary | None) -> Adherence | None:
    """None until a day counts."""
    if summary is None or summary.adherence is None:
        return None
    best = summary.adherence if summary.best_adherence is None else summary.best_adherence
    tone = "is-out" if summary.low_wear and summary.out_of_reach else "is-low" if summary.low_wear else ""
    return Adherence(
        days=gettext("{valid_days} of {counted_days} days valid").format(
            valid_days=summary.valid_days, counted_days=summary.counted_days
        ),
        now=percent(summary.adherence),
        best=percent(best),
        now_width=f"{summary.adherence * 100:.1f}%",
        best_width=f"{best * 100:.1f}%",
        target_x=f"{summary.target * 100:.1f}%",
        tone=tone,
        sentence=gettext("Adherence {now}, best still possible {best}, target {target}").format(
            now=percent(summary.adherence), best=percent(best), target=percent(summary.target)
        ),
    )


@dataclass(frozen=True, slots=True)
class Rules:
    """Thresholds of the figures: the protocol's, else the defaults."""

    valid_day_minutes: int = 600
    nights: int = 5
    keeps_hours: int = 168
    warn_hours: int = 48

    @property
    def worn_text(self) -> str:
        """Worn time of a valid day: 10 h, 7 h 30."""
        hours, rest = divmod(self.valid_day_minutes, 60)
        return formatting.hours_minutes(self.valid_day_minutes) if rest else f"{hours}{NB}h"

    @classmethod
    def of(cls, protocol: Protocol | None) -> Rules:
        if protocol is None:
            return cls()
        return cls(
            protocol.valid_day_minutes,
            protocol.sleep_nights_warn,
            protocol.device_keeps_hours,
            protocol.upload_warn_hours,
        )
