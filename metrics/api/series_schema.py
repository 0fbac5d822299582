"""OpenAPI schema of series: each parameter, the columns, examples."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_serializer
from rest_framework import serializers

from metrics.api.series_parameters import (
    DEFAULT_POINTS,
    DEFAULT_ROWS,
    FORMATS,
    MISSING,
    MOST_POINTS,
    MOST_ROWS,
    STATISTICS,
    TIMES,
)
from metrics.reading.bucket_width import RESOLUTIONS
from metrics.registry import METRICS

CODES = [metric.code for metric in METRICS]


class SeriesSource(serializers.Serializer[Any]):
    """A provider, a platform and a device model."""

    id = serializers.IntegerField()
    provider = serializers.CharField()
    platform = serializers.CharField()
    device_model = serializers.CharField()
    synthetic = serializers.BooleanField()


class SeriesReadFrom(serializers.Serializer[Any]):
    """A source and from when on it was read."""

    date = serializers.DateField(help_text="The participant's local date.")
    time = serializers.DateTimeField(help_text="Its first instant in the span.")
    source = SeriesSource()  # type: ignore[assignment]  # a field of that name, not the field's own attribute


def _values(help_text: str) -> serializers.ListField:
    return serializers.ListField(child=serializers.FloatField(allow_null=True), required=False, help_text=help_text)


class SeriesColumns(serializers.Serializer[Any]):
    """One participant's one metric. All arrays are of one length; a bucket without data is null in each statistic."""

    participant = serializers.CharField(help_text="Study id.")
    metric = serializers.ChoiceField(CODES)
    unit = serializers.CharField(help_text="UCUM.")
    aggregate = serializers.ChoiceField(
        ["mean", "sum"], help_text="What sums the metric up: the mean of heart rates, the sum of steps."
    )
    time_zone = serializers.CharField(help_text="The participant's.")
    width_seconds = serializers.IntegerField(
        help_text="Of a bucket; 0: every sample; 86400: local days, of 23 to 25 hours where clocks change."
    )
    source = SeriesSource(  # type: ignore[assignment]  # a field of that name, not the field's own attribute
        allow_null=True, help_text="The one that was read, of several the last; null without data."
    )
    sources = SeriesReadFrom(
        many=True,
        help_text="Those that were read, ascending: of each local day the one that the protocol in force on it "
        "prefers, else the one that covers most of it. Several where it changes in the span, as after a device was "
        "replaced.",
    )
    other_sources = SeriesSource(
        many=True,
        help_text="They have data of the span too, and count on none of its days. Sources are never added up.",
    )
    time = serializers.ListField(
        child=serializers.DateTimeField(), help_text="First instants of the buckets, or instants of the samples."
    )
    date = serializers.ListField(
        child=serializers.DateField(), required=False, help_text="Local dates of day buckets, of several the first."
    )
    mean = _values("Mean of the samples.")
    sum = _values("Sum of the samples.")
    min = _values("Lowest sample.")
    max = _values("Highest sample.")
    count = serializers.ListField(
        child=serializers.IntegerField(allow_null=True), required=False, help_text="Number of samples."
    )
    value = serializers.ListField(child=serializers.FloatField(), required=False, help_text="Raw samples alone.")
    seconds = serializers.ListField(
        child=serializers.IntegerField(allow_null=True),
        required=False,
        help_text="Raw samples alone: how long an interval is; null for a value of an instant.",
    )
    plausible = serializers.ListField(
        child=serializers.BooleanField(),
        required=False,
        help_text="Raw samples alone: false where the value lies outside its metric's plausible range (see "
        "`/api/v1/metrics`). Such values count in no bucket.",
    )


@extend_schema_serializer(component_name="SeriesAnswer")
class SeriesResponse(serializers.Serializer[Any]):
    """Series, by participant and metric."""

    trial = serializers.CharField()
    start = serializers.DateTimeField(allow_null=True, help_text="Of the participant whose span begins first.")
    end = serializers.DateTimeField(allow_null=True, help_text="Of the participant whose span ends last; excluded.")
    samples_removed_before = serializers.DateTimeField(
        required=False, help_text="Before this the trial has deleted its samples: hours and coarser buckets are there."
    )
    resolution = serializers.ChoiceField(list(RESOLUTIONS))
    time = serializers.ChoiceField(list(TIMES))
    statistics = serializers.ListField(child=serializers.ChoiceField(STATISTICS), required=False)
    rows = serializers.IntegerField(required=False, help_text="Raw samples alone: how many this page holds.")
    next = serializers.CharField(
        required=False,
        allow_null=True,
        help_text="Raw samples alone: cursor of the next page; null after the last.",
    )
    series = SeriesColumns(many=True)


def _query(name: str, description: str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(
        name, more.pop("type", OpenApiTypes.STR), OpenApiParameter.QUERY, description=description, **more
    )


def _list(name: str, description: str, **more: Any) -> OpenApiParameter:
    kind = {"type": "array", "items": {"type": "string", **more.pop("items", {})}}
    return OpenApiParameter(
        name, kind, OpenApiParameter.QUERY, description=description, style="form", explode=False, **more
    )


def _number(name: str, description: str, low: int, high: int, default: int | None = None) -> OpenApiParameter:
    kind = {"type": "integer", "minimum": low, "maximum": high} | ({"default": default} if default else {})
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=description)


_EDGE = "A local date of each participant (`2026-05-04`), or an instant with its offset (`2026-05-04T08:00:00Z`)."
PARAMETERS = [
    _query("trial", "Code of the trial.", required=True),
    _list("participants", "Study ids, with commas or repeated. `all`, or none: all that you may see."),
    _list("metrics", "Codes of metrics, or `all`.", required=True, items={"enum": [*CODES, "all"]}),
    _query("start", _EDGE, required=True),
    _query("end", f"{_EDGE} A date includes that day; an instant is excluded.", required=True),
    _query(
        "resolution",
        "`auto`: the finest that fits `max_points`, from the coarsest table that has it. Buckets that the span "
        "touches come whole. `raw`: every sample.",
        enum=RESOLUTIONS,
        default="auto",
    ),
    _number("max_points", "With `auto`: at most so many buckets a series.", 2, MOST_POINTS, DEFAULT_POINTS),
    _query("time", "Times in UTC, or on each participant's wall clock with its offset.", enum=TIMES, default="utc"),
    _list("statistics", "Of buckets; all, if none is named.", items={"enum": STATISTICS}),
    _query(
        "missing",
        "Buckets without data: `null` on a regular grid, or left out (`omit`). They are never zero.",
        enum=MISSING,
        default="null",
    ),
    _number("source", "Read this source (see `/api/v1/sources`) on all days, whichever counts.", 1, 32_767),
    _number("limit", "With `raw`, in JSON: samples a page.", 1, MOST_ROWS, DEFAULT_ROWS),
    _query("cursor", "With `raw`, in JSON: `next` of the page before; all else unchanged."),
    _query(
        "format",
        "`csv` and `ndjson` come whole, as a stream of rows. The same by `Accept: text/csv` or `application/x-ndjson`.",
        enum=FORMATS,
        default="json",
    ),
]
_SOURCE = {"id": 3, "provider": "vendor", "platform": "", "device_model": "Charge 6", "synthetic": False}
_FACTS = {
    "participant": "AX-001",
    "metric": "heart_rate",
    "unit": "/min",
    "aggregate": "mean",
    "time_zone": "Europe/Amsterdam",
    "source": _SOURCE,
    "sources": [{"date": "2026-05-04", "time": "2026-05-04T10:00:00Z", "source": _SOURCE}],
    "other_sources": [],
}
_HOURS = {
    "trial": "AX",
    "start": "2026-05-04T10:00:00Z",
    "end": "2026-05-04T13:00:00Z",
    "resolution": "1h",
    "time": "local",
    "statistics": ["mean", "count"],
    "series": [
        _FACTS
        | {
            "width_seconds": 3600,
            "time": ["2026-05-04T12:00:00+02:00", "2026-05-04T13:00:00+02:00", "2026-05-04T14:00:00+02:00"],
            "mean": [71.4, None, 66.9],
            "count": [702, None, 615],
        }
    ],
}
_PAGE = {
    "trial": "AX",
    "start": "2026-05-03T22:00:00Z",
    "end": "2026-05-04T22:00:00Z",
    "resolution": "raw",
    "time": "utc",
    "rows": 2,
    "next": "Jk3s0WbC...",
    "series": [
        _FACTS
        | {
            "width_seconds": 0,
            "time": ["2026-05-04T10:00:01Z", "2026-05-04T10:00:06Z"],
            "value": [64.0, 65.0],
            "seconds": [None, None],
            "plausible": [True, True],
        }
    ],
}
_ROWS = (
    '{"participant":"AX-001","metric":"steps","source":3,"time":"2026-05-04T10:00:00Z","value":9.0,"seconds":60,'
    '"plausible":true}'
)

series_schema = extend_schema(
    operation_id="series",
    tags=["series"],
    summary="Series of participants and metrics",
    description=(
        "One or many participants and metrics in one request, as columns. Missing stays missing: a bucket without data "
        "is null or left out, never zero. Values outside their metric's plausible range count in no bucket; `raw` has "
        "them, marked. Of several sources one is read of each local day, by the order of the "
        "protocol in force on it: never a sum. What lies outside the participant's collection interval is not shown."
    ),
    parameters=PARAMETERS,
    responses={
        (200, "application/json"): SeriesResponse,
        (200, "application/x-ndjson"): OpenApiTypes.STR,
        (200, "text/csv"): OpenApiTypes.STR,
    },
    examples=[
        OpenApiExample("Hours on their own clock", _HOURS, response_only=True, media_type="application/json"),
        OpenApiExample("A page of raw samples", _PAGE, response_only=True, media_type="application/json"),
        OpenApiExample("Raw samples, a line each", _ROWS, response_only=True, media_type="application/x-ndjson"),
    ],
)
