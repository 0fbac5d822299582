"""Participant-days for FHIR: how long the device was worn, and which expected values a day lacks, and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import orjson

from metrics.batch import microseconds
from metrics.exchange.fhir import ABSENT, UCUM, about
from metrics.exchange.mappings import ACTIVITY, CATEGORIES, codings
from metrics.exchange.series import day_ends, identity, ids, stamps
from metrics.local_time import LocalCalendar
from metrics.models import DayStatus, ParticipantDay
from metrics.registry import BY_CODE, LOCAL, Kind

WORN = {"system": LOCAL, "code": "worn-minutes"}
# Why there is no value, by the day's status: it may still come; it never will.
REASONS = {DayStatus.PENDING: "temp-unknown", DayStatus.LOST: "unknown"}


def fhir_days(trial: str, study_id: str, days: Iterable[ParticipantDay], calendar: LocalCalendar) -> Iterator[bytes]:
    """An Observation of the worn minutes of each monitored day, and one of each expected daily value that is missing.

    A day of which nothing is known has a dataAbsentReason, never a zero. Days that do not count are left out: there
    is nothing that they lack.
    """
    made = ids("Observation/" + identity(trial, study_id, "day"))
    for day in days:
        if day.status == DayStatus.EXCLUDED:
            continue
        when = _period(day.date, calendar)
        known = day.worn_minutes > 0 or day.last_sample_at is not None
        value = _minutes(day.worn_minutes) if known else _absent(day)
        fields = about(trial, study_id, ACTIVITY, [WORN], "Worn minutes")
        yield _line(made(f"{day.date}/worn-minutes"), {**fields, **when, **value})
        for code in _missing(day):
            metric = BY_CODE[code]
            fields = about(trial, study_id, CATEGORIES[code], codings(metric), metric.name)
            yield _line(made(f"{day.date}/{code}"), {**fields, **when, **_absent(day)})


def _missing(day: ParticipantDay) -> list[str]:
    """Codes of the expected daily metrics that the day has no value of."""
    return [code for code, n in day.coverage.items() if not n and code in BY_CODE and BY_CODE[code].kind is Kind.DAILY]


def _absent(day: ParticipantDay) -> dict[str, Any]:
    code = REASONS.get(DayStatus(day.status), "unknown")
    return {"dataAbsentReason": {"coding": [{"system": ABSENT, "code": code}]}}


def _minutes(minutes: int) -> dict[str, Any]:
    return {"valueQuantity": {"value": minutes, "unit": "min", "system": UCUM, "code": "min"}}


def _period(date: dt.date, calendar: LocalCalendar) -> dict[str, Any]:
    start = np.asarray([microseconds(calendar.midnight(date))], dtype=np.int64)
    (begins,), (ends,) = stamps(start, calendar), stamps(day_ends(start, calendar), calendar)
    return {"effectivePeriod": {"start": begins, "end": ends}}


def _line(made: str, fields: dict[str, Any]) -> bytes:
    return orjson.dumps({"resourceType": "Observation", "id": made, **fields}, option=orjson.OPT_APPEND_NEWLINE)
