"""Why a participant has their status, in two short lines: the cause and since when; then the evidence."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from dashboards.trial_overview import day_strip
from dashboards.ui import formatting, gap_labels
from dashboards.ui.status_labels import CAUSES, EXCLUSIONS
from metrics.models import Access, Cause, Exclusion, ParticipantStatusSummary
from metrics.monitoring import day_codes
from metrics.monitoring.status import AttentionStatus
from participants.models import Participant
from participants.team_texts import gettext

EXCUSES = {
    AttentionStatus.PAUSED: gettext("Paused"),
    AttentionStatus.COMPLETED: gettext("Monitoring ended"),
    AttentionStatus.WITHDRAWN: gettext("Withdrew"),
}
ACCESS = {
    Access.NEVER: Cause.NEVER_CONNECTED,
    Access.DEAD: Cause.TOKEN_DEAD,
    Access.PARTIAL: Cause.CONSENT_PARTIAL,
}


@dataclass(frozen=True, slots=True)
class Why:
    """`cause` stands in front, `since` in quiet ink beside it, `evidence` below."""

    cause: str
    since: str
    evidence: str


def why(participant: Participant, attention_status: AttentionStatus, recent: str, now: dt.datetime) -> Why:
    """The reason. `recent`: the strip's day codes of the last fourteen days."""
    summary: ParticipantStatusSummary | None = getattr(participant, "status_summary", None)
    if summary is None:
        return Why(gettext("Not assessed yet"), "", gettext("The days are assessed within the hour."))
    if attention_status in EXCUSES:
        return _excused(summary, attention_status, now)
    zone = ZoneInfo(participant.time_zone)
    figures = _figures(summary, recent)
    if attention_status in (AttentionStatus.RECONNECT, AttentionStatus.UNCONNECTED):
        cause = ACCESS.get(Access(summary.access))
        known = summary.evidence if summary.cause == cause else {}
        return _said(cause or "", summary.access_since, known, figures, zone, now)
    if summary.cause and not (attention_status is AttentionStatus.WELL and summary.cause == Cause.NOT_SYNCED):
        return _said(summary.cause, summary.cause_since, summary.evidence, figures, zone, now)
    if summary.excused:
        return Why(EXCLUSIONS[Exclusion(summary.excused)].capitalize(), "", figures)
    # Well is quiet: that the newest minutes have yet to be uploaded is as it should be.
    return Why(_nothing_missing(summary, attention_status), "", figures)


def _said(
    cause: str, since: dt.datetime | None, evidence: dict[str, Any], figures: str, zone: ZoneInfo, now: dt.datetime
) -> Why:
    """A cause with its evidence; the participant's figures where there is none."""
    begun = gap_labels.since(since, zone=zone, now=now) if since else ""
    if not cause:
        return Why(gettext("Reconnect needed"), begun, figures)
    has_sentence = evidence or cause == Cause.NEVER_CONNECTED
    sentence = gap_labels.sentence(cause, evidence, zone=zone, now=now) if has_sentence else ""
    return Why(CAUSES[Cause(cause)][0], begun, sentence or figures)


def _excused(summary: ParticipantStatusSummary, attention_status: AttentionStatus, now: dt.datetime) -> Why:
    today = now.date()
    first, last = summary.excused_since, summary.excused_until
    since = formatting.date_short(first, today) if first else ""
    if first:
        since = (
            gettext("{first} to {last}").format(first=since, last=formatting.date_short(last, today))
            if last
            else gettext("since {date}").format(date=since)
        )
    return Why(EXCUSES[attention_status], since, str(summary.evidence.get("reason", "")) or gettext("Nothing to do"))


def _nothing_missing(summary: ParticipantStatusSummary, attention_status: AttentionStatus) -> str:
    if attention_status is AttentionStatus.LOW_SLEEP:
        return gettext("{n} of 7 nights").format(n=summary.nights_recorded or 0)
    if attention_status is AttentionStatus.LOW_WEAR:
        return gettext("{valid_days} of {counted_days} days valid").format(
            valid_days=summary.valid_days, counted_days=summary.counted_days
        )
    return gettext("Worn and synced") if summary.last_sample_at else gettext("No data yet")


def _figures(summary: ParticipantStatusSummary, recent: str) -> str:
    """A participant's last two weeks: 11 of 13 days valid, 6 of 7 nights."""
    counted = sum(code in (*day_codes.VALID, day_codes.INVALID, day_codes.LOST) for code in recent)
    if not counted:
        return gettext("No day counts yet")
    days = gettext("{valid} of {counted} days valid").format(valid=day_strip.counts(recent)["valid"], counted=counted)
    return (
        days
        if summary.nights_recorded is None
        else gettext("{days}, {nights_recorded} of 7 nights").format(days=days, nights_recorded=summary.nights_recorded)
    )
