"""Contract of synthetic providers: generators that play a participant's device."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass
from typing import ClassVar, Protocol

from ingestion.providers.base.live import DeviceState
from metrics.batch import Payload


class SyntheticUnavailable(Exception):
    """Synthetic data cannot be made here; the message says why, and what to do, in one line."""


@dataclass(frozen=True, slots=True)
class SyntheticParticipant:
    """Who wears a synthetic device. `number` makes another person of the same seed; 1 is the first."""

    device: str
    seed: int
    number: int
    zone: zoneinfo.ZoneInfo
    starts_on: dt.date


class SyntheticProvider(Protocol):
    """Devices that do not exist. Output depends on the wearer and the date alone, so any day can be made again.

    `live`: data come through the day; otherwise a day comes when it is over.
    """

    code: ClassVar[str]  # also the provider of its sources
    devices: ClassVar[tuple[str, ...]]
    live: ClassVar[bool]

    def check(self) -> None:
        """Raises SyntheticUnavailable if the provider cannot work on this machine."""
        ...

    def day_starts_at(self, participant: SyntheticParticipant, on: dt.date) -> dt.datetime:
        """The first instant of a local day of the wearer, by the clock of their device."""
        ...

    def uploaded_until(self, participant: SyntheticParticipant, now: dt.datetime) -> dt.datetime | None:
        """Up to which instant the wearer's data have arrived by now; None if nothing has."""
        ...

    def states(self, participant: SyntheticParticipant, at: dt.datetime) -> list[DeviceState]:
        """What a vendor would say of the devices at an instant; none before the first upload, or where it is not told.

        `last_sync_at` is never later than uploaded_until, and the battery's level is of that moment.
        """
        ...

    def day(self, participant: SyntheticParticipant, on: dt.date, since: dt.datetime, until: dt.datetime) -> Payload:
        """What a local day brings with since <= time < until. Empty where nothing was measured."""
        ...
