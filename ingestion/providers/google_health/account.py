"""What an account says of itself: who it is, its clock, its devices. Pure functions; raise BrokenAnswer."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from ingestion.providers.base import AccountSettings, BrokenAnswer, DeviceKind, DeviceState, Identity
from ingestion.providers.google_health.decode import NOTHING, decoded, duration, list_decoder, listing, specified


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
# A phone that counts steps is listed as a tracker.
PHONE = "MobileTrack"


class _Device(Struct):
    name: str
    deviceType: str = ""  # noqa: N815
    deviceVersion: str = ""  # noqa: N815
    batteryStatus: str = ""  # noqa: N815
    batteryLevel: int | None = None  # noqa: N815
    lastSyncTime: Annotated[dt.datetime, Meta(tz=True)] | None = None  # noqa: N815
    features: list[str] = []


R = TypeVar("R", bound=_Resource)
_IDENTITY = msgspec.json.Decoder(_Identity)
_SETTINGS = msgspec.json.Decoder(_Settings)
_DEVICES = list_decoder("pairedDevices", _Device)


def _resource(body: bytes, decoder: msgspec.json.Decoder[R]) -> R:
    found = decoded(decoder, body)
    if found.error:
        raise BrokenAnswer("error_in_body")
    return found


def identity(body: bytes) -> Identity:
    found = _resource(body, _IDENTITY)
    if not found.healthUserId:
        raise BrokenAnswer("unexpected_shape")
    return Identity(found.healthUserId, found.legacyUserId or None)


def settings(body: bytes) -> AccountSettings:
    found = _resource(body, _SETTINGS)
    if not (found.name or found.timeZone or found.utcOffset):
        raise BrokenAnswer("unexpected_shape")
    return AccountSettings(found.timeZone or None, duration(found.utcOffset) if found.utcOffset else None)


def devices(body: bytes) -> tuple[list[DeviceState], str]:
    """The devices of one page, and the token of the next or ""."""
    found, token = listing(body, _DEVICES, "pairedDevices")
    return [_device(one) for one in found], token


def _device(told: _Device) -> DeviceState:
    percent, status = told.batteryLevel, specified(told.batteryStatus)
    if percent is None and status == "Empty":
        percent = 0  # proto3 leaves zeros out
    return DeviceState(
        external_id=told.name.rpartition("/")[2],
        model=specified(told.deviceVersion),
        kind=_kind(told),
        battery_percent=percent,
        battery_status=status,
        last_sync_at=told.lastSyncTime,
    )


def _kind(told: _Device) -> DeviceKind:
    if told.deviceVersion == PHONE:
        return DeviceKind.OTHER
    if known := KINDS.get(told.deviceType):
        return known
    return DeviceKind.TRACKER if ON_THE_BODY & set(told.features) else DeviceKind.UNKNOWN
