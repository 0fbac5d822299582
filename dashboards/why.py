"""Why a participant has her status, in two short lines: the cause and since when; then the evidence."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from dashboards import strips, wording
from dashboards.standing_words import CAUSES, EXCLUSIONS
from metrics import trails
from metrics.models import Access, Cause, Exclusion, Standing
from metrics.standings import Word
from participants.models import Participant

EXCUSES = {
    Word.PAUSED: "Paused",
    Word.COMPLETED: "Monitoring ended",
    Word.WITHDRAWN: "Withdrew",
}
ACCESS = {
    Access.NEVER: CAUSES[Cause.NEVER_CONNECTED][0],
    Access.DEAD: CAUSES[Cause.TOKEN_DEAD][0],
    Access.PARTIAL: CAUSES[Cause.CONSENT_PARTIAL][0],
}


@dataclass(frozen=True, slots=True)
class Why:
    """`cause` stands in front, `since` in quiet ink beside it, `evidence` below."""

    cause: str
    since: str
    evidence: str


def why(participant: Participant, word: Word, recent: str, now: dt.datetime) -> Why:
    """Say why. `recent`: her letters of the last fourteen days."""
    standing: Standing | None = getattr(participant, "standing", None)
    if standing is None:
        return Why("Not judged yet", "", "Her days are judged within the hour.")
    if word in EXCUSES:
        return _excused(standing, word, now)
    zone = ZoneInfo(participant.time_zone)
    figures = _figures(standing, recent)
    if word in (Word.RECONNECT, Word.UNCONNECTED):
        return Why(ACCESS.get(Access(standing.access), ""), _since(standing.access_since, zone, now), figures)
    if standing.cause:
        cause, _ = CAUSES[Cause(standing.cause)]
        return Why(cause, _since(standing.cause_since, zone, now), figures)
    if standing.excused:
        return Why(EXCLUSIONS[Exclusion(standing.excused)].capitalize(), "", figures)
    return Why(_nothing_missing(standing, word), "", figures)


def _since(instant: dt.datetime | None, zone: ZoneInfo, now: dt.datetime) -> str:
    """since Fri 22:10; of another week the date alone."""
    if instant is None:
        return ""
    clock = wording.clock(instant, now, zone)
    return f"since {clock if now - instant < dt.timedelta(days=6) else clock.split(',')[0]}"


def _excused(standing: Standing, word: Word, now: dt.datetime) -> Why:
    today = now.date()
    first, last = standing.excused_since, standing.excused_until
    since = f"{'since ' if not last else ''}{wording.date_short(first, today)}" if first else ""
    if first and last:
        since += f" to {wording.date_short(last, today)}"
    return Why(EXCUSES[word], since, str(standing.evidence.get("reason", "")) or "Nothing to do")


def _nothing_missing(standing: Standing, word: Word) -> str:
    if word is Word.LOW_SLEEP:
        return f"{standing.nights_recorded or 0} of 7 nights"
    if word is Word.LOW_WEAR:
        return f"{standing.valid_days} of {standing.counted_days} days valid"
    return "Nothing missing" if standing.last_sample_at else "No data yet"


def _figures(standing: Standing, recent: str) -> str:
    """Her last two weeks: 11 of 13 days valid, 6 of 7 nights."""
    counted = sum(letter in (*trails.VALID, trails.INVALID, trails.LOST) for letter in recent)
    if not counted:
        return "No day counts yet"
    words = f"{strips.counts(recent)['valid']} of {counted} days valid"
    return words if standing.nights_recorded is None else f"{words}, {standing.nights_recorded} of 7 nights"
