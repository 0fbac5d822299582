"""Ground truth: uploads so far, events of the log applied, sources of the family requested.

The API's pages and the control API's rows both read from here, so they can differ only in how they are written.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np

from ingestion.providers.google_health.simulator import columns, records
from ingestion.providers.google_health.simulator.accounts import PHONE, SCALE, STRAP, TRACKER, Account, Accounts
from ingestion.providers.google_health.simulator.columns import Columns, DayColumns, joined
from ingestion.providers.google_health.simulator.filters import Window
from ingestion.providers.google_health.simulator.records import Record
from ingestion.providers.google_health.simulator.state import Event, State
from ingestion.providers.google_health.simulator.types import DataType, Kind
from ingestion.providers.synthetic import calendar
from metrics.batch import MICROSECOND, Stage, instant, microseconds

EVERY = frozenset((TRACKER, PHONE, STRAP, SCALE))
FAMILIES = {
    "all-sources": EVERY,
    "google-wearables": frozenset((TRACKER,)),
    "google-sources": EVERY,
    "self-sources": frozenset(),
}
WIDEST_OFFSET = 15 * 3600 * MICROSECOND
TEN_SECONDS = 10 * MICROSECOND


@lru_cache(maxsize=8192)
def _uploaded(account: Account, moment: int) -> int:
    reached = calendar.uploaded_until(account.profile, instant(moment))
    return 0 if reached is None else microseconds(reached)


class GroundTruth:
    """Ground truth of all accounts. `days_kept`: how many participant-days stay in memory, about a megabyte each."""

    def __init__(self, accounts: Accounts, state: State, *, days_kept: int = 200) -> None:
        self.accounts = accounts
        self.state = state
        self._days_kept = days_kept
        self._days: OrderedDict[tuple[int, dt.date], DayColumns] = OrderedDict()
        self._lock = threading.Lock()

    def uploaded_until(self, account: Account) -> int:
        """Instant up to which the data have arrived, microseconds UTC; 0 if nothing has. Moves in steps of 10 s."""
        if not account.linked:
            return 0
        moment = min(self.state.now(), self.state.held.get(account.number, 2**62))
        return _uploaded(account, moment // TEN_SECONDS * TEN_SECONDS)

    def day(self, account: Account, on: dt.date) -> DayColumns:
        key = (account.number, on)
        with self._lock:
            day_columns = self._days.get(key)
            if day_columns is None:
                day_columns = self._days[key] = DayColumns(account, on)
                if len(self._days) > self._days_kept:
                    self._days.popitem(last=False)
            else:
                self._days.move_to_end(key)
        return day_columns

    def _newest_first(self, account: Account, low: int, high: int) -> Iterator[DayColumns]:
        """Local days that share an instant with [low, high)."""
        first = account.profile.starts_on
        if low > microseconds(dt.datetime(first.year, first.month, first.day, tzinfo=dt.UTC)):
            first = instant(low).date() - dt.timedelta(days=1)
        on = instant(min(high, self.state.now() + 86_400 * MICROSECOND)).date() + dt.timedelta(days=1)
        while on >= first:
            if account.day_starts(on) < high:
                day = self.day(account, on)
                if day.end <= low:
                    return
                yield day
            on -= dt.timedelta(days=1)

    def columns(
        self,
        account: Account,
        type_id: str,
        window: Window,
        *,
        sources: frozenset[int] = EVERY,
        newest: int | None = None,
    ) -> Columns | None:
        """Points of a columnar type, ascending by (time, source); None where there are none.

        With `newest`, older days are left out as soon as there are more points than that.
        """
        margin = WIDEST_OFFSET if window.civil else 0
        low, high = window.low - margin, min(window.high + margin, self.uploaded_until(account))
        events = self.state.events.get((account.number, type_id), ())
        parts: list[Columns] = []
        total = 0
        for day in self._newest_first(account, low, high):
            part = _cut(day.columns(type_id), low, high, window, sources)
            for event in events:
                part = _changed(part, event)
            if len(part):
                parts.append(part)
                total += len(part)
            if newest is not None and total > newest:
                break
        return joined(parts[::-1]) if parts else None

    def records(
        self, account: Account, data_type: DataType, window: Window, *, sources: frozenset[int] = EVERY
    ) -> list[Record]:
        """Points that are written one by one, newest first."""
        build = records.BUILDERS.get(data_type.id)
        until = self.uploaded_until(account)
        if build is None or not until:
            return []
        shift = data_type.kind is not Kind.DAILY and window.civil
        visible = []
        for day in self._newest_first(account, window.low - WIDEST_OFFSET, min(window.high + WIDEST_OFFSET, until)):
            for record in build(day):
                at = record.at + record.offset * MICROSECOND if shift else record.at
                if window.low <= at < window.high and record.seen_from < until and record.source in sources:
                    visible.append(record)
        events = self.state.events.get((account.number, data_type.id), [])
        seen = [kept for record in visible if (kept := _settled(record, events, until)) is not None]
        return sorted(seen, key=lambda record: -record.start)


def has_columns(data_type: DataType) -> bool:
    return data_type.id in columns.BUILDERS


def reconciled(points: Columns) -> Columns:
    """Stream of the reconciled points: of several at the same instant the tracker's."""
    return points.take(np.concatenate([[True], np.diff(points.time) > 0]))


def _cut(whole: Columns, low: int, high: int, window: Window, sources: frozenset[int]) -> Columns:
    first, last = np.searchsorted(whole.time, [low, high])
    part = whole.take(slice(int(first), int(last)))
    if window.civil:
        wall = part.time + part.offset * MICROSECOND
        part = part.take((wall >= window.low) & (wall < window.high))
    if sources != EVERY:
        part = part.take(np.isin(part.source, list(sources)))
    return part


def _changed(part: Columns, event: Event) -> Columns:
    hit = (part.time >= event.low) & (part.time < event.high)
    if not hit.any():
        return part
    if event.kind == "delete":
        return part.take(~hit)
    name, old = next(iter(part.values.items()))
    changed = np.where(hit & (old > 0), np.round(np.maximum(old + event.delta, 1), 3), old)
    return replace(part, values={**part.values, name: changed})


def _settled(record: Record, events: list[Event], until: int) -> Record | None:
    """Record as it is served: revised, deleted, or a night whose stages are not there yet."""
    updated = record.start
    for event in events:
        if not event.low <= record.at < event.high:
            continue
        if event.kind == "delete":
            return None
        record, updated = _restated(record, event), max(updated, event.at)
    if record.sleep is None:
        return record
    end = microseconds(record.sleep.ends_at)
    processed = until >= end + records.STAGES_TAKE
    night = replace(record.sleep, processed=processed, stages=record.sleep.stages if processed else ())
    body = records.sleep_body(record, processed=processed, updated=max(updated, end + records.STAGES_TAKE))
    return replace(record, sleep=night, body=body)


def _restated(record: Record, event: Event) -> Record:
    if record.sleep is not None:
        return replace(record, sleep=replace(record.sleep, stages=_restless(record.sleep.stages)))
    changed = {name: round(value + event.delta, 3) for name, value in record.values.items() if value}
    body = {name: str(int(changed[name])) if isinstance(value, str) else changed[name]
            for name, value in record.body.items() if name in changed}  # fmt: skip
    return replace(record, values={**record.values, **changed}, body={**record.body, **body})


def _restless(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Stages of the same night with its first light sleep taken for waking."""
    for place, stage in enumerate(stages):
        if stage.stage == "light":
            return (*stages[:place], replace(stage, stage="awake"), *stages[place + 1 :])
    return stages
