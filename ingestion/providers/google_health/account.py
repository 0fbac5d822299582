"""Account resources of Google Health: identity, settings, devices. Pure functions; raise BrokenResponse."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from ingestion.providers.base.errors import BrokenResponse
from ingestion.providers.base.live import AccountSettings, DeviceKind, DeviceState, Identity
from ingestion.providers.google_health.listing import (
    NOTHING,
    ListDecoder,
    Listed,
    decoded,
    named,
    refuse_whole,
    specified,
)
from ingestion.providers.google_health.times import NO_OFFSET, offset


class _Resource(Struct):
    error: Raw = NOTHING


class _Identity(_Resource):
    healthUserId: str = ""  # noqa: N815  Google's spelling, here and below
    legacyUserId: str = ""  # noqa: N815


class _Settings(_Resource):
    name: str = ""
    timeZone: str = ""  # noqa: N815
    utcOffset: str = ""  # noqa: N815


KINDS = {"TRACKER": DeviceKind.TRACKER, "WATCH": DeviceKind.WATCH, "SCALE": DeviceKind.SCALE}
# What only something on the body can do.
ON_THE_BODY = {"HEART_RATE", "SPO2"}
# Lengths of the columns these end up in.
MAX_ID, MAX_MODEL, MAX_STATUS = 120, 80, 20
# A phone that counts steps is listed as a tracker.
PHONE = "MobileTrack"


class _Device(Struct):
    name: str
    deviceType: str = ""  # noqa: N815
    deviceVersion: str = ""  # noqa: N815
    batteryStatus: str = ""  # noqa: N815
    batteryLevel: float | None = None  # noqa: N815
    lastSyncTime: Annotated[dt.datetime, Meta(tz=True)] | None = None  # noqa: N815
    features: list[str] = []


R = TypeVar("R", bound=_Resource)
_IDENTITY = msgspec.json.Decoder(_Identity)
_SETTINGS = msgspec.json.Decoder(_Settings)
_DEVICES = ListDecoder("pairedDevices", _Device)


def _resource(body: bytes, decoder: msgspec.json.Decoder[R]) -> R:
    resource = decoded(decoder, body)
    if resource.error:
        raise BrokenResponse("error_in_body")
    return resource


def identity(body: bytes) -> Identity:
    resource = _resource(body, _IDENTITY)
    if not resource.healthUserId:
        raise BrokenResponse("unexpected_shape")
    return Identity(resource.healthUserId, resource.legacyUserId or None)


def settings(body: bytes) -> AccountSettings:
    resource = _resource(body, _SETTINGS)
    if not (resource.name or resource.timeZone or resource.utcOffset):
        raise BrokenResponse("unexpected_shape")
    east = offset(resource.utcOffset)
    return AccountSettings(resource.timeZone or None, None if east == NO_OFFSET else east)


def devices(body: bytes) -> Listed[DeviceState]:
    """Devices of one page."""
    listed = _DEVICES.read(body)
    refuse_whole(len(listed.records), listed.unreadable)
    return Listed([_device(device) for device in listed.records], listed.token, listed.unreadable)


def _device(device: _Device) -> DeviceState:
    status = specified(device.batteryStatus)
    percent = device.batteryLevel if device.batteryLevel is not None and 0 <= device.batteryLevel <= 100 else None
    if percent is None and status == "Empty":
        percent = 0  # proto3 leaves zeros out
    return DeviceState(
        external_id=(named(device.name) or device.deviceVersion)[:MAX_ID],
        model=specified(device.deviceVersion)[:MAX_MODEL],
        kind=_kind(device),
        battery_percent=None if percent is None else round(percent),
        battery_status=status[:MAX_STATUS],
        last_sync_at=device.lastSyncTime,
    )


def _kind(device: _Device) -> DeviceKind:
    if device.deviceVersion == PHONE:
        return DeviceKind.OTHER
    if known := KINDS.get(device.deviceType):
        return known
    return DeviceKind.TRACKER if ON_THE_BODY & set(device.features) else DeviceKind.UNKNOWN
