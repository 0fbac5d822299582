"""GET /api/v1/series: one or many participants and metrics, by buckets or every sample, in one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from metrics.api import cursors, series_rendering
from metrics.api.series_parameters import SeriesParameters, read_series_parameters
from metrics.api.series_schema import series_schema
from metrics.batch import instant
from metrics.reading import raw
from metrics.reading.queries import Series, bucket_width, length_of, series_of
from metrics.selection.readable_series import readable
from metrics.time_buckets import Span
from participants import audit
from participants.api.base.exceptions import BadParameters, Problem
from participants.api.base.viewsets import ResourceView
from participants.models import Participant, Trial, User
from participants.study_ids import spelt
from participants.visible_statements import visible_participants

MOST_SERIES = cursors.MOST_KEYS
MOST_VALUES = 1_000_000  # buckets in one answer
MEDIA_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
# Health data: never kept by a cache on the way.
UNCACHED = {"Cache-Control": "private, no-store"}


class AnyAccepted(DefaultContentNegotiation):
    """The form is the parameters' and the view's to choose; an error is JSON whatever was accepted."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class SeriesView(ResourceView):
    """Series of participants and metrics."""

    content_negotiation_class = AnyAccepted

    @series_schema
    def get(self, request: Request) -> HttpResponseBase:
        parameters = read_series_parameters(request.query_params, accepted(request))
        trial = self.trial(parameters.trial)
        people = requested_participants(self.user, trial, parameters.participants)
        spans = {person.pk: parameters.span(person.time_zone) for person in people}
        within_limits(parameters, people, spans)
        if parameters.raw:
            return raw_response(parameters, trial, people, spans)
        return bucket_response(parameters, trial, people, spans)


def accepted(request: Request) -> str:
    """json, ndjson or csv: what the client names first among those that we have."""
    for media_type in request.headers.get("Accept", "").split(","):
        for form, ours in MEDIA_TYPES.items():
            if media_type.partition(";")[0].strip().lower() == ours:
                return form
    return "json"


def requested_participants(user: User, trial: Trial, study_ids: Sequence[str]) -> list[Participant]:
    """Participants named, in the order named; all of the visible where nobody is. 404 if one is not to be seen."""
    if not study_ids:
        return visible_participants(user, trial)
    if len(study_ids) > MOST_SERIES:
        raise BadParameters({"participants": [f"Are more than {MOST_SERIES:,}."]})
    people = {person.study_id: person for person in visible_participants(user, trial, study_ids)}
    meant = spelt(study_ids, people)
    unknown = [study_id for study_id in study_ids if study_id not in meant]
    if unknown:
        named = ", ".join(unknown[:5])[:200]
        raise Problem(404, "Not Found", f"participants: {named} is not there, or not yours to see.")
    return [people[study_id] for study_id in dict.fromkeys(meant.values())]


def within_limits(parameters: SeriesParameters, people: Sequence[Participant], spans: Mapping[int, Span]) -> None:
    """Raises BadParameters where one answer would be too large, with what to do."""
    n = len(people) * len(parameters.metrics)
    if n > MOST_SERIES:
        why = f"{len(people):,} participants x {len(parameters.metrics)} metrics are more than {MOST_SERIES:,} series."
        raise BadParameters({"participants": [why], "metrics": [why]})
    if parameters.raw or parameters.resolution == "auto" or not people:
        return
    span = length_of(spans)
    widths = [bucket_width(metric, span, parameters.resolution, parameters.max_points) for metric in parameters.metrics]
    values = sum(len(people) * (span.total_seconds() / width + 1) for width in widths)
    if values > MOST_VALUES:
        why = f"About {values:,.0f} buckets, of at most {MOST_VALUES:,}: ask for fewer, for auto, or for an export."
        raise BadParameters({name: [why] for name in ("resolution", "start", "end")})


def envelope(parameters: SeriesParameters, trial: Trial, spans: Mapping[int, Span]) -> dict[str, Any]:
    """Envelope of a response: what it says of itself. `start`, `end`: over all participants, where local days differ.

    `samples_removed_before` is there only where the trial has deleted samples of the span.
    """
    starts, ends = [span.start for span in spans.values()], [span.end for span in spans.values()]
    cutoff = trial.raw_removed_before
    removed = {"samples_removed_before": cutoff} if cutoff and starts and instant(min(starts)) < cutoff else {}
    return removed | {
        "trial": trial.code,
        "start": instant(min(starts)) if starts else None,
        "end": instant(max(ends)) if ends else None,
        "resolution": parameters.resolution,
        "time": "local" if parameters.local else "utc",
    }


def bucket_response(
    parameters: SeriesParameters, trial: Trial, people: Sequence[Participant], spans: Mapping[int, Span]
) -> HttpResponseBase:
    """Series by buckets: columns in JSON, rows in CSV and NDJSON."""
    share = MOST_VALUES // max(1, len(people) * len(parameters.metrics))
    by_metric = series_of(
        people,
        parameters.metrics,
        spans,
        resolution=parameters.resolution,
        max_points=max(2, min(parameters.max_points, share)),
        source=parameters.source,
    )
    audit.record_view(people, "series.view")
    by_id = {person.pk: person for person in people}
    if parameters.form != "json":
        return stream(
            series_rendering.bucket_rows(_by_participant(by_metric, people), by_id, spans, parameters), parameters.form
        )
    columns = [
        series_rendering.series_columns(series, by_id[series.participant_id], spans[series.participant_id], parameters)
        for series in _by_participant(by_metric, people)
    ]
    return as_json(envelope(parameters, trial, spans) | {"statistics": parameters.statistics, "series": columns})


def _by_participant(by_metric: Sequence[Series], people: Sequence[Participant]) -> list[Series]:
    """Series by participant, then by metric, in the orders asked for; they come by metric."""
    n = len(people)
    return [series for i in range(n) for series in by_metric[i::n]]


def raw_response(
    parameters: SeriesParameters, trial: Trial, people: Sequence[Participant], spans: Mapping[int, Span]
) -> HttpResponseBase:
    """Every sample: a page of columns with a cursor in JSON, or the whole span as a stream of rows."""
    request = cursors.digest(
        trial.pk,
        parameters.participants,
        [metric.id for metric in parameters.metrics],
        parameters.start,
        parameters.end,
        parameters.source,
    )
    after: raw.Place | None = None
    before: dict[tuple[int, int], int] = {}
    if parameters.cursor:
        try:
            after, before = cursors.decode(request, parameters.cursor)
        except ValueError as error:
            raise BadParameters({"cursor": [str(error)]}) from None
    series, intervals, of = _read_intervals(parameters, people, spans, after, before)
    audit.record_view(people, "series.view", part=after is not None)
    if parameters.form != "json":
        named = [
            (series[n].person, series[n].metric, interval.key.source_id)
            for n, interval in zip(of, intervals, strict=True)
        ]
        rows = series_rendering.RawRows(named, local=parameters.local, form=parameters.form)
        return stream(rows.parts(raw.pieces(intervals)), parameters.form)
    page, place = raw.page(intervals, after=after, limit=parameters.limit)
    return as_json(
        envelope(parameters, trial, spans)
        | {
            "rows": len(page),
            "next": cursors.encode(request, place, _read_at(place, intervals)) if place else None,
            "series": series_rendering.raw_columns(page, of, series, local=parameters.local),
        }
    )


def _read_intervals(
    parameters: SeriesParameters,
    people: Sequence[Participant],
    spans: Mapping[int, Span],
    after: raw.Place | None,
    before: Mapping[tuple[int, int], int],
) -> tuple[list[series_rendering.RawSeries], list[raw.ReadInterval], list[int]]:
    """The series that have anything to read, the intervals of them, and of each interval its series as an index.

    `after`, `before`: where the page before ended, and the sources that it read there: its day goes on with them,
    whatever late data say now.
    """
    among = None if parameters.source is None else [parameters.source]
    at = after.time if after else 0
    held = readable(people, parameters.metrics, spans, among=among, pinned=before, pinned_at=at, every_sample=True)
    series: list[series_rendering.RawSeries] = []
    intervals: list[raw.ReadInterval] = []
    of: list[int] = []
    for person in people:
        for metric in parameters.metrics:
            readable_series = held.get((person.pk, metric.id))
            parts = readable_series.parts(spans[person.pk]) if readable_series else []
            if not readable_series or not parts:
                continue
            of += [len(series)] * len(parts)
            series.append(
                series_rendering.RawSeries(person, metric, readable_series.read_from(parts), readable_series.others)
            )
            intervals += [
                raw.ReadInterval(raw.Key(person.pk, metric.id, part.source.pk), part.start, part.end) for part in parts
            ]
    return series, intervals, of


def _read_at(place: raw.Place, intervals: Sequence[raw.ReadInterval]) -> list[raw.Key]:
    """The series as they are read at a place, ascending."""
    return sorted(interval.key for interval in intervals if interval.start <= place.time < interval.end)


def stream(parts: Any, form: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(parts, content_type=f"{MEDIA_TYPES[form]}; charset=utf-8", headers=UNCACHED)


def as_json(content: dict[str, Any]) -> HttpResponse:
    body = orjson.dumps(content, option=series_rendering.OPTIONS)
    return HttpResponse(body, content_type="application/json", headers=UNCACHED)
