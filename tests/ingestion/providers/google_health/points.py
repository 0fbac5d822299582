"""Google's points as it writes them; times and values are invented."""

from __future__ import annotations

import json
from typing import Any

from ingestion.providers.base.live import Pulled
from ingestion.providers.google_health.assembly import assemble
from ingestion.providers.google_health.data_types import DATA_TYPES
from ingestion.providers.google_health.decode import Origin, page
from metrics.local_time import LocalCalendar

ORIGIN = Origin("google_health")
CHARGE = {"recordingMethod": "PASSIVELY_MEASURED", "device": {"displayName": "Charge 6"}, "platform": "FITBIT"}
PHONE = {"recordingMethod": "PASSIVELY_MEASURED", "device": {"displayName": "MobileTrack"}, "platform": "FITBIT"}
DAY = {"year": 2026, "month": 11, "day": 20}


def heart_rate(at: str, rate: str = "71", source: dict[str, Any] = CHARGE, offset: str = "3600s") -> dict[str, Any]:
    """`at`: a time of 2026-11-20 such as "13:05:12", or a whole RFC 3339 time."""
    time = at if "T" in at else f"2026-11-20T{at}Z"
    return {
        "dataSource": source,
        "heartRate": {"beatsPerMinute": rate, "sampleTime": {"physicalTime": time, "utcOffset": offset}},
    }


def interval(payload: str, start: str, end: str, **members: Any) -> dict[str, Any]:
    times = {
        "startTime": f"2026-11-20T{start}Z",
        "startUtcOffset": "3600s",
        "endTime": f"2026-11-20T{end}Z",
        "endUtcOffset": "3600s",
        "civilStartTime": {"date": DAY, "time": {"hours": 14, "minutes": 5}},
    }
    return {"dataSource": CHARGE, payload: members | {"interval": times}}


def sample(payload: str, at: str, **members: Any) -> dict[str, Any]:
    time = {"physicalTime": f"2026-11-20T{at}Z", "utcOffset": "3600s"}
    return {"dataSource": CHARGE, payload: members | {"sampleTime": time}}


def daily(payload: str, **members: Any) -> dict[str, Any]:
    return {"dataSource": {}, payload: members | {"date": DAY}}


def body(*points: dict[str, Any], token: str = "", key: str = "dataPoints") -> bytes:
    answer: dict[str, Any] = {key: list(points)} if points else {}
    return json.dumps(answer | ({"nextPageToken": token} if token else {})).encode()


def assembled(data_type: str, calendar: LocalCalendar, *points: dict[str, Any]) -> Pulled:
    """A page of these points, decoded and put together."""
    wanted = DATA_TYPES[data_type]
    return assemble(wanted, [page(wanted, body(*points), ORIGIN)], calendar)
