"""Evidence by which missing data are explained: what is known of how a participant's data come to us.

Metrics knows no vendor and no connection. Whoever does registers a `Collector` (register_collector), which tells it
in these shapes. All instants are aware UTC datetimes, all intervals half-open.
"""

from __future__ import annotations

import datetime as dt
import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.db.models import Q

from metrics.models import Access, Cause
from participants.models import Participant
from participants.registration import Hook

BEGINNING = dt.datetime.min.replace(tzinfo=dt.UTC)
END = dt.datetime.max.replace(tzinfo=dt.UTC)

# The facts behind a cause as they are stored with a gap: instants in ISO format (UTC), dates likewise, numbers as
# they are. See docs/monitoring.md for the keys that each cause may have.
Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TimeInterval:
    """[starts_at, ends_at)."""

    starts_at: dt.datetime
    ends_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Spell:
    """A time in which the vendor could not be asked for heart rates, and why: `cause` is NEVER_CONNECTED, TOKEN_DEAD
    or CONSENT_PARTIAL."""

    starts_at: dt.datetime
    ends_at: dt.datetime
    cause: Cause
    facts: Facts


@dataclass(frozen=True, slots=True)
class Fault:
    """An interval that we should have read and have not, through our own or the vendor's fault.

    `code` is the vendor error's, or "overdue" where nobody asked in time; `since` when it began; `next_at` when it
    will be tried again, None where it was given up.
    """

    starts_at: dt.datetime
    ends_at: dt.datetime
    code: str
    since: dt.datetime
    next_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading of the worn device itself. `at`: its last sync, or when it was asked where it tells none.

    `device` tells it apart from others that were worn before or after it.
    """

    at: dt.datetime
    battery_percent: int | None
    battery_status: str = ""
    synced: bool = True  # it handed its data on at `at`; False: it was merely described then
    device: str = ""

    @property
    def empty(self) -> bool:
        """Whether the vendor called the battery empty, without a number."""
        return self.battery_percent is None and self.battery_status.lower() == "empty"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence: what is known of a participant's connection at an instant.

    `live`: the data come by themselves (a connection, or a synthetic device); otherwise files are all there is, and
    neighbouring data all the evidence. `answered`: intervals of heart rate that the source was asked for after they
    were over, and answered, in order and apart. `due`: intervals that wait to be read, not late yet. `readings`
    ascend by `at`; `reading_at` tells more where history can be asked for. `device`: which one is worn now, as in the
    readings, and `device_model` its name; a scale or a phone is none.
    """

    access: Access = Access.NONE
    access_since: dt.datetime | None = None
    live: bool = False
    answered: Sequence[TimeInterval] = ()
    due: Sequence[TimeInterval] = ()
    spells: Sequence[Spell] = ()
    faults: Sequence[Fault] = ()
    readings: Sequence[Reading] = ()
    reading_at: Callable[[dt.datetime], Reading | None] | None = None
    next_pull_at: dt.datetime | None = None
    device: str = ""
    device_model: str = ""

    @property
    def battery(self) -> Reading | None:
        """The last that is known of the battery of the device that is worn now."""
        known = (reading for reading in reversed(self.readings) if reading.device == self.device)
        return next((reading for reading in known if reading.battery_percent is not None), None)

    def last_reading(self, until: dt.datetime) -> Reading | None:
        """The last thing that a device had said by an instant."""
        known = next((reading for reading in reversed(self.readings) if reading.at <= until), None)
        if self.reading_at is not None and (from_history := self.reading_at(until)):
            return from_history
        return known

    @property
    def synced_at(self) -> dt.datetime | None:
        """Last instant at which the device that was worn is known to have handed its data on."""
        return max((reading.at for reading in self.readings if reading.synced), default=None)


NOTHING = Evidence()


class Collector(Protocol):
    """Tells the evidence of many participants in a few queries, whatever their number.

    `since`: from when on intervals matter. Participants without any are missing from the answer or map to NOTHING.
    """

    def __call__(
        self, participants: Iterable[Participant], *, since: dt.datetime, now: dt.datetime
    ) -> Mapping[int, Evidence]: ...


collectors: Hook[Collector] = Hook()


def register_collector(collector: Collector) -> None:
    """Have this function asked for evidence from now on."""
    collectors.register(collector)


class Changes(Protocol):
    """Condition on participants of whom the evidence may be other than when they were evaluated, or changes as time
    passes. Over Participant, with `evaluated` annotated: the instant, or null where they were not.
    """

    def __call__(self, now: dt.datetime) -> Q: ...


changes: Hook[Changes] = Hook()


def may_have_changed(now: dt.datetime) -> Q:
    """Condition of whoever has a collector that says so; false of everybody where there is none."""
    return functools.reduce(operator.or_, (condition(now) for condition in changes), Q(pk__in=[]))


def collect(participants: Iterable[Participant], *, since: dt.datetime, now: dt.datetime) -> Mapping[int, Evidence]:
    """The evidence by participant id, from who is registered; empty where nobody is."""
    people = list(participants)
    known: dict[int, Evidence] = {}
    for collector in collectors:
        known.update(collector(people, since=since, now=now))
    return known


def iso(at: dt.datetime | None) -> str | None:
    """An instant as it stands in facts."""
    return at.astimezone(dt.UTC).isoformat() if at else None


def facts(**known: Any) -> Facts:
    """Facts without those that are not known; instants and dates as text."""
    return {
        key: iso(value)
        if isinstance(value, dt.datetime)
        else value.isoformat()
        if isinstance(value, dt.date)
        else value
        for key, value in known.items()
        if value is not None
    }
