"""Contract of synthetic providers: generators that play a participant's device."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass
from typing import ClassVar, Protocol

from ingestion.providers.base.live import DeviceState
from metrics.batch import Payload


class SyntheticUnavailable(Exception):
    """Failure to make synthetic data here; the message says why, and what to do, in one line."""


@dataclass(frozen=True, slots=True)
class SyntheticParticipant:
    """Synthetic participant. `number` makes another one of the same seed; 1 is the first."""

    device: str
    seed: int
    number: int
    zone: zoneinfo.ZoneInfo
    starts_on: dt.date


class SyntheticProvider(Protocol):
    """Synthetic devices. Output depends on the participant and the date alone, so any day can be made again.

    `live`: data come through the day; otherwise a day comes when it is over.
    """

    code: ClassVar[str]  # also the provider of its sources
    devices: ClassVar[tuple[str, ...]]
    live: ClassVar[bool]

    def check(self) -> None:
        """Check that the provider can work on this machine. Raises SyntheticUnavailable."""
        ...

    def day_starts_at(self, participant: SyntheticParticipant, on: dt.date) -> dt.datetime:
        """First instant of a local day of the participant, by the clock of their device."""
        ...

    def uploaded_until(self, participant: SyntheticParticipant, now: dt.datetime) -> dt.datetime | None:
        """Instant up to which the participant's data have arrived by now; None if nothing has."""
        ...

    def states(self, participant: SyntheticParticipant, at: dt.datetime) -> list[DeviceState]:
        """States of the devices at an instant, as a vendor would give them; none before the first upload, or where the
        provider gives none.

        `last_sync_at` is never later than uploaded_until, and the battery's level is of that moment.
        """
        ...

    def day(self, participant: SyntheticParticipant, on: dt.date, since: dt.datetime, until: dt.datetime) -> Payload:
        """Payload of a local day, with since <= time < until. Empty where nothing was measured."""
        ...
