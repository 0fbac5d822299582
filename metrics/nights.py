"""Writing nights, and deciding to which local day they belong and which of them is the main sleep.

Part of the writer; called inside its transaction.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db import connection

from metrics import sql
from metrics.batch import Refusal, SleepRecord, SourceKey
from metrics.calendars import calendar_of
from metrics.counts import Counts
from metrics.models import SleepSession, SleepStage, Source
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
    "processed",
    "stages",
    "asleep_minutes",
    "awake_minutes",
    *_STAGE_FIELD.values(),
)


def _session(participant: Participant, record: SleepRecord, source: Source, date: dt.date) -> SleepSession:
    """A record as a row. Asleep is what is neither awake nor, in Fitbit's classic staging, restless."""
    seconds: Counter[str] = Counter()
    for stage in record.stages:
        seconds[stage.stage] += stage.seconds
    in_bed = (record.ends_at - record.starts_at).total_seconds()
    idle = seconds[SleepStage.AWAKE] + seconds[SleepStage.RESTLESS]
    asleep = sum(seconds.values()) - idle if record.stages else in_bed
    return SleepSession(
        participant=participant,
        source=source,
        external_id=record.external_id,
        starts_at=record.starts_at,
        ends_at=record.ends_at,
        date=date,
        is_main=record.is_main is not False,
        processed=record.processed,
        stages=[
            [round((stage.starts_at - record.starts_at).total_seconds()), stage.seconds, str(stage.stage)]
            for stage in record.stages
        ],
        asleep_minutes=round(asleep / 60),
        awake_minutes=round(seconds[SleepStage.AWAKE] / 60),
        **{name: round(seconds[stage] / 60) for stage, name in _STAGE_FIELD.items() if stage in seconds},
    )


def store_sleep(
    participant: Participant, records: Sequence[SleepRecord], sources: dict[SourceKey, Source], now: dt.datetime
) -> tuple[set[dt.date], Counts]:
    """Write nights by (participant, source, external id); returns the local dates concerned and the counts."""
    counts, dates = Counts(), set[dt.date]()
    if not records:
        return dates, counts
    calendar = calendar_of(participant)
    latest = {(sources[r.source].pk, r.external_id): r for r in records}
    counts.repeated = len(records) - len(latest)
    found = SleepSession.objects.filter(participant=participant, external_id__in=[key[1] for key in latest])
    known = {(row.source_id, row.external_id): row for row in found}
    write: list[SleepSession] = []
    undecided: dict[int, set[dt.date]] = {}
    for key, record in latest.items():
        if record.ends_at > now + dt.timedelta(minutes=10) or record.ends_at <= record.starts_at:
            reason = Refusal.FUTURE.text if record.ends_at > now else "sleep ends before it starts"
            counts.rejected[reason] = counts.rejected.get(reason, 0) + 1
            continue
        row = _session(participant, record, sources[record.source], calendar.date(record.ends_at))
        old = known.get(key)
        if record.is_main is None:
            undecided.setdefault(key[0], set()).add(row.date)
            row.is_main = old.is_main if old else True
        if old and all(getattr(old, name) == getattr(row, name) for name in (*_SLEEP_FIELDS, "is_main")):
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
        update_fields=[*_SLEEP_FIELDS, "is_main"],
    )
    with connection.cursor() as cursor:
        for source, days in undecided.items():
            if days & dates:
                parameters: dict[str, Any] = {"participant": participant.pk, "source": source, "dates": sorted(days)}
                cursor.execute(sql.CHOOSE_MAIN_SLEEP, parameters)
    return dates, counts


def remove_absent_sleep(
    participant: Participant, provider: str, kept: set[str], start: dt.datetime, end: dt.datetime
) -> set[dt.date]:
    """Take away a provider's nights that end in [start, end) and are not among the kept external ids.

    Returns the local dates concerned.
    """
    gone = SleepSession.objects.filter(
        participant=participant, source__provider=provider, ends_at__gte=start, ends_at__lt=end
    ).exclude(external_id__in=kept)
    dates = list(gone.values_list("date", flat=True))
    gone.delete()
    return set(dates)
