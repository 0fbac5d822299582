"""Writing nights, and deciding to which local day they belong and which of them is the main sleep.

Part of the writer; called inside its transaction.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from metrics.batch import Counts, Refusal, Sessions, SleepRecord, SourceKey
from metrics.local_time import LocalCalendar
from metrics.models import SleepSession, SleepStage
from metrics.writing.row_changes import SessionTrace, Trace
from participants.models import Participant

_STAGE_FIELD = {
    SleepStage.LIGHT: "light_minutes",
    SleepStage.DEEP: "deep_minutes",
    SleepStage.REM: "rem_minutes",
    SleepStage.RESTLESS: "restless_minutes",
}
_SLEEP_FIELDS = (
    "starts_at",
    "ends_at",
    "date",
    "claimed_main",
    "processed",
    "stages",
    "asleep_minutes",
    "awake_minutes",
    *_STAGE_FIELD.values(),
)


def _session(participant: Participant, record: SleepRecord, source: int, date: dt.date) -> SleepSession:
    """A record as a row. Asleep is what is neither awake nor, in Fitbit's classic staging, restless."""
    seconds: Counter[str] = Counter()
    for stage in record.stages:
        seconds[stage.stage] += stage.seconds
    in_bed = (record.ends_at - record.starts_at).total_seconds()
    idle = seconds[SleepStage.AWAKE] + seconds[SleepStage.RESTLESS]
    asleep = sum(seconds.values()) - idle if record.stages else in_bed
    row = SleepSession(
        participant=participant,
        source_id=source,
        external_id=record.external_id,
        starts_at=record.starts_at,
        ends_at=record.ends_at,
        date=date,
        is_main=record.is_main is not False,
        claimed_main=record.is_main,
        processed=record.processed,
        stages=[
            [round((stage.starts_at - record.starts_at).total_seconds()), stage.seconds, str(stage.stage)]
            for stage in record.stages
        ],
        asleep_minutes=round(asleep / 60),
        awake_minutes=round(seconds[SleepStage.AWAKE] / 60),
        **{name: round(seconds[stage] / 60) for stage, name in _STAGE_FIELD.items() if stage in seconds},
    )
    if record.totals and not record.stages:
        for name in ("asleep", "awake", "light", "deep", "rem", "restless"):
            setattr(row, f"{name}_minutes", getattr(record.totals, name))
    return row


def _detail(row: SleepSession) -> int:
    """Level of detail of an episode: stages of sleep, classic levels, minutes by stage, or when it was."""
    staged = any(minutes is not None for minutes in (row.light_minutes, row.deep_minutes, row.rem_minutes))
    return (2 if row.stages else 0) + staged


def stored_fields(row: SleepSession) -> dict[str, Any]:
    """Values of a row of sleep: its columns without key and date, which follows from the participant's clock."""
    return {name: getattr(row, name) for name in _SLEEP_FIELDS if name != "date"}


def after(before: dict[str, Any] | None, own: dict[str, Any], *, finest_stays: bool) -> dict[str, Any]:
    """Values of an episode after a record of it was stored, from what was said before."""
    row = SleepSession(**own)
    if before and finest_stays:
        _keep_finest(row, SleepSession(**before))
    return stored_fields(row)


def store_sleep(
    participant: Participant,
    records: Sequence[SleepRecord],
    sources: Mapping[SourceKey, int],
    calendar: LocalCalendar,
    now: dt.datetime,
    trace: Trace | None = None,
) -> tuple[set[dt.date], Counts]:
    """Write nights by (participant, source, external id); returns the local dates concerned and the counts."""
    counts, dates = Counts(), set[dt.date]()
    if not records:
        return dates, counts
    latest = {(sources[r.source], r.external_id): r for r in records}
    counts.repeated = len(records) - len(latest)
    stored = SleepSession.objects.filter(participant=participant, external_id__in=[key[1] for key in latest])
    known = {(row.source_id, row.external_id): row for row in stored}
    write: list[SleepSession] = []
    for key, record in latest.items():
        if record.ends_at > now + dt.timedelta(minutes=10) or record.ends_at <= record.starts_at:
            reason = Refusal.FUTURE.text if record.ends_at > now else "sleep ends before it starts"
            counts.rejected[reason] = counts.rejected.get(reason, 0) + 1
            continue
        row = _session(participant, record, sources[record.source], calendar.date(record.ends_at))
        old = known.get(key)
        if trace is not None:
            before = stored_fields(old) if old else None
            trace.sessions.append(SessionTrace(Sessions.SLEEP, *key, stored_fields(row), before, record.finest_stays))
        if old and record.finest_stays:
            _keep_finest(row, old)
        if old and all(getattr(old, name) == getattr(row, name) for name in _SLEEP_FIELDS):
            counts.sleep_unchanged += 1
            continue
        counts.sleep_changed += old is not None
        counts.sleep_new += old is None
        dates |= {row.date} | ({old.date} if old else set())
        write.append(row)
    SleepSession.objects.bulk_create(
        write,
        batch_size=500,
        update_conflicts=True,
        unique_fields=["participant", "source", "external_id"],
        update_fields=list(_SLEEP_FIELDS),
    )
    if write:
        choose_main_sleep(participant.pk, dates)
    return dates, counts


def _keep_finest(row: SleepSession, old: SleepSession) -> None:
    """Of two records of one episode take that with more detail, unless it tells of a fragment of it alone.

    A claim to be the main sleep is taken from either, and stages of a fragment where there are no others.
    """
    if row.claimed_main is None:
        row.claimed_main = old.claimed_main
    length, old_length = row.ends_at - row.starts_at, old.ends_at - old.starts_at
    if max(length, old_length) >= 2 * min(length, old_length):
        kept, other = (old, row) if old_length > length else (row, old)
    else:
        kept, other = (old, row) if _detail(old) > _detail(row) else (row, old)
    later = round((other.starts_at - kept.starts_at).total_seconds())
    stages = kept.stages or [[at + later, seconds, stage] for at, seconds, stage in other.stages]
    for name in _SLEEP_FIELDS:
        if name != "claimed_main":
            setattr(row, name, getattr(kept, name))
    row.stages = stages


def choose_main_sleep(participant_id: int, dates: Iterable[dt.date]) -> None:
    """Decide which episodes are main sleeps: of each source and local date of waking one at most.

    What its source calls a nap is none. Of the others one that is called the main sleep comes first; of two that
    overlap, logs of the same sleep, the one with more detail; then the longest.
    """
    episodes: dict[tuple[int, dt.date], list[SleepSession]] = defaultdict(list)
    for row in SleepSession.objects.filter(participant=participant_id, date__in=set(dates)):
        episodes[row.source_id, row.date].append(row)
    turned: list[SleepSession] = []
    for rows in episodes.values():
        main = min((row for row in rows if row.claimed_main is not False), key=_rank_in(rows), default=None)
        for row in rows:
            if row.is_main != (row is main):
                row.is_main = row is main
                turned.append(row)
    SleepSession.objects.bulk_update(turned, ["is_main"], batch_size=500)


def _rank_in(rows: Sequence[SleepSession]) -> Callable[[SleepSession], tuple[bool, bool, int, dt.datetime, str]]:
    """The order in which the episodes of a source and date come to be its main sleep, the first at the front."""

    def doubled(row: SleepSession) -> bool:
        """Whether another log tells of the same sleep, and more of it."""
        others = (other for other in rows if other is not row and other.claimed_main is not False)
        return any(
            other.starts_at < row.ends_at and row.starts_at < other.ends_at and _detail(other) > _detail(row)
            for other in others
        )

    return lambda row: (not row.claimed_main, doubled(row), -row.asleep_minutes, row.starts_at, row.external_id)


def remove_absent_sleep(
    participant: Participant, provider: str, kept: set[str], start: dt.datetime, end: dt.datetime
) -> set[dt.date]:
    """Take away a provider's nights that end in [start, end) and are not among the kept external ids.

    Returns the local dates concerned. Where another log of the night stays, it may be the main sleep now.
    """
    gone = SleepSession.objects.filter(
        participant=participant, source__provider=provider, ends_at__gte=start, ends_at__lt=end
    ).exclude(external_id__in=kept)
    dates = set(gone.values_list("date", flat=True))
    if dates:
        gone.delete()
        choose_main_sleep(participant.pk, dates)
    return dates
