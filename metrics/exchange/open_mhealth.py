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

from metrics.batch import MICROSECOND, SourceKey
from metrics.exchange.mappings import SCHEMAS, Schema
from metrics.exchange.series import Series, day_ends, ids, numbers, source_name, stamps, texts
from metrics.registry import Kind


def omh_lines(series: Series) -> Iterator[bytes]:
    """The data points of a series, ascending in time, each a line with its line feed.

    None of a metric that no schema takes (mappings.LEFT_OUT), of a value that does not count, nor of one that is
    missing: the schemas have no way to say so.
    """
    series = series.counted()
    schema = SCHEMAS.get(series.metric.code)
    known = np.isfinite(series.value)
    if schema is None or not known.any():
        return
    time, made = series.time[known], ids("data-point/" + series.identity)
    lasts = _lasts(series, known, time)
    ends = time if lasts is None else lasts
    starts = stamps(time, series.calendar)
    finished = starts if lasts is None else stamps(ends, series.calendar)
    point, interval = _template(series, schema, _POINT), _template(series, schema, _INTERVAL)
    values, lasting = numbers(series.value[known]), (ends > time).tolist()
    for at, start, end, number, lasts_long in zip(time.tolist(), starts, finished, values, lasting, strict=True):
        uuid = made(at)
        if lasts_long:
            line = interval % (uuid, uuid, end, end, end, number, start, end)
        else:
            line = point % (uuid, uuid, start, start, start, number, start)
        yield line.encode()


_POINT = '"effective_time_frame":{"date_time":"%s"}'
_INTERVAL = '"effective_time_frame":{"time_interval":{"start_date_time":"%s","end_date_time":"%s"}}'


def _lasts(series: Series, known: Any, time: Any) -> Any:
    """The ends of days and intervals; None where all are instants. A step count without a length is of its minute."""
    if series.metric.kind is Kind.DAILY:
        return day_ends(time, series.calendar)
    if series.metric.kind is Kind.SAMPLE:
        return None
    seconds = series.seconds[known].astype(np.int64)
    return time + np.where(seconds > 0, seconds, 60) * MICROSECOND


def header(trial: str, study_id: str, source: SourceKey, name: str, version: str, imputed: bool = False) -> str:
    """A header as JSON, with %s for: id, uuid, creation time, source's creation time twice."""
    measured = not source.synthetic and not imputed
    origin = "" if measured else texts({"synthetic": source.synthetic, "imputed": imputed})[1:-1] + ","
    modality = '"modality":"sensed",' if measured else ""
    schema = texts({"namespace": "omh", "name": name, "version": version})
    text = (
        f'"header":{{"id":"\0","uuid":"\0","creation_date_time":"\0","schema_id":{schema},'
        f'"source_creation_date_time":"\0",{modality}{origin}'
        f'"acquisition_provenance":{{"source_name":{texts(source_name(source))},{modality}'
        f'"source_creation_date_time":"\0"}},"user_id":{texts(f"{trial}/{study_id}")}}}'
    )
    return text.replace("%", "%%").replace("\0", "%s")


def _template(series: Series, schema: Schema, frame: str) -> str:
    begin = header(series.trial, series.study_id, series.source, schema.name, schema.version, series.imputed)
    extra = "".join(f",{texts(key)}:{texts(value)}" for key, value in schema.extra).replace("%", "%%")
    unit = texts(schema.unit).replace("%", "%%")
    value = f'{texts(schema.member)}:{{"value":%s,"unit":{unit}}}'
    return "{" + begin + ',"body":{' + value + "," + frame + extra + "}}\n"
