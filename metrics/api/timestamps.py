"""Instants as texts, a column at a time: in UTC (`...Z`) or on a participant's wall clock with its offset."""

from __future__ import annotations

import zoneinfo
from typing import Any, Literal

import numpy as np

from metrics.batch import MICROSECOND, Times
from metrics.local_time import LocalCalendar


def utc(time: Times) -> Any:
    """Microseconds UTC as datetimes, which orjson writes as RFC 3339."""
    return np.ascontiguousarray(time).view("datetime64[us]")


def texts(time: Times, zone: zoneinfo.ZoneInfo | None) -> list[str]:
    """RFC 3339, with fractions where a column has any; `zone` None: UTC."""
    unit: Literal["us", "s"] = "us" if np.any(time % MICROSECOND) else "s"
    if zone is None:
        return [f"{text}Z" for text in np.datetime_as_string(utc(time), unit=unit)]
    offsets = LocalCalendar(zone).offsets(time)
    walls = np.datetime_as_string(utc(time + offsets * MICROSECOND), unit=unit)
    named = {offset: _offset(offset) for offset in np.unique(offsets).tolist()}
    return [f"{wall}{named[offset]}" for wall, offset in zip(walls.tolist(), offsets.tolist(), strict=True)]


def dates(time: Times, zone: zoneinfo.ZoneInfo) -> list[str]:
    """Local dates of instants."""
    days: list[str] = np.datetime_as_string(LocalCalendar(zone).dates(time).view("datetime64[D]")).tolist()
    return days


def _offset(seconds: int) -> str:
    sign, minutes = "-" if seconds < 0 else "+", abs(seconds) // 60
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
