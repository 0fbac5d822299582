"""The only writer of measurements, nights and what is derived from them.

One transaction a delivery, under one advisory lock a participant. A batch whose time span holds nothing yet is
copied straight into the hypertable; any other goes through a staging table and an anti-join, so that only rows
that are new or differ are touched, and the old value of each that differs is kept as a Revision. Then the touched
minutes, hours, local days and participant-days are recomputed from the rows beneath them. Storing the same thing
twice therefore changes nothing, and two writers on one participant take turns.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.utils import timezone
from numpy.typing import NDArray

from metrics import rollups, sql
from metrics.batch import (
    Delivery,
    OffsetChange,
    Refusal,
    SampleBatch,
    Seconds,
    SleepRecord,
    SourceKey,
    Times,
    Values,
    instant,
)
from metrics.calendars import calendar_of
from metrics.models import OffsetPeriod, SleepSession, SleepStage, Source
from metrics.registry import BY_CODE
from participants.models import Participant

# PostgreSQL counts time from 2000-01-01; rows of a binary COPY go out in parts of this many.
PG_EPOCH = 946_684_800_000_000
COPY_ROWS = 131_072
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
COPY_TRAILER = b"\xff\xff"


class SyntheticRefused(Exception):
    """Synthetic data was offered to a trial that is not a demo."""


@dataclass(slots=True)
class Counts:
    """What became of the samples and nights of a delivery.

    `repeated`: samples at the instant of another in the same batch. `flagged`: stored although implausible.
    `rejected`: not stored, by reason.
    """

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    repeated: int = 0
    flagged: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    sleep_new: int = 0
    sleep_changed: int = 0
    sleep_unchanged: int = 0

    def __add__(self, other: Counts) -> Counts:
        mine, theirs = asdict(self), asdict(other)
        rejected = dict(Counter(mine.pop("rejected")) + Counter(theirs.pop("rejected")))
        return Counts(rejected=rejected, **{name: mine[name] + theirs[name] for name in mine})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def store(participant: Participant, delivery: Delivery, *, now: dt.datetime | None = None) -> Counts:
    """Store all that came for one participant, or nothing.

    Raises SyntheticRefused where a source is synthetic and the trial is no demo, and database errors as they are.
    """
    now = now or timezone.now()
    keys = {batch.source for batch in delivery.samples} | {record.source for record in delivery.sleep}
    if any(key.synthetic for key in keys) and not participant.trial.is_demo:
        raise SyntheticRefused(f"{participant.trial.code} is not a demo trial: synthetic data is refused.")
    counts = Counts()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(sql.LOCK, [participant.pk])
        sources = {key: source_for(key) for key in keys}
        if delivery.offsets:
            _store_offsets(participant, delivery.offsets, now)
        calendar = calendar_of(participant)
        dates: set[dt.date] = set()
        for batch in delivery.samples:
            series = rollups.SeriesKey(participant.pk, BY_CODE[batch.metric], sources[batch.source].pk)
            written = _store_batch(series, batch, now)
            counts += written.counts
            dates |= rollups.refresh(series, written.touched, calendar, minutes_done=written.minutes_done)
        if delivery.sleep:
            nights, stored = _store_sleep(participant, delivery.sleep, sources, now)
            counts += stored
            dates |= nights
        rollups.refresh_participant_days(participant.pk, dates, calendar, now)
    return counts


def source_for(key: SourceKey) -> Source:
    """The row of a source, made at its first use."""
    return Source.objects.get_or_create(
        provider=key.provider,
        platform=key.platform,
        device_model=key.device_model,
        defaults={"synthetic": key.synthetic},
    )[0]


@dataclass(slots=True)
class _Written:
    """What became of a batch; `touched`: the times at which something changed, ascending."""

    counts: Counts
    touched: Times
    minutes_done: bool = False


def _store_batch(series: rollups.SeriesKey, batch: SampleBatch, now: dt.datetime) -> _Written:
    """Write one batch by the road that fits: straight in where its minutes are empty, else what differs."""
    counts = Counts()
    refusals = batch.refusals(now)
    for refusal in Refusal:
        if refusal and (found := int(np.count_nonzero(refusals == refusal))):
            counts.rejected[refusal.text] = found
    time, value, seconds, counts.repeated = _in_order(batch, refusals == Refusal.NONE)
    if not len(time):
        return _Written(counts, time)
    low, high = series.metric.plausible
    counts.flagged = int(np.count_nonzero((value < low) | (value > high)))
    # Whole minutes, so that the minute buckets of new rows are known without looking at the table again.
    first, last = (
        int(time[0]) // rollups.MINUTE * rollups.MINUTE,
        (int(time[-1]) // rollups.MINUTE + 1) * rollups.MINUTE,
    )
    bounds = {"low": instant(first), "high": instant(last)}
    with connection.cursor() as cursor:
        cursor.execute(sql.HAS_ROWS, {**series.parameters, **bounds})
        if not cursor.fetchone()[0]:
            _copy_measurements(cursor, series, time, value, seconds)
            if series.metric.subminute:
                _copy_minutes(cursor, series, time, value)
            counts.new = len(time)
            return _Written(counts, time, minutes_done=True)
        fresh, differing = _differences(cursor, series, time, value, seconds, bounds)
        if differing.any():
            parameters = {**series.parameters, **bounds}
            cursor.execute(sql.KEEP_OLD_VALUES, parameters)
            cursor.execute(sql.CHANGE_VALUES, parameters)
        if fresh.any():
            part = None if seconds is None else seconds[fresh]
            _copy_measurements(cursor, series, time[fresh], value[fresh], part)
    counts.new, counts.changed = int(np.count_nonzero(fresh)), int(np.count_nonzero(differing))
    counts.unchanged = len(time) - counts.new - counts.changed
    return _Written(counts, time[fresh | differing])


def _in_order(batch: SampleBatch, wanted: NDArray[np.bool_]) -> tuple[Times, Values, Seconds | None, int]:
    """The batch's columns without the unwanted rows, ascending in time, one row an instant: the last one given."""
    time, value, seconds = batch.time, batch.value, batch.seconds
    if not wanted.all():
        time, value = time[wanted], value[wanted]
        seconds = None if seconds is None else seconds[wanted]
    if len(time) < 2 or bool((time[1:] > time[:-1]).all()):
        return time, value, seconds, 0
    order = np.argsort(time, kind="stable")
    last = np.append(time[order][1:] != time[order][:-1], True)
    order = order[last]
    return time[order], value[order], None if seconds is None else seconds[order], len(time) - len(order)


def _differences(
    cursor: Any,
    series: rollups.SeriesKey,
    time: Times,
    value: Values,
    seconds: Seconds | None,
    bounds: dict[str, dt.datetime],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Stage the columns; returns masks over them: rows that the store lacks, rows that it has otherwise."""
    cursor.execute(sql.STAGE)
    cursor.execute(sql.STAGE_EMPTY)
    columns: list[tuple[str, Any]] = [("time", time - PG_EPOCH), ("value", value)]
    if seconds is not None:
        columns.append(("seconds", seconds))
    _copy(cursor, sql.COPY_STAGED_SAMPLES if seconds is None else sql.COPY_STAGED_INTERVALS, columns)
    cursor.execute(sql.DIFFERENCES, {**series.parameters, **bounds})
    rows = cursor.fetchall()
    fresh, differing = np.zeros(len(time), dtype=bool), np.zeros(len(time), dtype=bool)
    if rows:
        at, known = np.array([row[0] for row in rows], dtype=np.int64), np.array([row[1] for row in rows], dtype=bool)
        fresh[np.searchsorted(time, at[~known])] = True
        differing[np.searchsorted(time, at[known])] = True
    return fresh, differing


def _copy_measurements(
    cursor: Any, series: rollups.SeriesKey, time: Times, value: Values, seconds: Seconds | None
) -> None:
    columns = [*_key_columns(series), ("time", time - PG_EPOCH), ("value", value)]
    if seconds is not None:
        columns.append(("seconds", seconds))
    _copy(cursor, sql.COPY_SAMPLES if seconds is None else sql.COPY_INTERVALS, columns)


def _copy_minutes(cursor: Any, series: rollups.SeriesKey, time: Times, value: Values) -> None:
    bucket, n, total, low, high = rollups.minutes_of(time, value)
    columns = [("bucket", bucket - PG_EPOCH), ("n", n), ("total", total), ("low", low), ("high", high)]
    _copy(cursor, sql.COPY_MINUTES, [*_key_columns(series), *columns])


def _key_columns(series: rollups.SeriesKey) -> list[tuple[str, Any]]:
    participant, metric, source = series.ids
    return [("participant", np.int32(participant)), ("metric", np.int16(metric)), ("source", np.int16(source))]


def _copy(cursor: Any, statement: str, columns: Sequence[tuple[str, Any]]) -> None:
    """Binary COPY of columns (arrays of one length, or scalars that repeat) without a Python object a row.

    The wire format of a row: int16 number of fields, then for each an int32 length and the big-endian value.
    https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY
    """
    row: list[tuple[str, str]] = [("fields", ">i2")]
    for name, column in columns:
        row += [(f"{name}_length", ">i4"), (name, column.dtype.newbyteorder(">").str)]
    n = max(len(column) for _, column in columns if column.ndim)
    with cursor.copy(statement) as copy:
        copy.write(COPY_HEADER)
        for start in range(0, n, COPY_ROWS):
            part = slice(start, min(start + COPY_ROWS, n))
            rows = np.empty(part.stop - part.start, dtype=row)
            rows["fields"] = len(columns)
            for name, column in columns:
                rows[f"{name}_length"] = column.dtype.itemsize
                rows[name] = column[part] if column.ndim else column
            copy.write(rows.tobytes())
        copy.write(COPY_TRAILER)


# --- sleep ---------------------------------------------------------------------------------------------------

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


def _store_sleep(
    participant: Participant, records: Sequence[SleepRecord], sources: dict[SourceKey, Source], now: dt.datetime
) -> tuple[set[dt.date], Counts]:
    """Write nights by (participant, source, external id); returns the local dates concerned and the counts."""
    counts, dates = Counts(), set()
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


# --- the participant's clock -----------------------------------------------------------------------------------


def _store_offsets(participant: Participant, changes: Iterable[OffsetChange], now: dt.datetime) -> None:
    """Keep what the device said of its clock; where that moves day borders, the days are recomputed."""
    known = dict(OffsetPeriod.objects.filter(participant=participant).values_list("starts_at", "utc_offset"))
    news = {
        c.starts_at: c.utc_offset for c in changes if c.starts_at not in known or known[c.starts_at] != c.utc_offset
    }
    if not news:
        return
    OffsetPeriod.objects.bulk_create(
        [OffsetPeriod(participant=participant, starts_at=at, utc_offset=offset) for at, offset in news.items()],
        update_conflicts=True,
        unique_fields=["participant", "starts_at"],
        update_fields=["utc_offset"],
    )
    later = [at for at in {**known, **news} if at > max(news)]
    recompute(participant, min(news), min(later, default=now), now=now)


def recompute(
    participant: Participant, start: dt.datetime, end: dt.datetime, *, now: dt.datetime | None = None
) -> None:
    """Rebuild the local days between two instants, after the participant's zone or clock was corrected.

    Minutes and hours are UTC and stay. Nights move to the local date on which they now end.
    """
    now = now or timezone.now()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(sql.LOCK, [participant.pk])
        calendar = calendar_of(participant)
        # A day more at both ends: an instant may have belonged to a neighbouring date before.
        first, last = calendar.date(start) - dt.timedelta(days=1), calendar.date(end) + dt.timedelta(days=1)
        sessions = list(
            SleepSession.objects.filter(
                participant=participant,
                ends_at__gte=start - dt.timedelta(days=1),
                ends_at__lte=end + dt.timedelta(days=1),
            )
        )
        for session in sessions:
            session.date = calendar.date(session.ends_at)
        SleepSession.objects.bulk_update(sessions, ["date"], batch_size=500)
        rollups.rebuild_days(participant.pk, first, last, calendar, now)
