"""Rows that a complete sync must have stored, from the ground truth: for tests and the comparison command.

Values are given in the vendor's unit and, as `value`, in the one of our metric; the table of conversions is this
module's own reading of the contract.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingestion.providers.google_health.simulator.accounts import Account
from ingestion.providers.google_health.simulator.errors import GoogleError
from ingestion.providers.google_health.simulator.filters import Window
from ingestion.providers.google_health.simulator.ground_truth import EVERY, GroundTruth, has_columns, reconciled
from ingestion.providers.google_health.simulator.records import Record
from ingestion.providers.google_health.simulator.types import TYPES, DataType, Kind
from metrics.batch import MICROSECOND, instant

# (type, field) -> (metric, what the vendor's number is divided by). Dividing gives the nearest double.
METRICS: dict[tuple[str, str], tuple[str, int]] = {
    ("heart-rate", "beatsPerMinute"): ("heart_rate", 1),
    ("steps", "count"): ("steps", 1),
    ("distance", "millimeters"): ("distance", 1000),
    ("active-zone-minutes", "activeZoneMinutes"): ("active_zone_minutes", 1),
    ("total-calories", "kcal"): ("energy", 1),
    ("oxygen-saturation", "percentage"): ("spo2", 1),
    ("heart-rate-variability", "rootMeanSquareOfSuccessiveDifferencesMilliseconds"): ("hrv_rmssd", 1),
    ("heart-rate-variability", "standardDeviationMilliseconds"): ("hrv_sdnn", 1),
    ("daily-resting-heart-rate", "beatsPerMinute"): ("resting_heart_rate", 1),
    ("daily-heart-rate-variability", "averageHeartRateVariabilityMilliseconds"): ("hrv_rmssd_24h", 1),
    ("daily-oxygen-saturation", "averagePercentage"): ("spo2_24h", 1),
    ("daily-respiratory-rate", "breathsPerMinute"): ("respiratory_rate", 1),
    ("daily-vo2-max", "vo2Max"): ("vo2_max", 1),
    ("weight", "weightGrams"): ("weight", 1000),
    ("body-fat", "percentage"): ("body_fat", 1),
}
# Lengths of what a number stands for; all others are of an instant or a day.
SECONDS = {
    "steps": 60,
    "distance": 60,
    "active-zone-minutes": 60,
    "total-calories": 60,
    "heart-rate-variability": 300,
}
DEVIATION = ("nightlyTemperatureCelsius", "baselineTemperatureCelsius")
STORED = [name for name in TYPES if any(name == known for known, _ in METRICS)] + [
    "daily-sleep-temperature-derivations"
]


def rows(
    ground_truth: GroundTruth, account: Account, type_id: str, low: int, high: int, family: frozenset[int] = EVERY
) -> list[dict[str, Any]]:
    """Rows, one entry a (field, source) with columns `time` (microseconds UTC), `vendor_value` and `value`.

    Daily values are dated at the first instant of their local day, by the device's clock, and carry `date` too.
    `seconds` is the length of what each number stands for, null for an instant or a day. Zeros of daily values are
    left out: they are not written by the vendor. Raises GoogleError for a type that no metric of ours comes from.
    """
    if type_id not in STORED:
        raise GoogleError(400, None, f"No metric comes from {type_id}.")
    data_type = TYPES[type_id]
    if not has_columns(data_type):
        return _of_records(ground_truth, account, data_type, low, high, family)
    points = ground_truth.columns(account, type_id, Window(low, high), sources=family)
    if points is None:
        return []
    if type_id == "total-calories":
        points = reconciled(points)
    return [
        _entry(account, type_id, name, int(number), points.time[of_source], values[of_source])
        for number in np.unique(points.source)
        for of_source in (points.source == number,)
        for name, values in points.values.items()
    ]


def _row(
    account: Account, type_id: str, name: str, source: int, time: NDArray[np.int64], values: NDArray[np.float64]
) -> dict[str, Any]:
    # A rollup does not say which devices it was made of.
    known = {} if type_id == "total-calories" else account.sources[source]
    return {
        "type": type_id,
        "field": name,
        "source": known,
        "seconds": SECONDS.get(type_id),
        "time": time,
        "vendor_value": values,
        "value": values,
    }


def _entry(
    account: Account, type_id: str, name: str, source: int, time: NDArray[np.int64], values: NDArray[np.float64]
) -> dict[str, Any]:
    metric, divisor = METRICS[type_id, name]
    return {**_row(account, type_id, name, source, time, values), "metric": metric, "value": values / divisor}


def _of_records(
    ground_truth: GroundTruth, account: Account, data_type: DataType, low: int, high: int, family: frozenset[int]
) -> list[dict[str, Any]]:
    daily = data_type.kind is Kind.DAILY
    margin = 86_400 * MICROSECOND if daily else 0
    made: dict[tuple[str, int], list[tuple[int, float]]] = {}
    dates: dict[int, str] = {}
    for record in ground_truth.records(account, data_type, Window(low - margin, high + margin), sources=family):
        at = account.day_starts(instant(record.at).date()) if daily else record.at
        if not low <= at < high:
            continue
        dates[at] = instant(record.at).date().isoformat()
        for name, value in _numbers(data_type, record).items():
            if value or name == DEVIATION[0]:
                made.setdefault((name, record.source), []).append((at, value))
    entries = []
    for (name, source), pairs in made.items():
        pairs.sort()
        time, values = np.array([at for at, _ in pairs]), np.array([value for _, value in pairs])
        if name == DEVIATION[0]:
            entry = _row(account, data_type.id, name, source, time, values)
            entry["metric"] = "skin_temperature_deviation"
        else:
            entry = _entry(account, data_type.id, name, source, time, values)
        entries.append({**entry, "date": [dates[int(at)] for at in time]} if daily else entry)
    return entries


def _numbers(data_type: DataType, record: Record) -> dict[str, float]:
    """Numbers of a record that become metrics; the temperature as its difference from the baseline."""
    if data_type.id == "daily-sleep-temperature-derivations":
        nightly, baseline = (record.values[name] for name in DEVIATION)
        return {DEVIATION[0]: nightly - baseline}
    return {name: value for name, value in record.values.items() if (data_type.id, name) in METRICS}


def nights(ground_truth: GroundTruth, account: Account, low: int, high: int) -> list[dict[str, Any]]:
    """Nights that end in [low, high), with their stages as (start in microseconds UTC, seconds, stage)."""
    listed = []
    for record in ground_truth.records(account, TYPES["sleep"], Window(low, high)):
        night = record.sleep
        if night is None:
            continue
        stages = [[int(stage.starts_at.timestamp()) * MICROSECOND, stage.seconds, stage.stage]
                  for stage in night.stages]  # fmt: skip
        listed.append(
            {
                "id": record.id,
                "starts_at": record.start,
                "ends_at": record.at,
                "processed": night.processed,
                "source": account.sources[record.source],
                "stages": stages,
            }
        )
    return listed


def arrow(entries: list[dict[str, Any]]) -> bytes:
    """Rows as one Arrow stream: metric, platform, device, time, seconds, value."""
    columns: dict[str, list[pa.Array]] = {name: [] for name in ("metric", "platform", "device")}
    numbers: dict[str, list[Any]] = {name: [] for name in ("time", "seconds", "value")}
    for entry in entries:
        count = len(entry["time"])
        source = entry["source"]
        texts = (entry["metric"], source.get("platform", ""), source.get("device", {}).get("displayName", ""))
        for name, text in zip(columns, texts, strict=True):
            columns[name].append(pa.repeat(text, count))
        numbers["time"].append(pa.array(entry["time"], pa.int64()))
        numbers["seconds"].append(pa.repeat(pa.scalar(entry["seconds"], pa.int32()), count))
        numbers["value"].append(pa.array(entry["value"], pa.float64()))
    types = {"time": pa.int64(), "seconds": pa.int32(), "value": pa.float64()}
    table = pa.table(
        {
            **{name: pa.chunked_array(parts, pa.string()) for name, parts in columns.items()},
            **{name: pa.chunked_array(parts, types[name]) for name, parts in numbers.items()},
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
