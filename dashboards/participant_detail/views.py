"""The pages. Each starts from what the signed-in person may see; anything else is not found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_htmx.http import push_url

from dashboards import charts, connection_card, neighbours, participant_page
from dashboards.access import Request, signed_in
from dashboards.libraries import loading_plan
from dashboards.ranges import LONGEST, BadRange, parse_instant
from metrics import queries, standings
from metrics.registry import BY_CODE, Metric
from participants.audit import looked
from participants.entered import asked
from participants.models import Participant, Trial, User

# Seconds a bucket of what can be asked for by name; "raw" is every sample, and only for a day.
WIDTHS = {"raw": 0, "1m": 60, "1h": 3600, "1d": 86_400}
RAW_SPAN = dt.timedelta(days=1)


@require_safe
@signed_in
def trial_list(request: Request) -> HttpResponse:
    """The trials of the signed-in person: how many participants they see there, who needs attention, newest data."""
    now = timezone.now()
    counts = standings.by_trial(Participant.objects.visible_to(request.user), now)
    trials = [(t, *counts.get(t.pk, (0, 0, None))) for t in Trial.objects.visible_to(request.user)]
    return render(request, "dashboards/trial_list.html", {"trials": trials, "now": now})


@require_safe
@signed_in
def participant_detail(request: Request, code: str, study_id: str) -> HttpResponse:
    """One participant's data for some days; for HTMX only what depends on the days and the metric."""
    participant = visible_participant(request, code, study_id)
    now = timezone.now()
    beat = connection_card.pulse(participant, now)
    context: dict[str, Any] = participant_page.page(participant, asked(request), now)
    if not request.htmx or request.htmx.boosted or request.htmx.history_restore_request:
        looked(participant)
        user: User = request.user
        context |= connection_card.rail(participant, user, context["standing"], now, context["held"])
        context |= {"pulse": beat, "loading_plan": loading_plan(), **connection_card.notes_of(participant)}
        context |= {"place": neighbours.place(participant, user, context["picked"].listed, now)}
        return render(request, "dashboards/participant_detail.html", context)
    looked(participant, part=True)
    return pushed(request, render(request, "dashboards/_data.html", context), context["here"])


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
        wanted = series_asked(asked(request), zone)
        found = queries.series(
            [participant.pk],
            [metric.code for metric in wanted.metrics],
            wanted.start,
            wanted.end,
            resolution=wanted.resolution,
            max_points=charts.MAX_POINTS,
        )
        if max(map(len, found)) > charts.MAX_POINTS:
            raise BadRange("resolution", f"More than {charts.MAX_POINTS:,} points: ask for fewer days, or for auto.")
    except BadRange as error:
        return json({"error": {"parameter": error.parameter, "message": str(error)}}, status=400)
    looked(participant, part=True)
    now = timezone.now()
    shaped = [charts.payload(one, zone=zone, start=wanted.start, end=wanted.end, now=now) for one in found]
    return json(shaped[0] | {"compare": shaped[1]} if len(shaped) > 1 else shaped[0])


@dataclass(frozen=True, slots=True)
class SeriesAsked:
    """What a request for a series asks for, checked. `metrics`: one, or two to compare."""

    metrics: list[Metric]
    start: dt.datetime
    end: dt.datetime
    resolution: str


def series_asked(asked: Mapping[str, str], zone: ZoneInfo) -> SeriesAsked:
    """Read the parameters of a series. Raises BadRange that names the one that is wrong."""
    resolution = asked.get("resolution", "auto")
    codes = {"metric": asked.get("metric", "")} | ({"compare": asked["compare"]} if asked.get("compare") else {})
    for parameter, code in codes.items():
        if code not in BY_CODE:
            raise BadRange(parameter, f"{code!r} is no metric we know.")
    start = parse_instant("start", asked.get("start", ""), zone, closing=False)
    end = parse_instant("end", asked.get("end", ""), zone, closing=True)
    if start >= end:
        raise BadRange("end", "The end does not come after the start.")
    if (end - start).days > LONGEST:
        raise BadRange("start", "That is more than ten years.")
    if resolution not in queries.RESOLUTIONS:
        raise BadRange("resolution", f"{resolution!r} is none of {', '.join(queries.RESOLUTIONS)}.")
    width = WIDTHS.get(resolution)
    if width is not None and end - start > (dt.timedelta(seconds=width * charts.MAX_POINTS) if width else RAW_SPAN):
        raise BadRange("resolution", f"{resolution} is too fine for so many days: ask for fewer, or for auto.")
    return SeriesAsked([BY_CODE[code] for code in codes.values()], start, end, resolution)


def visible_participant(request: HttpRequest, code: str, study_id: str) -> Participant:
    """The participant if the signed-in person may see them; else 404, as if there were no such participant."""
    visible = Participant.objects.visible_to(request.user).select_related("trial", "site")
    participant: Participant = get_object_or_404(visible.with_study_id(study_id), trial__code=code)
    return participant


def pushed(request: Request, response: HttpResponse, query: str) -> HttpResponse:
    """Put the view's canonical address into the browser, unless it is there already (a refresh is no step back)."""
    address = f"{request.path}?{query}" if query else request.path
    if request.htmx.current_url_abs_path == address:
        return response
    return push_url(response, address)


def json(content: dict[str, Any], status: int = 200) -> HttpResponse:
    """Columns of numpy as JSON. NaN becomes null. Health data: never kept by a cache on the way."""
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return HttpResponse(
        body, status=status, content_type="application/json", headers={"Cache-Control": "private, no-store"}
    )
