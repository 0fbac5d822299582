"""Rules by which a local day is evaluated. Pure: what is known goes in, a status and its reason come out.

docs/monitoring.md describes them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from metrics.models import DayStatus, Exclusion
from participants.models import Participant, Protocol

Status = Participant.Status
PauseDays = tuple[dt.date, dt.date | None, str]  # first day, last day (None: still paused), reason


@dataclass(frozen=True, slots=True)
class Monitoring:
    """Monitored interval of a participant, with pauses.

    `first` to `last`: the local dates that count, both included; None: unknown yet, or open. `withdrawn_on`: the first
    date that does not count any more.
    """

    status: str
    first: dt.date | None
    last: dt.date | None
    withdrawn_on: dt.date | None
    pauses: Sequence[PauseDays]
    today: dt.date

    def exclusion(self, on: dt.date, before: str = "") -> Exclusion | None:
        """Why a date does not count; None where it does. `before`: the reason that stands so far.

        A participant whose status says paused without a pause that says when is paused from today on; days that were
        excluded so stay it while the status lasts.
        """
        if self.first is None or on < self.first:
            return Exclusion.BEFORE_START
        if self.withdrawn_on and on >= self.withdrawn_on:
            return Exclusion.WITHDRAWN
        if self.last and on > self.last:
            return Exclusion.AFTER_END
        if self.pause(on):
            return Exclusion.PAUSED
        if self.status == Status.PAUSED and (on >= self.today or before == Exclusion.PAUSED):
            return Exclusion.PAUSED
        return None

    def pause(self, on: dt.date) -> PauseDays | None:
        """The pause that a date lies in."""
        return next((pause for pause in self.pauses if pause[0] <= on and (pause[1] is None or on <= pause[1])), None)


@dataclass(frozen=True, slots=True)
class DayFacts:
    """Facts that a day's status depends on.

    `ends_at`: the first instant after it. `has_data`: whether anything of it came from what is worn. `newest`: the
    participant's newest sample of that kind. `unread`: parts of it were not read since the device handed
    them over. `waits`: some of them are about to be. `before`: the status that stands so far, "" for none.
    `minutes`: how long the day is.
    """

    ends_at: dt.datetime
    worn_minutes: int
    fault_minutes: int
    has_data: bool
    newest: dt.datetime | None
    unread: bool
    exclusion: Exclusion | None
    before: str
    waits: bool = False
    minutes: int = 1440


def evaluate_day(day: DayFacts, protocol: Protocol, now: dt.datetime) -> tuple[DayStatus, str]:
    """The status of a day and, of an excluded one, the reason."""
    if day.exclusion:
        return DayStatus.EXCLUDED, day.exclusion
    if not can_count(day.minutes, protocol.valid_day_minutes):
        return DayStatus.EXCLUDED, Exclusion.SHORT_DAY
    if day.worn_minutes >= protocol.valid_day_minutes:
        # A day of which a part is about to be read is not through yet; one that is valid stays it.
        return DayStatus.PENDING if day.waits and day.before != DayStatus.VALID else DayStatus.VALID, ""
    over = now >= day.ends_at + dt.timedelta(hours=protocol.lost_after_hours)
    if day.fault_minutes and day.worn_minutes + day.fault_minutes >= protocol.valid_day_minutes and over:
        # Without the fault the day might be valid: it is not held against the participant.
        return DayStatus.EXCLUDED, Exclusion.PLATFORM
    if over:
        return _closed(day), ""
    return _open(day, protocol, now), ""


def can_count(minutes: int, valid_day_minutes: int) -> bool:
    """Whether a local day is long enough to be valid at all: who flies over the date line may have one of an hour.

    Other definitions of a valid day ask the same of theirs (metrics.monitoring.sql, ADHERENCE_VARIANTS).
    """
    return minutes >= max(valid_day_minutes, 1)


def _open(day: DayFacts, protocol: Protocol, now: dt.datetime) -> DayStatus:
    """A day whose data may still come."""
    proven = now >= day.ends_at and day.newest is not None and day.newest >= day.ends_at and not day.unread
    mendable = day.fault_minutes and day.worn_minutes + day.fault_minutes >= protocol.valid_day_minutes
    return DayStatus.INVALID if proven and not mendable else DayStatus.PENDING


def _closed(day: DayFacts) -> DayStatus:
    """A day whose time is up. Lost is lost, until data of the day come; what is about to be read is waited for."""
    if day.waits and (day.has_data or day.before != DayStatus.LOST):
        return DayStatus.PENDING
    if day.has_data:
        return DayStatus.INVALID
    uploaded_later = day.newest is not None and day.newest >= day.ends_at
    return DayStatus.INVALID if uploaded_later and day.before != DayStatus.LOST else DayStatus.LOST
