"""Why data are missing: a missing interval of a day is cut where the cause changes, and each piece gets one.

The key question of each piece is whether the source was asked for it after it was over, and answered. If not, it is
the connection's matter: never connected, token dead, consent partial, a fault, or not read yet. If so, the device's:
silent since (not synced, or its battery flat), off the wrist, or unknown. Pure functions; see docs/monitoring.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol, TypeVar

from metrics.models import Cause
from metrics.monitoring.evidence import Evidence, Facts, Reading, facts

# A silence shorter than this is an upload that has yet to come, whatever the battery said.
SILENCE = dt.timedelta(hours=3)
# A reading older than this says nothing of an interval.
READING_HOLDS = dt.timedelta(days=2)
# Falling batteries are told by the day from readings of so many days.
FALL = dt.timedelta(days=4)
# Carried to the charger, a device counts a few steps: so many minutes of a hundred may have some.
STILL = 0.95


@dataclass(frozen=True, slots=True)
class Piece:
    """A missing interval [starts_at, ends_at) of one cause. `cause` None: the neighbouring data must be asked.

    `unread`: it waits to be read, could not be, or was asked for before the device had handed it over. `waits`: it will
    be read soon.
    """

    starts_at: dt.datetime
    ends_at: dt.datetime
    cause: Cause | None
    evidence: Facts
    unread: bool = False
    waits: bool = False
    silent: bool = False  # nothing has come from the device since before it

    @property
    def minutes(self) -> int:
        return round((self.ends_at - self.starts_at).total_seconds() / 60)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Neighbouring data of an interval: minutes with a count of steps, how many of them were zero, their sum."""

    measured: bool = False
    step_minutes: int = 0
    zero_minutes: int = 0
    steps: int = 0


class _Span(Protocol):
    @property
    def starts_at(self) -> dt.datetime: ...

    @property
    def ends_at(self) -> dt.datetime: ...


S = TypeVar("S", bound=_Span)


def pieces(start: dt.datetime, end: dt.datetime, known: Evidence, heard_at: dt.datetime | None) -> list[Piece]:
    """Cut [start, end) where what is known changes. `heard_at`: when the device was last heard of: its newest sample
    or its last sync, whichever is later."""
    narrowed = _narrowed(known, start, end)
    if heard_at and narrowed.synced_at:
        heard_at = max(heard_at, narrowed.synced_at)
    heard_at = heard_at or narrowed.synced_at
    edges = {start, end}
    spans: list[_Span] = [*narrowed.answered, *narrowed.due, *narrowed.spells, *narrowed.faults]
    for span in spans:
        edges |= {at for at in (span.starts_at, span.ends_at) if start < at < end}
    if heard_at and start < heard_at < end:
        edges.add(heard_at)
    cuts = sorted(edges)
    return joined(_piece(low, high, narrowed, heard_at) for low, high in pairwise(cuts))


def _narrowed(known: Evidence, start: dt.datetime, end: dt.datetime) -> Evidence:
    return replace(
        known,
        answered=_near(known.answered, start, end),
        due=_near(known.due, start, end),
        spells=_near(known.spells, start, end),
        faults=_near(known.faults, start, end),
    )


def _near(spans: Iterable[S], start: dt.datetime, end: dt.datetime) -> list[S]:
    return [span for span in spans if span.starts_at < end and span.ends_at > start]


def joined(parts: Iterable[Piece]) -> list[Piece]:
    """Neighbouring pieces of one cause and one evidence as one."""
    pieces: list[Piece] = []
    for part in parts:
        if (
            pieces
            and pieces[-1].ends_at == part.starts_at
            and replace(part, starts_at=pieces[-1].starts_at) == replace(pieces[-1], ends_at=part.ends_at)
        ):
            pieces[-1] = replace(pieces[-1], ends_at=part.ends_at)
        else:
            pieces.append(part)
    return pieces


def _covering(spans: Iterable[S], low: dt.datetime, high: dt.datetime) -> S | None:
    return next((span for span in spans if span.starts_at <= low and high <= span.ends_at), None)


def _piece(low: dt.datetime, high: dt.datetime, known: Evidence, heard_at: dt.datetime | None) -> Piece:
    """The cause of an interval in which what is known does not change."""
    silent = heard_at is None or low >= heard_at
    if _covering(known.answered, low, high) is None:
        fault, due = _covering(known.faults, low, high), _covering(known.due, low, high)
        waits = due is not None
        unread = fault is not None or waits
        if spell := _covering(known.spells, low, high):
            return Piece(low, high, spell.cause, spell.facts, unread, waits)
        if fault:
            since = facts(code=fault.code, since=fault.since, next_at=fault.next_at)
            return Piece(low, high, Cause.PLATFORM, since, unread, waits)
        if due or known.live:
            # Heard of since, and not asked again: what came with it has still to be read.
            return Piece(low, high, Cause.NOT_SYNCED, _not_synced(known, high), waits or not silent, waits, silent)
    return Piece(low, high, None, {}, silent=silent)


def _not_synced(known: Evidence, until: dt.datetime) -> Facts:
    reading = known.last_reading(until)
    return facts(
        last_sync_at=reading.at if reading and reading.synced else None,
        battery_percent=reading.battery_percent if reading else None,
        battery_at=reading.at if reading else None,
        next_pull_at=known.next_pull_at,
    )


def decided(piece: Piece, known: Evidence, near: Neighbours, flat_percent: int) -> Piece:
    """A piece that `pieces` left to the neighbouring data and the readings, with its cause."""
    reading = known.last_reading(piece.ends_at)
    if reading is not None and piece.starts_at - reading.at > READING_HOLDS and not piece.silent:
        reading = None
    long_enough = not piece.silent or piece.ends_at - piece.starts_at >= SILENCE
    if not near.measured and reading is not None and _flat(reading, flat_percent) and long_enough:
        return replace(piece, cause=Cause.BATTERY_FLAT, evidence=_battery_flat(reading, known))
    if piece.silent and not near.measured:
        if known.live:
            return replace(piece, cause=Cause.NOT_SYNCED, evidence=_not_synced(known, piece.ends_at))
        return replace(piece, cause=Cause.UNKNOWN)
    synced = _sync_within(piece, known, reading)
    still = bool(near.step_minutes) and near.zero_minutes >= STILL * near.step_minutes
    if still or (synced and not near.measured):
        evidence = facts(
            synced_at=synced,
            zero_step_minutes=near.zero_minutes or None,
            battery_percent=reading.battery_percent if reading else None,
        )
        return replace(piece, cause=Cause.OFF_WRIST, evidence=evidence)
    return replace(piece, cause=Cause.UNKNOWN, evidence=facts(steps=near.steps or None, synced_at=synced))


def _flat(reading: Reading, flat_percent: int) -> bool:
    return reading.empty or (reading.battery_percent is not None and reading.battery_percent <= flat_percent)


def _sync_within(piece: Piece, known: Evidence, last: Reading | None) -> dt.datetime | None:
    """The last sync of a device within a piece."""
    readings = [*known.readings, *([last] if last else [])]
    inside = [r.at for r in readings if r.synced and piece.starts_at < r.at <= piece.ends_at]
    return max(inside, default=None)


def _battery_flat(reading: Reading, known: Evidence) -> Facts:
    """The last reading, and how fast it fell: from the highest reading of the days before, if it only fell since."""
    falling = None
    if reading.battery_percent is not None:
        start = reading
        for earlier in reversed(known.readings):
            if earlier.at >= reading.at or earlier.battery_percent is None or earlier.device != reading.device:
                continue
            if earlier.at < reading.at - FALL or earlier.battery_percent < (start.battery_percent or 0):
                break
            start = earlier
        days = (reading.at - start.at).total_seconds() / 86_400
        if days >= 0.5 and start.battery_percent is not None:
            falling = round((start.battery_percent - reading.battery_percent) / days) or None
    return facts(battery_percent=reading.battery_percent, battery_at=reading.at, falling_per_day=falling)
