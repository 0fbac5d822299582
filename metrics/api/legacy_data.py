"""GET /data/{user_id}/{metric}: the address of the product's first days, in the shape that its clients know.

One metric of one participant, every sample of whole days in UTC, in order of time, as a stream. Of several sources
the one that series read of each local day. New clients read /api/v1/series.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import chain
from typing import Any

import orjson
from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
    extend_schema_serializer,
    extend_schema_view,
)
from rest_framework import serializers
from rest_framework.request import Request

from metrics.api import timestamps
from metrics.api.series import UNCACHED
from metrics.api.series_parameters import Reader, local_date
from metrics.batch import microseconds
from metrics.reading import raw
from metrics.registry import BY_CODE, Metric
from metrics.selection.plausible_range import plausible
from metrics.selection.readable_series import readable
from metrics.time_buckets import Span
from participants import audit
from participants.api.base.exceptions import BadParameters, Problem
from participants.api.base.viewsets import ResourceView
from participants.models import Participant

DEFAULT_DAYS = dt.timedelta(days=7)
ROWS_A_PART = 4000


class SeedSample(serializers.Serializer[Any]):
    time = serializers.DateTimeField()
    value = serializers.FloatField()


@extend_schema_serializer(component_name="SeedAnswer")
class SeedResponse(serializers.Serializer[Any]):
    """One metric of one participant."""

    user_id = serializers.CharField(help_text="As asked for.")
    metric = serializers.CharField()
    data = SeedSample(many=True)  # type: ignore[assignment]  # a field of that name, not the serializer's own


def _date(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.DATE, OpenApiParameter.QUERY, description=description)


_IN_PATH = [
    OpenApiParameter("study_id", OpenApiTypes.STR, OpenApiParameter.PATH, description="The participant's study id."),
    OpenApiParameter("metric", OpenApiTypes.STR, OpenApiParameter.PATH, enum=list(BY_CODE), description="A code."),
]


class SeedView(ResourceView):
    """Every sample of a metric, in the seed's shape."""

    @extend_schema(
        operation_id="seed_data",
        tags=["series"],
        summary="Every sample of a metric, in the seed's shape",
        description="Kept for the clients of the product's first version. `user_id` is `TRIAL/STUDY-ID`, or a study id "
        "alone where only one participant whom you may see has it. Without any sample: 404, as it was then. Values "
        "outside the metric's plausible range are left out: the shape has no place for a mark.",
        parameters=[
            *_IN_PATH,
            _date("start_date", "First day, UTC. Without it: seven days before `end_date`."),
            _date("end_date", "Last day, UTC, included. Without it: today."),
        ],
        responses={200: SeedResponse},
        examples=[
            OpenApiExample(
                "Heart rate",
                {
                    "user_id": "AX-001",
                    "metric": "heart_rate",
                    "data": [{"time": "2026-05-04T10:00:01Z", "value": 64.0}],
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request, study_id: str, metric: str, trial: str = "") -> HttpResponseBase:
        span = requested_span(request)
        person = self._participant(trial, study_id)
        if metric not in BY_CODE:
            raise Problem(404, "Not Found", f"Metric not found. There are: {', '.join(BY_CODE)}.")
        pieces = samples(person, BY_CODE[metric], span)
        audit.record_view(person, "series.view")
        first = next(pieces, None)
        if first is None:
            raise Problem(404, "Not Found", "No data found for the given parameters.")
        named = f"{trial}/{study_id}" if trial else study_id
        parts = seeds_shape(named, metric, chain([first], pieces))
        return StreamingHttpResponse(parts, content_type="application/json", headers=UNCACHED)

    def _participant(self, trial: str, study_id: str) -> Participant:
        """Participant whom the address names, among the visible: 404 for nobody, 400 where it names several."""
        if trial:
            return self.participant(trial, study_id)
        visible = Participant.objects.visible_to(self.user).with_study_id(study_id)
        participants: list[Participant] = list(visible.select_related("trial")[:2])
        if not participants:
            raise Problem(404, "Not Found", "There is no such participant, or they are not yours to see.")
        if len(participants) > 1:
            raise BadParameters({"user_id": ["Is in several trials: write TRIAL/STUDY-ID."]})
        return participants[0]


@extend_schema_view(get=extend_schema(operation_id="seed_data_of_trial"))
class SeedOfTrialView(SeedView):
    """Every sample of a metric, of a participant named with their trial."""


def requested_span(request: Request) -> Span:
    """Whole days in UTC, both included. Raises BadParameters."""
    reader = Reader(request.query_params, ("start_date", "end_date"))
    end = reader.read("end_date", local_date, timezone.now().date())
    start = reader.read("start_date", local_date, (end or timezone.now().date()) - DEFAULT_DAYS)
    if start and end and start > end:
        reader.clash(("start_date", "end_date"), "The end lies before the start.")
    reader.check()
    return Span(_midnight(start), _midnight(end + dt.timedelta(days=1)))


def _midnight(date: dt.date) -> int:
    return microseconds(dt.datetime.combine(date, dt.time(), dt.UTC))


def samples(person: Participant, metric: Metric, span: Span) -> Iterator[raw.Samples]:
    """Pieces of the samples that series read: of each local day from the source that counts, and what is collected.

    Of values that count: the shape has no place for a mark.
    """
    held = readable([person], [metric], {person.pk: span}, every_sample=True).get((person.pk, metric.id))
    parts = held.parts(span) if held else []
    keyed = [raw.ReadInterval(raw.Key(person.pk, metric.id, part.source.pk), part.start, part.end) for part in parts]
    for piece in raw.pieces(keyed):
        kept = piece.where(plausible(metric, piece.value, piece.seconds))
        if len(kept):
            yield kept


def seeds_shape(user_id: str, metric: str, pieces: Iterator[raw.Samples]) -> Iterator[bytes]:
    """The answer in parts of some thousand samples."""
    comma = ""
    yield orjson.dumps({"user_id": user_id, "metric": metric})[:-1] + b',"data":['
    for piece in pieces:
        for first in range(0, len(piece), ROWS_A_PART):
            part = piece.part(first, first + ROWS_A_PART)
            rows = zip(timestamps.texts(part.time, None), part.value.tolist(), strict=True)
            yield (comma + ",".join([f'{{"time":"{time}","value":{value!r}}}' for time, value in rows])).encode()
            comma = ","
    yield b"]}"
