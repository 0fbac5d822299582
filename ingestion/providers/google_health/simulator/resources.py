"""Resources of an account: identity, profile, settings and paired devices."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ingestion.providers.google_health.simulator.accounts import LOCALES, Account
from ingestion.providers.google_health.simulator.errors import GoogleError, invalid
from ingestion.providers.google_health.simulator.ground_truth import GroundTruth
from ingestion.providers.google_health.simulator.records import date_object, stamp
from ingestion.providers.google_health.simulator.types import SCOPES
from ingestion.providers.synthetic import battery, calendar
from metrics.batch import instant

_SCOPE = {"profile": "P", "settings": "T", "pairedDevices": "T"}


def resource(
    ground_truth: GroundTruth,
    account: Account,
    scopes: frozenset[str],
    name: str,
    device: str | None,
    query: dict[str, str],
) -> dict[str, Any]:
    """Resource of the user. Raises GoogleError where the scope is missing or there is no such device."""
    letter = _SCOPE.get(name)
    if letter and SCOPES[letter] not in scopes:
        raise GoogleError(403, "MISSING_OAUTH_SCOPE", "Request had insufficient authentication scopes.")
    if device and name != "pairedDevices":
        raise GoogleError(404, None, "Requested entity was not found.")
    if name == "identity":
        return {"name": "users/me/identity", "healthUserId": account.health_id, "legacyUserId": account.legacy_id}
    if name == "profile":
        return _profile(account)
    if name == "settings":
        return _settings(ground_truth, account)
    return _devices(ground_truth, account, device, query)


def _profile(account: Account) -> dict[str, Any]:
    stride = round(account.profile.stride_m * 1000)
    return {
        "name": "users/me/profile",
        "age": 48 + account.number % 35,
        "membershipStartDate": date_object(account.profile.starts_on - dt.timedelta(days=30)),
        "autoWalkingStrideLengthMm": stride,
        "autoRunningStrideLengthMm": round(stride * 1.4),
    }


def _settings(ground_truth: GroundTruth, account: Account) -> dict[str, Any]:
    now = ground_truth.state.now()
    zone = calendar.zone_at(account.profile, now).key
    american = account.profile.zone.key.startswith("America/")
    return {
        "name": "users/me/settings",
        "timeZone": zone,
        "utcOffset": f"{account.offset_seconds(instant(now))}s",
        "languageLocale": LOCALES[account.profile.zone.key],
        "distanceUnit": "DISTANCE_UNIT_MILES" if american else "DISTANCE_UNIT_KILOMETERS",
        "weightUnit": "WEIGHT_UNIT_POUNDS" if american else "WEIGHT_UNIT_KILOGRAMS",
        "temperatureUnit": "TEMPERATURE_UNIT_FAHRENHEIT" if american else "TEMPERATURE_UNIT_CELSIUS",
    }


def _devices(ground_truth: GroundTruth, account: Account, device: str | None, query: dict[str, str]) -> dict[str, Any]:
    devices = [_tracker(ground_truth, account)]
    if account.has_scale:
        devices.append({**_base(ground_truth, account, "2"), "deviceType": "SCALE", "deviceVersion": "Aria Air"})
    if device:
        for resource in devices:
            if resource["name"].endswith(f"/{device}"):
                return resource
        raise GoogleError(404, "RESOURCE_NOT_FOUND", "Requested entity was not found.")
    text, token = query.get("pageSize") or "5", query.get("pageToken") or "0"
    if not text.isdecimal():
        raise invalid("INVALID_PAGE_SIZE", f"Invalid page size: {text}")
    if not token.isdecimal():
        raise invalid("INVALID_PAGE_TOKEN", "Invalid page token.")
    first, last = int(token), int(token) + min(int(text) or 5, 100)
    content: dict[str, Any] = {"pairedDevices": devices[first:last]} if devices[first:last] else {}
    return content | ({"nextPageToken": str(last)} if last < len(devices) else {})


def _base(ground_truth: GroundTruth, account: Account, identity: str) -> dict[str, Any]:
    uploaded = ground_truth.uploaded_until(account)
    synced = {"lastSyncTime": stamp(uploaded)} if uploaded else {}
    return {"name": f"users/{account.health_id}/pairedDevices/{account.number}{identity}", **synced}


def _tracker(ground_truth: GroundTruth, account: Account) -> dict[str, Any]:
    level = battery.percent(account.profile, instant(ground_truth.uploaded_until(account)))
    return {
        **_base(ground_truth, account, "1"),
        "deviceType": "TRACKER",
        "deviceVersion": account.profile.model.name,
        "batteryStatus": battery.charge_status(level),
        "batteryLevel": level,
        "macAddress": f"00AA{account.number:08X}",
        "features": ["HEART_RATE", "SPO2"],
    }
