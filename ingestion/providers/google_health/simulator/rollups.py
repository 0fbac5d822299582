"""Rollups: rollUp (windows of physical time) and dailyRollUp (windows of civil days), over the reconciled stream."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ingestion.providers.google_health.simulator.accounts import Account
from ingestion.providers.google_health.simulator.columns import Columns
from ingestion.providers.google_health.simulator.errors import GoogleError, invalid
from ingestion.providers.google_health.simulator.filters import Window
from ingestion.providers.google_health.simulator.ground_truth import GroundTruth, has_columns, reconciled
from ingestion.providers.google_health.simulator.records import civil_object, stamp
from ingestion.providers.google_health.simulator.types import SHORT_ROLLUPS, DataType
from metrics.batch import MICROSECOND, microseconds

DAY = 86_400 * MICROSECOND
Points = list[dict[str, Any]]
# Returns the width of the range in hours and the points, newest first.
Rollup = Callable[[GroundTruth, Account, DataType, dict[str, Any], frozenset[int]], tuple[float, Points]]


def _too_long(data_type: DataType) -> GoogleError:
    days = str(data_type.rollup_days)
    return invalid("INVALID_ROLLUP_QUERY_DURATION", f"The range may span {days} days at most.", maxDurationDays=days)


def _physical_time(value: Any) -> int:
    if not isinstance(value, str) or not re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", value
    ):
        raise invalid("INVALID_TIME_RANGE_INTERVAL_FORMAT", f"Invalid time: {value}")
    return microseconds(dt.datetime.fromisoformat(value))


def physical(
    ground_truth: GroundTruth, account: Account, data_type: DataType, body: dict[str, Any], sources: frozenset[int]
) -> tuple[float, Points]:
    """Points of rollUp. Windows are counted from the start of the range; the last one is cut at its end."""
    span = body.get("range")
    if not isinstance(span, dict):
        raise invalid("INVALID_TIME_RANGE", "range is required.")
    low, high = _physical_time(span.get("startTime")), _physical_time(span.get("endTime"))
    if low >= high:
        raise invalid("INVALID_TIME_RANGE", "The range is empty.")
    size_match = re.fullmatch(r"(\d+(?:\.\d+)?)s", str(body.get("windowSize", "")))
    if size_match is None or float(size_match[1]) < 1:
        raise invalid("INVALID_ROLLUP_WINDOW", "windowSize must be a second or more.")
    width = int(float(size_match[1]) * MICROSECOND)
    cap = data_type.rollup_days * DAY
    # An unset page size counts as the default one for the heavy types, and is checked like one that was sent.
    size = body.get("pageSize") or (1440 if data_type.id in SHORT_ROLLUPS and width * 1440 > cap else 0)
    if high - low > cap or (size and width * int(size) > max(cap, width)):
        raise _too_long(data_type)
    points = _grouped(ground_truth, account, data_type, Window(low, high), sources, (low, width))
    return (high - low) / 3_600_000_000, [
        {"startTime": stamp(low + place * width), "endTime": stamp(min(high, low + (place + 1) * width)), **value}
        for place, value in points
    ]


def _civil_time(edge: str, value: Any) -> int:
    if not isinstance(value, dict):
        raise invalid("INVALID_CIVIL_DATE_TIME", f"range.{edge} is required.")
    if unknown := set(value) - {"date", "time"}:
        name = sorted(unknown, reverse=True)[0]
        raise invalid(
            None,
            f"Invalid JSON payload received. Unknown name \"{name}\" at 'range.{edge}': Cannot find field.",
        )
    try:
        date, time = value["date"], value.get("time") or {}
        moment = dt.datetime(
            date["year"],
            date["month"],
            date["day"],
            time.get("hours", 0),
            time.get("minutes", 0),
            time.get("seconds", 0),
            tzinfo=dt.UTC,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise invalid("INVALID_CIVIL_DATE_TIME", f"Invalid civil time in range.{edge}.") from error
    return microseconds(moment)


def daily(
    ground_truth: GroundTruth, account: Account, data_type: DataType, body: dict[str, Any], sources: frozenset[int]
) -> tuple[float, Points]:
    """Points of dailyRollUp: windows of whole civil days from the start of the range."""
    span = body.get("range")
    if not isinstance(span, dict):
        raise invalid("INVALID_TIME_RANGE", "range is required.")
    low, high = (_civil_time(edge, span.get(edge)) for edge in ("start", "end"))
    if low >= high:
        raise invalid("INVALID_TIME_RANGE", "The range is empty.")
    days = body.get("windowSizeDays") or 1
    size = body.get("pageSize")
    if not isinstance(days, int) or days < 1:
        raise invalid("INVALID_ROLLUP_WINDOW", "windowSizeDays must be a day or more.")
    windows = -(-(high - low) // (days * DAY))
    cap = data_type.rollup_days
    if high - low > cap * DAY or (size and (days * int(size) > cap or int(size) < windows)):
        raise _too_long(data_type)
    width = days * DAY
    points = _grouped(ground_truth, account, data_type, Window(low, high, civil=True), sources, (low, width))
    return (high - low) / 3_600_000_000, [
        {
            "civilStartTime": civil_object(low + place * width),
            "civilEndTime": civil_object(min(high, low + (place + 1) * width)),
            **value,
        }
        for place, value in points
    ]


def _grouped(
    ground_truth: GroundTruth,
    account: Account,
    data_type: DataType,
    span: Window,
    sources: frozenset[int],
    grid: tuple[int, int],
) -> list[tuple[int, dict[str, Any]]]:
    """Values by window, (number of the window, its value), newest first; windows without data are left out."""
    start, width = grid
    if has_columns(data_type):
        columns = ground_truth.columns(account, data_type.id, span, sources=sources)
        if columns is None:
            return []
        points = reconciled(columns)
        time = points.time + points.offset * MICROSECOND * span.civil
        place = (time - start) // width
        edges = np.concatenate([[0], np.flatnonzero(np.diff(place)) + 1, [len(place)]])
        windows = [
            (int(place[a]), {data_type.key: _value(data_type, points.take(slice(a, b)))})
            for a, b in itertools.pairwise(edges.tolist())
        ]
        return windows[::-1]
    groups: dict[int, list[float]] = {}
    for record in ground_truth.records(account, data_type, span, sources=sources):
        at = record.at + record.offset * MICROSECOND * span.civil
        groups.setdefault((at - start) // width, []).append(next(iter(record.values.values())))
    name = {"weight": "weightGramsAvg", "body-fat": "bodyFatPercentageAvg"}.get(data_type.id, "")
    return [(place, {data_type.key: {name: sum(v) / len(v)}}) for place, v in sorted(groups.items(), reverse=True)]


def _value(data_type: DataType, points: Columns) -> dict[str, Any]:
    values = next(iter(points.values.values()))
    if data_type.id == "heart-rate":
        low, mean, high = float(values.min()), float(values.mean()), float(values.max())
        return {"beatsPerMinuteAvg": mean, "beatsPerMinuteMax": high, "beatsPerMinuteMin": low}
    if data_type.id == "total-calories":
        return {"kcalSum": round(float(values.sum()), 6)}
    if data_type.id == "active-zone-minutes" and points.zone is not None:
        names = ("sumInFatBurnHeartZone", "sumInCardioHeartZone", "sumInPeakHeartZone")
        sums = [int(values[points.zone == zone].sum()) for zone in (1, 2, 3)]
        return {name: str(total) for name, total in zip(names, sums, strict=True) if total}
    total = int(values.sum())
    name = {"steps": "countSum", "distance": "millimetersSum"}[data_type.id]
    return {name: str(total)} if total else {}
