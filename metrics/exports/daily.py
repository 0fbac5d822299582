"""The daily table, ready for analysis: a row a participant-day, as CSV, workbook and Parquet. Missing stays empty."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from metrics.exports import data_dictionary, store
from metrics.exports.data_dictionary import Variable
from metrics.exports.partial_file import PartialFile
from metrics.exports.plan import FIRST, LAST, metrics_of
from metrics.local_time import LocalCalendar
from metrics.models import DayRollup, DayStatus, Exclusion, Export, ParticipantDay, Source
from metrics.participant_calendars import calendars_of
from metrics.registry import BY_ID, Aggregate, Kind, Metric
from metrics.selection.collection_window import Collected, collected
from metrics.selection.readable_series import readable_of
from participants.models import Participant
from participants.tables import Workbook, harmless

CSV_PATH, PARQUET_PATH, XLSX_PATH = "daily.csv", "daily.parquet", "daily.xlsx"
TWINS = (PARQUET_PATH, XLSX_PATH)  # the same rows as in the CSV
CHUNK = 5  # participants at a time: some 50,000 rollups of a year
TYPES = {
    "text": pa.string(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us", "UTC"),
    "integer": pa.int64(),
    "decimal": pa.float64(),
    "yes/no": pa.bool_(),
}
Row = dict[str, Any]


def variables_of(export: Export) -> list[Variable]:
    """The table's columns, in their order: the same for all exports of these metrics."""
    protocols = list(export.trial.protocols.order_by("version"))
    variables = data_dictionary.of_days(protocols)
    return variables + [variable for metric in metrics_of(export) for variable in data_dictionary.of_metric(metric)]


def write(
    export: Export, alias: str, tell: Callable[[int], None], kept: Callable[[PartialFile, int | None], None]
) -> None:
    """Write the three files, from the snapshot behind `alias`."""
    columns = variables_of(export)
    schema = pa.schema([(column.name, TYPES[column.type]) for column in columns])
    names, rows = [column.name for column in columns], 0
    with (
        store.partial_file(export, CSV_PATH) as as_csv,
        store.partial_file(export, PARQUET_PATH) as as_parquet,
        store.partial_file(export, XLSX_PATH) as as_xlsx,
        store.scratch(export) as place,
    ):
        count, sheet = _days(export, alias).count(), cast(BinaryIO, _ReportingFile(as_xlsx, tell))
        book = Workbook(sheet, "Daily", names, count=count, csv=CSV_PATH, folder=str(place))
        # With the mark that tells a spreadsheet the encoding.
        text = io.TextIOWrapper(cast(BinaryIO, as_csv), encoding="utf-8-sig", newline="")
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(names)
        with pq.ParquetWriter(as_parquet, schema, compression="zstd") as parquet:
            for chunk in _chunks(export, alias):
                days = list(_rows(export, alias, chunk))
                for row in days:
                    values = [row.get(name) for name in names]
                    lines.writerow([cell(value) for value in values])
                    book.add(values)
                if days:
                    arrays = [pa.array([row.get(name) for row in days], schema.field(name).type) for name in names]
                    parquet.write_table(pa.table(arrays, schema=schema))
                rows += len(days)
                tell(len(days))
        text.detach()  # its last lines are written, and the file stays open
        book.close(data_dictionary.as_rows(columns))
        kept(as_csv, rows)
        kept(as_parquet, rows)
        kept(as_xlsx, rows)


class _ReportingFile(io.RawIOBase):
    """File that reports at each write that the export is at work: packing a large workbook takes minutes."""

    def __init__(self, file: PartialFile, tell: Callable[[int], None]) -> None:
        self._file, self._report = file, tell

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def write(self, data: Any) -> int:
        self._report(0)
        return self._file.write(data)


def cell(value: Any) -> str:
    """A field of CSV: instants ISO 8601 in UTC, decimals exact, missing empty, nothing that a spreadsheet would run."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() else repr(value)
    return harmless(value) if isinstance(value, str) else str(value)


def _days(export: Export, alias: str) -> Any:
    days = ParticipantDay.objects.using(alias).filter(participant__exports=export)
    days = days.exclude(participant__status=Participant.Status.ERASED)
    return days.filter(date__range=(export.start_on or FIRST, export.end_on or LAST))


def _chunks(export: Export, alias: str) -> Iterator[list[Participant]]:
    people = Participant.objects.using(alias).filter(exports=export).exclude(status=Participant.Status.ERASED)
    ids = list(people.order_by("study_id").values_list("pk", flat=True))
    for start in range(0, len(ids), CHUNK):
        some = Participant.objects.using(alias).filter(pk__in=ids[start : start + CHUNK])
        yield list(some.select_related("site").order_by("study_id"))


def _rows(export: Export, alias: str, people: Sequence[Participant]) -> Iterator[Row]:
    calendars = calendars_of(people, alias)
    held = collected(people, using=alias, calendars=calendars)
    values = _values(export, alias, people, calendars, held)
    days: dict[int, list[ParticipantDay]] = defaultdict(list)
    for day in _days(export, alias).filter(participant__in=people).order_by("date"):
        days[day.participant_id].append(day)
    for participant in people:
        for day in days[participant.pk]:
            status = _status_columns(export.trial.code, participant, day)
            if day.date in held[participant.pk]:
                yield status | _worn(day, values.get((participant.pk, day.date), {}))
            else:
                # The status of the day may be known; what was measured of it is nobody's.
                yield status | {"upload": _upload(DayStatus(day.status), known=False)}


def _status_columns(trial: str, participant: Participant, day: ParticipantDay) -> Row:
    status = DayStatus(day.status)
    counts = {DayStatus.VALID: True, DayStatus.INVALID: False, DayStatus.LOST: False}
    return {
        "trial": trial,
        "study_id": participant.study_id,
        "site": participant.site.code if participant.site else None,
        "arm": participant.arm or None,
        "date": day.date,
        "day_status": status.label,
        "day_reason": Exclusion(day.reason).label if day.reason else None,
        "valid": counts.get(status),
        "protocol_version": day.protocol_version,
        "known_at": day.known_at,
        "day_minutes": day.day_minutes,
    }


def _worn(day: ParticipantDay, measured: Row) -> Row:
    known = bool(measured) or day.last_sample_at is not None
    return {
        "upload": _upload(DayStatus(day.status), known),
        # Without any data nothing is known of the wrist: no minutes are not the same as zero minutes.
        "worn_minutes": day.worn_minutes if known else None,
        "fault_minutes": day.fault_minutes,
        "asleep_minutes": day.asleep_minutes,
        "last_sample_at": day.last_sample_at,
        **measured,
    }


def _upload(status: DayStatus, known: bool) -> str:
    if status == DayStatus.PENDING:
        return "partial" if known else "awaited"
    if known:
        return "received"
    return "lost" if status == DayStatus.LOST else "none"


def _values(
    export: Export,
    alias: str,
    people: Sequence[Participant],
    calendars: Mapping[int, LocalCalendar],
    held: Mapping[int, Collected],
) -> dict[tuple[int, dt.date], Row]:
    """Measured values by participant and local date: of each metric from the source that counts on it."""
    metrics, dates = metrics_of(export), (export.start_on or FIRST, export.end_on or LAST)
    days = dict.fromkeys(held, dates)
    among = export.sources or None
    chosen = readable_of(people, metrics, days, calendars, held, among=among, using=alias)
    metric_ids = [metric.id for metric in metrics]
    rollups = DayRollup.objects.using(alias).filter(participant__in=people, metric__in=metric_ids)
    names = ("participant", "metric", "source", "date", "minutes", "n", "total", "low", "high")
    values_of: dict[tuple[int, dt.date], Row] = defaultdict(dict)
    for participant, metric, source, date, *values in rollups.filter(date__range=dates).values_list(*names):
        of = chosen.get((participant, metric))
        if of and (counts := of.counting(source, date)):
            values_of[participant, date] |= _measured(BY_ID[metric], counts, *values)
    return values_of


def _measured(metric: Metric, source: Source, minutes: int, n: int, total: float, low: float, high: float) -> Row:
    mean, named = total / n, {f"{metric.code}_source": str(source)}
    if metric.kind is Kind.DAILY:
        return {metric.code: total if metric.aggregate is Aggregate.SUM else mean, **named}
    counted = {f"{metric.code}_minutes": minutes, **named}
    if metric.aggregate is Aggregate.SUM:
        return {metric.code: total, **counted}
    return {f"{metric.code}_mean": mean, f"{metric.code}_min": low, f"{metric.code}_max": high, **counted}
