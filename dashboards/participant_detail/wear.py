"""Wear and gaps of the chosen days as the page shows them: the timeline, the table of gaps, the gaps for the charts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from dashboards.participant_detail import stored
from dashboards.participant_detail.charts.timeline import joined, timeline
from dashboards.participant_detail.date_range import DayRange
from dashboards.ui import formatting, gap_labels
from dashboards.ui.status_labels import CAUSES
from dashboards.ui.timeline_geometry import Day, Missing
from metrics.models import Cause, DayStatus, Gap, ParticipantDay
from metrics.reading import queries as reading_queries
from metrics.selection.collection_window import Collected
from participants.models import Participant
from participants.team_texts import gettext

ROWS = 60
# Charts of more days than this shade gaps without naming them.
NAMED_DAYS = 31


@dataclass(frozen=True, slots=True)
class GapRow:
    """A gap in the table, newest first; a gap over midnight is one row a day, as in the day statuses."""

    since: str
    until: str
    length: str
    cause: str
    evidence: str


def day(row: ParticipantDay) -> Day:
    """A stored day as the timeline takes it."""
    evaluated = row.protocol_version is not None
    return Day(row.date, row.status, row.reason, row.worn_minutes, row.day_minutes, evaluated)


def gap_row(gap: Gap, zone: ZoneInfo, now: dt.datetime) -> GapRow:
    start, end = gap.starts_at.astimezone(zone), gap.ends_at.astimezone(zone)
    open_end = gap.ends_at > now
    until = "now" if open_end else f"{end:%H:%M}" if end.date() == start.date() else f"{end:%a %H:%M}"
    minutes = int((min(gap.ends_at, now) - gap.starts_at).total_seconds() // 60)
    length = (
        formatting.hours_minutes(minutes) if minutes >= 60 else gettext("{minutes}\u00a0min").format(minutes=minutes)
    )
    evidence = gap_labels.sentence(gap.cause, gap.evidence, zone=zone, now=now)
    began = f"{start:%a} {start.day} {start:%b}, {start:%H:%M}"
    return GapRow(began, until, length, CAUSES[Cause(gap.cause)][0], evidence)


def wear(participant: Participant, days: DayRange, now: dt.datetime, held: Collected) -> dict[str, Any]:
    """The template's context for wear and gaps. Two queries, whatever the number of days.

    `held`: what is collected of the participant.
    """
    zone = ZoneInfo(participant.time_zone)
    shown = [day(row) for row in reading_queries.participant_days(participant.pk, days.first, days.last, held)]
    gaps = stored.gaps.rows(participant=participant.pk, first=days.first, last=days.last)
    begun = [gap for gap in gaps if gap.starts_at < now]
    spans = [Missing(gap.starts_at, gap.ends_at, gap.cause) for gap in begun]
    newest = begun[: -ROWS - 1 : -1]
    named = joined(spans, now) if days.days <= NAMED_DAYS else []
    return {
        "timeline": timeline(shown, spans, days, zone, now),
        "gaps": [gap_row(gap, zone, now) for gap in newest],
        "gaps_cut": max(0, len(spans) - ROWS),
        "gap_causes": [
            [int(g.starts_at.timestamp() * 1000), int(g.ends_at.timestamp() * 1000), CAUSES[Cause(g.cause)][0]]
            for g in named
        ],
        "pending_dates": frozenset(d.date for d in shown if d.status == DayStatus.PENDING),
        "monitored": bool(shown),
    }
