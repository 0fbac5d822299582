"""Pages of one participant. Each starts from what the user may see; anything else is not found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboards.participant_detail import page, side_panel, stored
from dashboards.participant_detail.charts import series as charts_series
from dashboards.participant_detail.charts.libraries import loading_plan
from dashboards.participant_detail.date_range import LONGEST, BadRange, parse_instant
from dashboards.trial_overview import open_alerts, previous_next
from dashboards.ui.access import Request, signed_in, visible_participant
from dashboards.ui.http import json, pushed
from metrics.reading import queries as reading_queries
from metrics.registry import BY_CODE, Metric
from metrics.selection.collection_window import collected_of
from participants.audit import record_view
from participants.team_texts import gettext
from participants.user_input import query_params

# Seconds a bucket of what can be asked for by name; "raw" is every sample, and only for a day.
WIDTHS = {"raw": 0, "1m": 60, "1h": 3600, "1d": 86_400}
RAW_SPAN = dt.timedelta(days=1)


@require_safe
@signed_in
def participant_detail(request: Request, code: str, study_id: str) -> HttpResponse:
    """One participant's data for some days; for HTMX only what depends on the days and the metric."""
    participant = visible_participant(request, code, study_id)
    now, params, user = timezone.now(), query_params(request), request.user
    if request.htmx and not request.htmx.boosted and not request.htmx.history_restore_request:
        with stored.figures_read(participant, now):
            held = collected_of(participant)
            with stored.data_read(participant, held):
                context = page.page(participant, params, now, held)
        record_view(participant, part=True)
        return pushed(request, render(request, "dashboards/participant_detail/_data.html", context), context["here"])
    with stored.page_read(participant, now, *open_alerts.open_queries(participant.trial, user, now)):
        beat, held = side_panel.pulse(participant, now), collected_of(participant)
        record_view(participant)
        with stored.data_read(participant, held):
            context = page.page(participant, params, now, held)
            context |= side_panel.rail(participant, user, context["status_summary"], now, held)
        context |= {"pulse": beat, "loading_plan": loading_plan(), **side_panel.notes_of(participant)}
        context |= {"place": previous_next.place(participant, user, context["picked"].listed, now)}
        return render(request, "dashboards/participant_detail/participant_detail.html", context)


@require_safe
@signed_in
def participant_series(request: Request, code: str, study_id: str) -> HttpResponse:
    """The data of one chart as JSON: at most 2,000 points of one metric, with the gaps and what a point stands for.

    `metric`: a code of the registry; `compare`: another one, whose chart comes beside it as `compare`. `start`,
    `end`: local dates (both ends included) or ISO instants (end excluded). `resolution`: auto (default), raw, 1m, 1h
    or 1d. 400 names the parameter that is wrong.
    """
    participant = visible_participant(request, code, study_id)
    zone = ZoneInfo(participant.time_zone)
    try:
        query = parse_series_query(query_params(request), zone)
        series_list = reading_queries.series(
            [participant.pk],
            [metric.code for metric in query.metrics],
            query.start,
            query.end,
            resolution=query.resolution,
            max_points=charts_series.MAX_POINTS,
        )
        if max(map(len, series_list)) > charts_series.MAX_POINTS:
            raise BadRange(
                "resolution",
                gettext("More than {max_points:,} points: choose fewer days, or auto.").format(
                    max_points=charts_series.MAX_POINTS
                ),
            )
    except BadRange as error:
        return json({"error": {"parameter": error.parameter, "message": str(error)}}, status=400)
    record_view(participant, part=True)
    now = timezone.now()
    shaped = [
        charts_series.payload(series, zone=zone, start=query.start, end=query.end, now=now) for series in series_list
    ]
    return json(shaped[0] | {"compare": shaped[1]} if len(shaped) > 1 else shaped[0])


@dataclass(frozen=True, slots=True)
class SeriesQuery:
    """Checked parameters of a request for a series. `metrics`: one, or two to compare."""

    metrics: list[Metric]
    start: dt.datetime
    end: dt.datetime
    resolution: str


def parse_series_query(params: Mapping[str, str], zone: ZoneInfo) -> SeriesQuery:
    """Read the parameters of a series. Raises BadRange that names the one that is wrong."""
    resolution = params.get("resolution", "auto")
    codes = {"metric": params.get("metric", "")} | ({"compare": params["compare"]} if params.get("compare") else {})
    for parameter, code in codes.items():
        if code not in BY_CODE:
            raise BadRange(parameter, gettext("{code!r} is no metric we know.").format(code=code))
    start = parse_instant("start", params.get("start", ""), zone, closing=False)
    end = parse_instant("end", params.get("end", ""), zone, closing=True)
    if start >= end:
        raise BadRange("end", gettext("The end does not come after the start."))
    if (end - start).days > LONGEST:
        raise BadRange("start", gettext("That is more than ten years."))
    if resolution not in reading_queries.RESOLUTIONS:
        raise BadRange(
            "resolution",
            gettext("{resolution!r} is none of {resolutions}.").format(
                resolution=resolution, resolutions=", ".join(reading_queries.RESOLUTIONS)
            ),
        )
    width = WIDTHS.get(resolution)
    if width is not None and end - start > (
        dt.timedelta(seconds=width * charts_series.MAX_POINTS) if width else RAW_SPAN
    ):
        raise BadRange(
            "resolution",
            gettext("{resolution} is too fine for so many days: choose fewer, or auto.").format(resolution=resolution),
        )
    return SeriesQuery([BY_CODE[code] for code in codes.values()], start, end, resolution)
