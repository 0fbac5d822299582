"""Export request: what a user may ask for, checked, and how many rows it would have."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import connection

from metrics.exports import sql
from metrics.exports.formats import WRITERS
from metrics.exports.plan import FIRST, LAST
from metrics.models import Export, ParticipantDay, Source
from metrics.registry import BY_CODE, METRICS
from metrics.selection.collection_window import collected
from metrics.selection.readable_series import collected_dates
from participants.models import Participant, Trial, User
from participants.study_ids import spelt
from participants.user_input import EARLIEST, LATEST, OUT_OF_BOUNDS

FORMATS = (*WRITERS, Export.Format.DAILY.value)


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Export request, checked: `people` is settled by what the user sees at this moment."""

    trial: Trial
    format: str
    people: list[int]
    metrics: list[str]
    sources: list[int]
    start_on: dt.date | None
    end_on: dt.date | None
    clock: str
    compressed: bool
    compression: str
    filters: dict[str, Any]


class Filters(TypedDict, total=False):
    """Filters of an export. Left out or empty: Parquet, and all there is. Both dates are included."""

    format: str
    participants: Sequence[str] | None  # study ids
    metrics: Sequence[str] | None  # codes
    sources: Sequence[int] | None  # ids
    start_on: dt.date | None
    end_on: dt.date | None
    clock: str  # local: participants' local dates; utc
    compressed: bool  # of text formats
    compression: str  # gzip or zstd


def check(user: User, trial: Trial, **filters: Unpack[Filters]) -> ExportRequest:
    """Check a request: what the user may have of what they ask for, in a trial that they see.

    Raises ValidationError that names each bad parameter. A study id that they do not see is unknown, whether it
    exists or not.
    """
    kind, clock = filters.get("format", Export.Format.PARQUET.value), filters.get("clock", Export.Clock.LOCAL.value)
    compression = filters.get("compression", Export.Compression.GZIP.value)
    participants, codes = set(filters.get("participants") or ()), set(filters.get("metrics") or ())
    source_ids = set(filters.get("sources") or ())
    start_on, end_on = filters.get("start_on"), filters.get("end_on")
    visible = Participant.objects.visible_to(user).filter(trial=trial)
    seen = dict((visible.with_study_ids(participants) if participants else visible).values_list("study_id", "pk"))
    meant = spelt(sorted(participants), seen)
    known_sources = set(Source.objects.filter(pk__in=source_ids).values_list("pk", flat=True))
    wrong: dict[str, str] = {}
    for name, value, choices in (
        ("format", kind, FORMATS),
        ("clock", clock, Export.Clock.values),
        ("compression", compression, Export.Compression.values),
    ):
        if value not in choices:
            wrong[name] = f"Choose one of {', '.join(choices)}."
    for name, day in (("start_on", start_on), ("end_on", end_on)):
        if day and not EARLIEST <= day <= LATEST:
            wrong[name] = OUT_OF_BOUNDS
    if start_on and end_on and end_on < start_on:
        wrong["end_on"] = "The last date comes before the first."
    for name, unknown in (
        ("metrics", codes - set(BY_CODE)),
        ("sources", source_ids - known_sources),
        ("participants", participants - set(meant)),
    ):
        if unknown:
            wrong[name] = f"Not known: {', '.join(sorted(map(str, unknown))[:10])}."
    if not seen and not participants:
        wrong["participants"] = "There is nobody whose data could be exported."
    if wrong:
        raise ValidationError(wrong)
    return ExportRequest(
        trial=trial,
        format=kind,
        people=sorted({seen[study_id] for study_id in meant.values()} if participants else seen.values()),
        metrics=[metric.code for metric in METRICS if metric.code in codes],
        sources=sorted(known_sources),
        start_on=start_on,
        end_on=end_on,
        clock=clock,
        compressed=filters.get("compressed", True),
        compression=compression,
        filters={"participants": sorted(set(meant.values())) or None},
    )


def estimate(request: ExportRequest) -> int:
    """Rows that the export would have, by what is stored and collected at this moment."""
    first, last = request.start_on or FIRST, request.end_on or LAST
    if request.format == Export.Format.DAILY:
        return ParticipantDay.objects.filter(participant__in=request.people, date__range=(first, last)).count()
    people = Participant.objects.filter(pk__in=request.people).only("time_zone")
    parameters = collected_dates(collected(people), first, last) | {
        "metrics": [BY_CODE[code].id for code in request.metrics] or [metric.id for metric in METRICS],
        "sources": request.sources or None,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql.ESTIMATE, parameters)
        rows: int = cursor.fetchone()[0]
    return rows
