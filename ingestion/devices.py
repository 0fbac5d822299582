"""Which of a participant's devices is worn: whose model, battery and last sync monitoring, pages and e-mails mean."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ingestion.models import Device, DeviceReading
from ingestion.providers.base import DeviceKind, DeviceState

WORN = frozenset((DeviceKind.TRACKER, DeviceKind.WATCH))
NOT_WORN = frozenset((DeviceKind.SCALE, DeviceKind.OTHER))
BEGINNING = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Described:
    """A device as it was described at an instant; `device` tells it apart from the participant's others."""

    device: str
    model: str
    kind: str
    battery_percent: int | None
    battery_status: str
    last_sync_at: dt.datetime | None
    at: dt.datetime

    @property
    def wearable(self) -> bool:
        """Whether it can be what is worn: by its kind, or, where that is not known, because it has a battery."""
        battery = self.battery_percent is not None or bool(self.battery_status)
        return self.kind in WORN or (battery and self.kind not in NOT_WORN)


def as_stored(device: Device) -> Described:
    """A device as its vendor described it last."""
    return Described(
        str(device.pk),
        device.model,
        device.kind,
        device.battery_percent,
        device.battery_status,
        device.last_sync_at,
        device.seen_at,
    )


def as_read(reading: DeviceReading) -> Described:
    """A device as it was described then; of what it is, as it is known now."""
    return Described(
        str(reading.device_id),
        reading.device.model,
        reading.device.kind,
        reading.battery_percent,
        reading.battery_status,
        reading.last_sync_at,
        reading.at,
    )


def as_told(state: DeviceState, at: dt.datetime) -> Described:
    """A device as a provider describes it."""
    return Described(
        state.external_id,
        state.model,
        state.kind,
        state.battery_percent,
        state.battery_status,
        state.last_sync_at,
        at,
    )


def worn(described: Iterable[Described]) -> Described | None:
    """Of descriptions up to an instant, that of the device that is worn then: of several the one that synced last,
    then the one described last. None where none of them is worn."""
    return max(
        (one for one in described if one.wearable),
        key=lambda one: (one.last_sync_at or BEGINNING, one.at),
        default=None,
    )


def worn_of(stored: Iterable[Device]) -> Device | None:
    """The same of devices as they are stored now."""
    known = {str(device.pk): device for device in stored}
    found = worn(map(as_stored, known.values()))
    return known[found.device] if found else None


def worn_through(described: Iterable[Described]) -> Iterator[Described]:
    """Of many descriptions, in order of time, those of the device that was worn when they were made."""
    known: dict[str, Described] = {}
    for one in sorted(described, key=lambda one: one.at):
        known[one.device] = one
        if worn(known.values()) is one:
            yield one
