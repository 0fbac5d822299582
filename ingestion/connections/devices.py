"""Devices of a participant: what their vendor says of them, and which of them is worn.

Model, battery and last sync that monitoring, pages, the API and e-mails speak of are those of the one that is worn.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from django.db import transaction

from ingestion.connections.grants import asks_still
from ingestion.models import Connection, Device, DeviceReading
from ingestion.providers.base.errors import AccessGone, BrokenResponse
from ingestion.providers.base.live import DeviceKind, DeviceState, LiveProvider
from participants.registration import Hook

log = logging.getLogger(__name__)

WORN = frozenset((DeviceKind.TRACKER, DeviceKind.WATCH))
NOT_WORN = frozenset((DeviceKind.SCALE, DeviceKind.OTHER))
BEGINNING = dt.datetime.min.replace(tzinfo=dt.UTC)


class DevicesUploaded(Protocol):
    """Hears that a connection's worn devices have synced that had not since an instant; in that transaction."""

    def __call__(self, connection: Connection, since: dt.datetime, now: dt.datetime, /) -> object: ...


devices_uploaded: Hook[DevicesUploaded] = Hook()


@dataclass(frozen=True, slots=True)
class Described:
    """Description of a device at an instant; `device` tells it apart from the participant's others."""

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
    """Description of a device as its vendor gave it last."""
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
    """Description of a device at a reading; model and kind are as they are known now."""
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
    """Description of a device as a provider gives it."""
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
    """Description of the device that is worn at the latest instant described: of several the one that synced last, then
    the one described last. None where none of them is worn."""
    return max(
        (description for description in described if description.wearable),
        key=lambda description: (description.last_sync_at or BEGINNING, description.at),
        default=None,
    )


def worn_of(stored: Iterable[Device]) -> Device | None:
    """Device that is worn, of devices as they are stored now; None where none is."""
    known = {str(device.pk): device for device in stored}
    description = worn(map(as_stored, known.values()))
    return known[description.device] if description else None


def worn_through(described: Iterable[Described]) -> Iterator[Described]:
    """Descriptions of the device that was worn when they were made, in order of time."""
    known: dict[str, Described] = {}
    for description in sorted(described, key=lambda description: description.at):
        known[description.device] = description
        if worn(known.values()) is description:
            yield description


# --- what the vendor says of them --------------------------------------------------------------------------------


def store(connection: Connection, devices: list[DeviceState], now: dt.datetime) -> None:
    """Store what the vendor says of the devices, and append to their readings what changed.

    Where one that is worn has synced since, what was missed since its last sync is asked for again.
    """
    devices = list({device.external_id: device for device in devices}.values())
    before = {device.external_id: device for device in connection.devices.all()}
    Device.objects.bulk_create(
        [
            Device(
                connection=connection,
                external_id=device.external_id,
                model=device.model,
                kind=device.kind,
                battery_percent=device.battery_percent,
                battery_status=device.battery_status,
                last_sync_at=device.last_sync_at,
                seen_at=now,
            )
            for device in devices
        ],
        update_conflicts=True,
        unique_fields=["connection", "external_id"],
        update_fields=["model", "kind", "battery_percent", "battery_status", "last_sync_at", "seen_at"],
    )
    changed = {
        state.external_id: state
        for state in devices
        if (known := before.get(state.external_id)) is None
        or (known.battery_percent, known.battery_status, known.last_sync_at)
        != (state.battery_percent, state.battery_status, state.last_sync_at)
    }
    if changed:
        DeviceReading.objects.bulk_create(
            [
                DeviceReading(
                    device=device,
                    at=now,
                    battery_percent=changed[device.external_id].battery_percent,
                    battery_status=changed[device.external_id].battery_status,
                    last_sync_at=changed[device.external_id].last_sync_at,
                )
                for device in Device.objects.filter(connection=connection, external_id__in=changed)
            ],
            ignore_conflicts=True,
        )
    if (missed := _silent_since(before, devices)) is not None:
        for hear in devices_uploaded:
            hear(connection, missed, now)


def _silent_since(before: Mapping[str, Device], states: Iterable[DeviceState]) -> dt.datetime | None:
    """Instant since which the worn devices that have synced now had not; the earliest of several. None: none has."""
    known = [(before.get(state.external_id), state) for state in states]
    last = [
        device.last_sync_at
        for device, state in known
        if device and device.last_sync_at and state.last_sync_at and state.last_sync_at > device.last_sync_at
        if as_stored(device).wearable
    ]
    return min(last, default=None)


def refresh(connection: Connection, provider: LiveProvider, access_token: str, now: dt.datetime) -> None:
    """Fetch the devices' batteries and last syncs; nothing where the consent does not cover them, or they left
    meanwhile.

    Raises vendor errors but those that concern the devices alone.
    """
    try:
        devices = provider.devices(access_token)
    except AccessGone as gone:
        if gone.code not in (AccessGone.SCOPE_MISSING, AccessGone.ACCOUNT_NOT_LINKED):
            raise
        return
    except BrokenResponse as fault:
        log.warning("connection %s: the devices could not be read: %s", connection.pk, fault.code)
        return
    with transaction.atomic():
        if asks_still(connection):
            store(connection, devices, now)
