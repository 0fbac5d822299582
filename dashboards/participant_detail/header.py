"""Head of a participant's page: status, status sentence, evidence, key figures, next step."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from dashboards.participant_detail import header_text, stored
from dashboards.participant_detail.header_text import Rules
from dashboards.ui import gap_labels, status_labels
from metrics.models import DayStatus, ParticipantStatusSummary
from metrics.monitoring.status import AttentionStatus
from metrics.reading import queries as reading_queries
from metrics.selection.collection_window import Collected
from participants.models import Participant


@dataclass(frozen=True, slots=True)
class Recent:
    """The last day that can be complete, and the week that ends with it. `worn_minutes` None: no data that day."""

    date: dt.date
    worn_minutes: int | None
    nights: int
    status: str


def recent(participant: Participant, date: dt.date, held: Collected) -> Recent:
    week = reading_queries.participant_days(participant.pk, date - dt.timedelta(days=6), date, held)
    day = next((d for d in week if d.date == date), None)
    # A day without data has a row too once it is evaluated: unknown is not zero.
    known = day is not None and (day.worn_minutes or day.last_sample_at is not None)
    evaluated = day is not None and day.protocol_version is not None
    return Recent(
        date=date,
        worn_minutes=day.worn_minutes if day and known else None,
        nights=sum(d.asleep_minutes is not None for d in week),
        status=DayStatus(day.status).label if day and evaluated else "",
    )


def rules(participant: Participant, today: dt.date) -> Rules:
    """The thresholds of the protocol in force. One query."""
    return Rules.of(stored.protocols.first(trial=participant.trial_id, on=today))


def status_summary_of(
    participant: Participant, now: dt.datetime
) -> tuple[ParticipantStatusSummary | None, AttentionStatus]:
    """Status summary and attention status of a participant at this instant. One query."""
    annotated = stored.summaries.first(participant=participant.pk, now=now)
    return getattr(annotated, "status_summary", None), AttentionStatus(annotated.attention_status)


def week_of(data: reading_queries.Overview | None, today: dt.date) -> tuple[dt.date, bool]:
    """The last day of the week that `recent` tells of, and whether it lies back: where data stopped long ago, what was
    last known says more than an empty yesterday."""
    if data and data.last_on < today - dt.timedelta(days=7):
        return data.last_on, True
    return today - dt.timedelta(days=1), False


def figures(participant: Participant, now: dt.datetime, held: Collected) -> dict[str, Any]:
    """The context of everything above the charts, which does not depend on the chosen days.

    `held`: what is collected of the participant.
    """
    zone = ZoneInfo(participant.time_zone)
    today = now.astimezone(zone).date()
    data = reading_queries.overview_of(participant.pk, held)
    last, quiet = week_of(data, today)
    summary, attention_status = status_summary_of(participant, now)
    protocol = rules(participant, today)
    evidence = ""
    if summary and summary.cause:
        evidence = gap_labels.sentence(summary.cause, summary.evidence, zone=zone, now=now)
    return {
        "data": data,
        "now": now,
        "today": today,
        "quiet": quiet,
        "held": held,
        "recent": recent(participant, last, held),
        "status_summary": summary,
        "newest_at": summary.last_sample_at if summary else data.last_sample_at if data else None,
        "attention_status": attention_status,
        "badge": status_labels.attention_badge(attention_status, protocol.warn_hours),
        "action": status_labels.action(attention_status, bool(summary and summary.out_of_reach)),
        "status_sentence": header_text.sentence(summary, attention_status, now, zone),
        "evidence": evidence,
        "trial_day_text": header_text.trial_day_text(participant, today),
        "adherence": header_text.adherence(summary),
        "salvage": header_text.salvage(summary, now, protocol.keeps_hours),
        "rules": protocol,
    }
