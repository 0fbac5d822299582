"""Series to convert, and readers of the exchange formats."""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from fhir.resources import get_fhir_model_class
from jsonschema import Draft7Validator, FormatChecker, ValidationError  # type: ignore[import-untyped]
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from metrics.batch import MICROSECOND, SourceKey
from metrics.exchange.series import Series
from metrics.local_time import LocalCalendar
from metrics.registry import BY_CODE, Kind
from tests.paths import SHARED

AMSTERDAM = LocalCalendar(zoneinfo.ZoneInfo("Europe/Amsterdam"))
TRACKER = SourceKey("google_health", "fitbit", "Charge 6")
MADE_UP = SourceKey("synthetic", "", "Charge 6", True)
SCHEMAS = SHARED / "reference" / "openmhealth-schemas" / "schema" / "omh"
SPRING = int(dt.datetime(2026, 3, 28, 23, tzinfo=dt.UTC).timestamp()) * MICROSECOND  # the day with 23 hours begins
NOON = int(dt.datetime(2026, 5, 4, 10, tzinfo=dt.UTC).timestamp()) * MICROSECOND


def series(code: str, time: Iterable[int], value: Iterable[float], seconds: int | None = None, **others: Any) -> Series:
    """A participant's samples, by default on a summer day in Amsterdam from a tracker."""
    metric = BY_CODE[code]
    times = np.asarray(list(time), dtype=np.int64)
    if seconds is None:
        seconds = 60 if metric.kind is Kind.INTERVAL else -1
    given: dict[str, Any] = {"trial": "KNEE", "study_id": "P-001", "source": TRACKER, "calendar": AMSTERDAM, **others}
    return Series(
        metric=metric,
        time=times,
        value=np.asarray(list(value), dtype=np.float64),
        seconds=np.full(len(times), seconds, dtype=np.int32),
        **given,
    )


def read(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    """The lines, which come in pieces of one or more, as objects."""
    pieces = list(lines)
    assert all(piece.endswith(b"\n") for piece in pieces)
    return [json.loads(line) for line in b"".join(pieces).split(b"\n")[:-1]]


def fhir(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    """The lines as resources that fhir.resources (R5) has taken."""
    found = read(lines)
    for resource in found:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    return found


def omh(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    """The lines as data points that Open mHealth's schemas have taken, header and body."""
    if not SCHEMAS.is_dir():
        pytest.skip(f"Open mHealth's schemas are not at {SCHEMAS}")
    found = read(lines)
    for point in found:
        _validator("data-point-1.0").validate(point)
        name = point["header"]["schema_id"]
        _validator(f"{name['name']}-{name['version']}").validate(point["body"])
    return found


def _validator(name: str) -> Draft7Validator:
    return Draft7Validator({"$ref": f"{name}.json"}, registry=REGISTRY, format_checker=FormatChecker())


def _schema(uri: str) -> Resource[Any]:
    text = (SCHEMAS / uri.rsplit("/", 1)[-1]).read_text()
    if not text.lstrip().startswith("{"):  # `heart-rate-2.x.json` holds the name of the newest of them
        text = (SCHEMAS / text.strip()).read_text()
    contents = json.loads(text)
    contents.pop("$schema", None)  # drafts 4 and 7 refer to one another: what they use means the same in both
    contents.pop("$id", None)
    return DRAFT7.create_resource(contents)


REGISTRY: Any = Registry(retrieve=_schema)  # type: ignore[call-arg]

__all__ = [
    "AMSTERDAM",
    "MADE_UP",
    "NOON",
    "SPRING",
    "TRACKER",
    "ValidationError",
    "fhir",
    "omh",
    "read",
    "series",
]
