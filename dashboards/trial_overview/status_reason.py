"""Why a participant has their status, in two short lines: the cause and since when; then the evidence."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from dashboards.trial_overview import day_strip
from dashboards.ui import formatting, gap_labels
from dashboards.ui.status_labels import CAUSES, EXCLUSIONS
from metrics.models import Access, Cause, Exclusion, Standing
from metrics.monitoring import day_codes
from metrics.monitoring.status import Word
from participants.models import Participant

EXCUSES = {
    Word.PAUSED: "Paused",
    Word.COMPLETED: "Monitoring ended",
    Word.WITHDRAWN: "Withdrew",
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


def why(participant: Participant, word: Word, recent: str, now: dt.datetime) -> Why:
    """Say why. `recent`: the strip's letters of the last fourteen days."""
    standing: Standing | None = getattr(participant, "standing", None)
    if standing is None:
        return Why("Not judged yet", "", "The days are judged within the hour.")
    if word in EXCUSES:
        return _excused(standing, word, now)
    zone = ZoneInfo(participant.time_zone)
    figures = _figures(standing, recent)
    if word in (Word.RECONNECT, Word.UNCONNECTED):
        cause = ACCESS.get(Access(standing.access))
        known = standing.evidence if standing.cause == cause else {}
        return _said(cause or "", standing.access_since, known, figures, zone, now)
    if standing.cause and not (word is Word.WELL and standing.cause == Cause.NOT_SYNCED):
        return _said(standing.cause, standing.cause_since, standing.evidence, figures, zone, now)
    if standing.excused:
        return Why(EXCLUSIONS[Exclusion(standing.excused)].capitalize(), "", figures)
    # Well is quiet: that the newest minutes have yet to be uploaded is as it should be.
    return Why(_nothing_missing(standing, word), "", figures)


def _said(
    cause: str, since: dt.datetime | None, evidence: dict[str, Any], figures: str, zone: ZoneInfo, now: dt.datetime
) -> Why:
    """A cause with its evidence; the participant's figures where there is none."""
    begun = gap_labels.since(since, zone=zone, now=now) if since else ""
    if not cause:
        return Why("Reconnect needed", begun, figures)
    told = evidence or cause == Cause.NEVER_CONNECTED
    said = gap_labels.sentence(cause, evidence, zone=zone, now=now) if told else ""
    return Why(CAUSES[Cause(cause)][0], begun, said or figures)


def _excused(standing: Standing, word: Word, now: dt.datetime) -> Why:
    today = now.date()
    first, last = standing.excused_since, standing.excused_until
    since = f"{'since ' if not last else ''}{formatting.date_short(first, today)}" if first else ""
    if first and last:
        since += f" to {formatting.date_short(last, today)}"
    return Why(EXCUSES[word], since, str(standing.evidence.get("reason", "")) or "Nothing to do")


def _nothing_missing(standing: Standing, word: Word) -> str:
    if word is Word.LOW_SLEEP:
        return f"{standing.nights_recorded or 0} of 7 nights"
    if word is Word.LOW_WEAR:
        return f"{standing.valid_days} of {standing.counted_days} days valid"
    return "Worn and synced" if standing.last_sample_at else "No data yet"


def _figures(standing: Standing, recent: str) -> str:
    """A participant's last two weeks: 11 of 13 days valid, 6 of 7 nights."""
    counted = sum(letter in (*day_codes.VALID, day_codes.INVALID, day_codes.LOST) for letter in recent)
    if not counted:
        return "No day counts yet"
    words = f"{day_strip.counts(recent)['valid']} of {counted} days valid"
    return words if standing.nights_recorded is None else f"{words}, {standing.nights_recorded} of 7 nights"
