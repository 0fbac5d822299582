"""Dexcom continuous glucose monitoring: the library's JSON, in the shape of Dexcom's API, as our metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ingestion.providers.wearipedia.wall import Day, number, stamp
from metrics.batch import Payload


def payload(raw: Mapping[str, Any], day: Day) -> Payload:
    """Payload of the day's glucose, each five minutes, in mg/dL; newest first in the source, and with days around it.

    `displayTime` is the participant's clock. Out-of-range readings have no value. Raises KeyError, ValueError.
    """
    if raw["unit"] != "mg/dL":
        raise ValueError(f"glucose comes in {raw['unit']}, not in mg/dL")
    today = day.on.isoformat()
    readings = day.each(raw["egvs"], lambda reading: (reading["displayTime"], number(reading["value"])))
    glucose = day.each(
        (reading for reading in readings if reading[0].startswith(today)),
        lambda reading: (stamp(reading[0]), reading[1]),
    )
    wall = np.array([at for at, _ in glucose], dtype=np.int64)
    return Payload(samples=day.samples("glucose", wall, (value for _, value in glucose), decimals=0))
