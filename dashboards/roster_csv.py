"""The trial's participants as CSV: all that match, row by row, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

from django.http import StreamingHttpResponse

from dashboards import gap_words, roster
from dashboards.roster import Asked
from dashboards.standing_words import BADGES, CAUSES
from metrics.models import Cause, Standing
from metrics.standings import Word
from participants.audit import record
from participants.models import Trial, User

CHUNK = 500
# A spreadsheet takes text that begins so for a formula; an apostrophe in front makes it text.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
HEAD = (
    "study_id", "site", "arm", "participant_status", "status", "cause", "cause_since", "evidence",
    "adherence", "best_adherence",
    "target", "valid_days", "counted_days", "pending_days", "lost_days", "excluded_days", "worn_share",
    "nights_of_7", "last_sample_at", "overwritten_at", "device", "battery_percent", "battery_at", "judged_at",
)  # fmt: skip


class _Line:
    """A file that hands each line back in place of storing it."""

    def write(self, line: str) -> str:
        return line


def safe(value: Any) -> str:
    """A cell: instants ISO in UTC, shares with four decimals, nothing that a spreadsheet would run."""
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="seconds")
    if isinstance(value, float):
        return f"{value:.4f}"
    words = str(value)
    return f"'{words}" if words.startswith(FORMULA) else words


def lines(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Lines of CSV, as they are made."""
    writer = csv.writer(_Line())
    yield writer.writerow(head)
    for row in rows:
        yield writer.writerow([safe(cell) for cell in row])


def attachment(name: str, content: Iterator[str]) -> StreamingHttpResponse:
    """A download that no cache keeps."""
    return StreamingHttpResponse(
        content,
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.csv"',
            "Cache-Control": "private, no-store",
        },
    )


def answer(trial: Trial, user: User, want: Asked, now: dt.datetime) -> StreamingHttpResponse:
    """All participants who match, in the order shown."""
    people = roster.ordered(roster.matching(roster.of_trial(trial, user, want), want, now), want.sort)
    found = people.select_related("site", "standing").iterator(chunk_size=CHUNK)
    record("trial.download", trial=trial, new={"list": "participants"})
    name = f"{trial.code}-participants-{now:%Y%m%dT%H%MZ}"
    return attachment(name, lines(HEAD, (_cells(participant, now) for participant in found)))


def _cells(participant: Any, now: dt.datetime) -> list[Any]:
    known: Standing | None = getattr(participant, "standing", None)
    first = [
        participant.study_id,
        participant.site.name if participant.site else "",
        participant.arm,
        participant.status,
        BADGES[Word(participant.word)].word,
    ]
    if known is None:
        return first + [""] * (len(HEAD) - len(first))
    return [
        *first,
        CAUSES[Cause(known.cause)][0] if known.cause else "",
        known.cause_since,
        gap_words.sentence(known.cause, known.evidence, zone=ZoneInfo(participant.time_zone), now=now),
        known.adherence,
        known.best_adherence,
        known.target,
        known.valid_days,
        known.counted_days,
        known.pending_days,
        known.lost_days,
        known.excluded_days,
        known.worn_share,
        known.nights_recorded,
        known.last_sample_at,
        known.overwritten_at,
        known.device_model,
        known.battery_percent,
        known.battery_at,
        known.updated_at,
    ]
