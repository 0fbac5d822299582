"""The head of a participant's page: how they stand in a sentence, and the key figures. Words only, no queries."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from dashboards.ui import formatting
from dashboards.ui.status_labels import CAUSES
from metrics.models import Cause, Exclusion, Standing
from metrics.monitoring.status import Word
from participants.models import Participant, Protocol

NB = formatting.NO_BREAK
# Words whose sentence needs no "last upload": the data are not expected, or never came.
WITHOUT_UPLOAD = (Word.PAUSED, Word.WITHDRAWN, Word.COMPLETED, Word.UNCONNECTED)
# Where no cause is known.
OPENINGS = {
    Word.UNCONNECTED: "Never connected",
    Word.RECONNECT: "The consent is no longer complete",
    Word.CRITICAL: "No upload",
    Word.SILENT: "No upload",
    Word.WAITING: "Waiting: a fault of ours or the vendor’s, nothing for the participant to do",
}
# The salvage clock's tones: mute above five days, a warning down to two, critical below.
SALVAGE_TONES = ((5 * 86_400, "mute"), (2 * 86_400, "warn"), (0, "crit"))
RING = 37.7  # the circle's circumference at a radius of 6


def percent(share: float) -> str:
    """Rounded down: 69.9 % is below a target of 70 %."""
    return f"{int(share * 100 + 1e-9)}{NB}%"


def since(at: dt.datetime, now: dt.datetime, zone: ZoneInfo) -> str:
    """Since when, as a sentence goes on: "since Sun 21:40", "since 06:02 today"."""
    if at.astimezone(zone).date() == now.astimezone(zone).date():
        return f"since {at.astimezone(zone):%H:%M} today"
    return f"since {formatting.clock(at, now, zone)}"


def excused(standing: Standing, today: dt.date) -> str:
    """Why today does not count, as a sentence without its full stop; empty where it counts."""
    on, until = standing.excused_since, standing.excused_until
    day = formatting.date_short(on, today) if on else ""
    since_day, on_day = (f" since {day}", f" on {day}") if day else ("", "")
    end = f", until {formatting.date_short(until, today)}" if until else ""
    words = {
        Exclusion.PAUSED: f"Paused{since_day}{end}: these days do not count",
        Exclusion.WITHDRAWN: f"Withdrawn{on_day}: nothing is expected of them any more",
        Exclusion.AFTER_END: f"Monitoring ended{on_day}",
        Exclusion.BEFORE_START: "Monitoring has not begun yet",
    }
    return words[Exclusion(standing.excused)] if standing.excused in words else ""


def reach(standing: Standing) -> str:
    """Whether the target can still be reached; empty where adherence is not below it."""
    if not standing.low_wear or standing.best_adherence is None:
        return ""
    if standing.out_of_reach:
        return f"can no longer reach {percent(standing.target)}, at best {percent(standing.best_adherence)}"
    return f"can still reach {percent(standing.best_adherence)}"


def opening(standing: Standing, word: Word, now: dt.datetime, zone: ZoneInfo) -> str:
    """What is the matter, cause first."""
    if text := excused(standing, now.astimezone(zone).date()):
        return text
    if standing.cause:
        name = CAUSES[Cause(standing.cause)][0]
        return f"{name} {since(standing.cause_since, now, zone)}" if standing.cause_since else name
    if word is Word.LOW_WEAR and standing.adherence is not None:
        return f"Adherence {percent(standing.adherence)}, below the target of {percent(standing.target)}"
    if word is Word.LOW_SLEEP:
        return f"Only {standing.nights_recorded or 0} of the last 7 nights recorded"
    return OPENINGS.get(word, "Wearing it")


def sentence(standing: Standing | None, word: Word, now: dt.datetime, zone: ZoneInfo) -> str:
    """The verdict: cause and since when, last upload, what adherence can still be reached."""
    if standing is None:
        return "Not judged yet: nothing has been computed for the participant."
    parts = [opening(standing, word, now, zone)]
    if word not in WITHOUT_UPLOAD and not standing.excused:
        at = standing.last_sample_at
        parts.append(f"last upload {formatting.ago(at, now)}" if at else "no upload yet")
    if not standing.excused and (text := reach(standing)):
        parts.append(text)
    return "; ".join(parts) + "."


def trial_day_text(participant: Participant, today: dt.date) -> str:
    """Where a participant is in their monitoring: "day 87 of 160"; empty where no start is set or it lies ahead."""
    start, end = participant.monitoring_starts_on, participant.monitoring_ends_on
    if not start or start > today:
        return ""
    number = (min(today, end) - start).days + 1 if end else (today - start).days + 1
    return f"day {number} of {(end - start).days + 1}" if end else f"day {number}"


@dataclass(frozen=True, slots=True)
class Salvage:
    """The time left until the device overwrites what it has not synced. `dash` draws the ring's filled part."""

    text: str
    sub: str
    tone: str
    dash: str


def salvage(standing: Standing | None, now: dt.datetime, keeps_hours: int) -> Salvage | None:
    """The salvage clock; None where nothing runs out: nothing heard yet, or nothing expected."""
    if standing is None or standing.overwritten_at is None or standing.excused:
        return None
    left = (standing.overwritten_at - now).total_seconds()
    if left <= 0:
        return Salvage("Losing now", "the oldest unsynced data are overwritten", "crit", f"0 {RING}")
    days, hours = int(left // 86_400), int(left % 86_400 // 3600)
    words = f"{days}{NB}d{NB}{hours}{NB}h" if days else f"{hours}{NB}h" if hours else f"{int(left // 60)}{NB}min"
    tone = next(tone for limit, tone in SALVAGE_TONES if left >= limit)
    filled = RING * min(1.0, left / (keeps_hours * 3600))
    return Salvage(words, "until data are lost", tone, f"{filled:.1f} {RING}")


@dataclass(frozen=True, slots=True)
class Adherence:
    """Adherence in words and as a bar; widths in percent of it."""

    days: str
    now: str
    best: str
    now_width: str
    best_width: str
    target_x: str
    tone: str
    sentence: str


def adherence(standing: Standing | None) -> Adherence | None:
    """None until a day counts."""
    if standing is None or standing.adherence is None:
        return None
    best = standing.adherence if standing.best_adherence is None else standing.best_adherence
    tone = "is-out" if standing.low_wear and standing.out_of_reach else "is-low" if standing.low_wear else ""
    label = f"Adherence {percent(standing.adherence)}, best attainable {percent(best)}, "
    return Adherence(
        days=f"{standing.valid_days} of {standing.counted_days} days valid",
        now=percent(standing.adherence),
        best=percent(best),
        now_width=f"{standing.adherence * 100:.1f}%",
        best_width=f"{best * 100:.1f}%",
        target_x=f"{standing.target * 100:.1f}%",
        tone=tone,
        sentence=label + f"target {percent(standing.target)}",
    )


@dataclass(frozen=True, slots=True)
class Rules:
    """What the figures are measured against: the protocol's, else the usual ones."""

    valid_day_minutes: int = 600
    nights: int = 5
    keeps_hours: int = 168

    @property
    def worn_text(self) -> str:
        """10 h, 7 h 30."""
        hours, rest = divmod(self.valid_day_minutes, 60)
        return formatting.hours_minutes(self.valid_day_minutes) if rest else f"{hours}{NB}h"

    @classmethod
    def of(cls, protocol: Protocol | None) -> Rules:
        if protocol is None:
            return cls()
        return cls(protocol.valid_day_minutes, protocol.sleep_nights_warn, protocol.device_keeps_hours)
