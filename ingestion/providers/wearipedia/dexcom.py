"""Dexcom continuous glucose monitoring: the library's JSON, in the shape of Dexcom's API, as our metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingestion.providers.wearipedia.wall import Day, stamps
from metrics.batch import Delivery


def delivery(raw: Mapping[str, Any], day: Day) -> Delivery:
    """The day's glucose, each five minutes, in mg/dL; newest first in the source, and with days around it.

    `displayTime` is the wearer's clock. Out-of-range readings have no value. Raises KeyError, ValueError.
    """
    if raw["unit"] != "mg/dL":
        raise ValueError(f"glucose comes in {raw['unit']}, not in mg/dL")
    today = day.on.isoformat()
    readings = [reading for reading in raw["egvs"] if reading["displayTime"].startswith(today)]
    wall = stamps([reading["displayTime"] for reading in readings])
    return Delivery(samples=day.samples("glucose", wall, (reading["value"] for reading in readings), decimals=0))
