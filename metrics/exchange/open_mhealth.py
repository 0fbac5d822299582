"""Open mHealth and IEEE 1752.1: a data point a sample, one a line.

The header satisfies both: Open mHealth's (`id`, `creation_date_time`, `acquisition_provenance`, `user_id`) and IEEE
1752.1's (`uuid`, `source_creation_date_time`, `modality`), since readers of either ignore the members of the other.
Its creation times are the end of what was measured, not the moment of the export, so that a point exported again is
the same to the byte. What no person's sensor measured has no modality, and says what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from metrics.batch import MICROSECOND, SourceKey, Times, Values
from metrics.exchange.mappings import SCHEMAS, Schema
from metrics.exchange.series import Series, day_ends, id_texts, number_column, source_name, stamp_texts, texts
from metrics.registry import Kind
from metrics.text_columns import TextColumn, rows

# Where a data point's text differs from one to the next; no JSON has this character.
GAP = "\0"
BLOCK = 16_384  # lines that are in memory at once, of some 700 bytes each


def omh_blocks(series: Series) -> Iterator[tuple[int, bytes]]:
    """The data points of a series, ascending in time, each a line with its line feed; in blocks of so many lines.

    None of a metric that no schema takes (mappings.LEFT_OUT), of a value that does not count, nor of one that is
    missing: the schemas have no way to say so.
    """
    series = series.counted()
    schema = SCHEMAS.get(series.metric.code)
    known = np.isfinite(series.value)
    if schema is None or not known.any():
        return
    time, value = series.time[known], series.value[known]
    ends = _ends(series, known, time)
    for first in range(0, len(time), BLOCK):
        block = slice(first, first + BLOCK)
        points = _points(series, schema, time[block], None if ends is None else ends[block], value[block])
        yield len(time[block]), points


def _points(series: Series, schema: Schema, time: Times, ends: Times | None, value: Values) -> bytes:
    uuid = TextColumn(id_texts("data-point/" + series.identity, time))
    start, number = TextColumn(stamp_texts(time, series.calendar)), number_column(value)
    if ends is None:
        return rows(_filled(series, schema, _POINT, [uuid, uuid, start, start, start, number, start]))
    end = TextColumn(stamp_texts(ends, series.calendar))
    return rows(_filled(series, schema, _INTERVAL, [uuid, uuid, end, end, end, number, start, end]))


_POINT = f'"effective_time_frame":{{"date_time":"{GAP}"}}'
_INTERVAL = f'"effective_time_frame":{{"time_interval":{{"start_date_time":"{GAP}","end_date_time":"{GAP}"}}}}'


def _filled(series: Series, schema: Schema, frame: str, columns: list[TextColumn]) -> list[TextColumn | str]:
    """A data point's text with a column in each gap."""
    first, *others = _template(series, schema, frame).split(GAP)
    return [first, *(part for pair in zip(columns, others, strict=True) for part in pair)]


def _ends(series: Series, known: Any, time: Times) -> Times | None:
    """The ends of days and intervals; None where all are instants. A step count without a length is of its minute."""
    if series.metric.kind is Kind.DAILY:
        return day_ends(time, series.calendar)
    if series.metric.kind is Kind.SAMPLE:
        return None
    seconds = series.seconds[known].astype(np.int64)
    ends: Times = time + np.where(seconds > 0, seconds, 60) * MICROSECOND
    return ends


def header(trial: str, study_id: str, source: SourceKey, name: str, version: str, imputed: bool = False) -> str:
    """A header as JSON, with a GAP for each of: id, uuid, creation time, source's creation time twice."""
    measured = not source.synthetic and not imputed
    origin = "" if measured else texts({"synthetic": source.synthetic, "imputed": imputed})[1:-1] + ","
    modality = '"modality":"sensed",' if measured else ""
    schema = texts({"namespace": "omh", "name": name, "version": version})
    return (
        f'"header":{{"id":"{GAP}","uuid":"{GAP}","creation_date_time":"{GAP}","schema_id":{schema},'
        f'"source_creation_date_time":"{GAP}",{modality}{origin}'
        f'"acquisition_provenance":{{"source_name":{texts(source_name(source))},{modality}'
        f'"source_creation_date_time":"{GAP}"}},"user_id":{texts(f"{trial}/{study_id}")}}}'
    )


def _template(series: Series, schema: Schema, frame: str) -> str:
    begin = header(series.trial, series.study_id, series.source, schema.name, schema.version, series.imputed)
    extra = "".join(f",{texts(key)}:{texts(value)}" for key, value in schema.extra)
    value = f'{texts(schema.member)}:{{"value":{GAP},"unit":{texts(schema.unit)}}}'
    return "{" + begin + ',"body":{' + value + "," + frame + extra + "}}\n"
