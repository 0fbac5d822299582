"""Series as answers: columns for JSON, rows for CSV and NDJSON. A bucket without data is null or absent, never zero."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from metrics.api import timestamps
from metrics.api.series_parameters import SeriesParameters
from metrics.batch import Times
from metrics.models import Source
from metrics.reading.queries import ReadFrom, Series
from metrics.reading.raw import Samples
from metrics.registry import BY_ID, Metric
from metrics.selection.plausible_range import plausible
from metrics.time_buckets import DAY_SECONDS, Span, buckets
from participants.models import Participant

OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
_COLUMNS = {"mean": "mean", "sum": "total", "min": "low", "max": "high", "count": "n"}
RAW_HEAD = "participant,metric,source,time,value,seconds,plausible\n"
# Rows of text that are handed to the network at a time.
ROWS_A_PART = 4000


def source_facts(source: Source | None) -> dict[str, Any] | None:
    if source is None:
        return None
    return {
        "id": source.pk,
        "provider": source.provider,
        "platform": source.platform,
        "device_model": source.device_model,
        "synthetic": source.synthetic,
    }


def head(
    person: Participant,
    metric: Metric,
    sources: Sequence[ReadFrom],
    others: Sequence[Source],
    width: int,
    zone: zoneinfo.ZoneInfo | None,
) -> dict[str, Any]:
    """Head of a series: what it says of itself, before its columns. `zone`: where times are local."""
    begins = timestamps.texts(np.array([read_from.at for read_from in sources], dtype=np.int64), zone)
    return {
        "participant": person.study_id,
        "metric": metric.code,
        "unit": metric.unit,
        "aggregate": metric.aggregate.value,
        "time_zone": person.time_zone,
        "width_seconds": width,
        "source": source_facts(sources[-1].source if sources else None),
        "sources": [
            {"date": read_from.date, "time": time, "source": source_facts(read_from.source)}
            for read_from, time in zip(sources, begins, strict=True)
        ],
        "other_sources": [source_facts(source) for source in others],
    }


def series_columns(series: Series, person: Participant, span: Span, parameters: SeriesParameters) -> dict[str, Any]:
    """One series as an object of columns: `time`, of whole days `date` too, and each statistic asked for."""
    zone = zoneinfo.ZoneInfo(person.time_zone)
    time, columns = _columns(series, span, zone, parameters)
    local = zone if parameters.local else None
    answer = head(person, series.metric, series.sources, series.others, series.width, local)
    answer["time"] = timestamps.texts(time, zone) if parameters.local else timestamps.utc(time)
    if series.width >= DAY_SECONDS:
        answer["date"] = timestamps.dates(time, zone)
    return answer | columns


def _columns(
    series: Series, span: Span, zone: zoneinfo.ZoneInfo, parameters: SeriesParameters
) -> tuple[Times, dict[str, list[int | None] | NDArray[Any]]]:
    """Times and statistics: of the buckets with data, or of all of the span with nulls between."""
    chosen: dict[str, Any] = {name: getattr(series, _COLUMNS[name]) for name in parameters.statistics}
    if parameters.omit or not series.width:
        return series.time, chosen
    grid = buckets(span, series.width, zone)
    if len(grid) == len(series.time):
        return grid, chosen
    places = np.searchsorted(grid, series.time)
    return grid, {name: _spread(values, places, len(grid)) for name, values in chosen.items()}


def _spread(values: NDArray[Any], places: NDArray[np.int64], n: int) -> list[int | None] | NDArray[Any]:
    """Values at their places among n. NaN is null in JSON; whole numbers know no NaN and become a list."""
    if values.dtype.kind == "f":
        spread = np.full(n, np.nan)
        spread[places] = values
        return spread
    counted: list[int | None] = [None] * n
    for place, value in zip(places.tolist(), values.tolist(), strict=True):
        counted[place] = value
    return counted


def bucket_rows(
    every_series: Iterable[Series],
    people: Mapping[int, Participant],
    spans: Mapping[int, Span],
    parameters: SeriesParameters,
) -> Iterator[bytes]:
    """Buckets as rows of CSV (with a head) or NDJSON: one for each, in the order of the series."""
    names = ("participant", "metric", "unit", "source", "width_seconds", "time", "date", *parameters.statistics)
    if parameters.form == "csv":
        yield (",".join(names) + "\n").encode()
    for series in every_series:
        person = people[series.participant_id]
        zone = zoneinfo.ZoneInfo(person.time_zone)
        time, columns = _columns(series, spans[person.pk], zone, parameters)
        constant = (person.study_id, series.metric.code, series.metric.unit)
        sources = _sources_at(series, time)
        days = timestamps.dates(time, zone) if series.width >= DAY_SECONDS else [None] * len(time)
        values = [columns[name] for name in parameters.statistics]
        lists = [column if isinstance(column, list) else _nulls(column) for column in values]
        times = timestamps.texts(time, zone if parameters.local else None)
        cells = zip(sources, [series.width] * len(time), times, days, *lists, strict=True)
        rows = [(*constant, *row) for row in cells]
        if parameters.form == "csv":
            lines = [_csv(row) for row in rows]
        else:
            lines = [orjson.dumps(dict(zip(names, row, strict=True))) for row in rows]
        yield b"".join(line + b"\n" for line in lines)


def _sources_at(series: Series, time: Times) -> list[int | None]:
    """The id of the source that is read where each bucket begins; before the first, of that one."""
    if not series.sources:
        return [None] * len(time)
    places = np.searchsorted([read_from.at for read_from in series.sources], time, side="right") - 1
    return [series.sources[place].source.pk for place in np.maximum(places, 0).tolist()]


def _nulls(column: NDArray[Any]) -> list[Any]:
    values = column.tolist()
    return [None if value != value else value for value in values]  # noqa: PLR0124  NaN alone differs from itself


def _csv(row: Iterable[Any]) -> bytes:
    """A row without quotes: codes, numbers and times need none."""
    return ",".join("" if cell is None else str(cell) for cell in row).encode()


class RawRows:
    """Raw samples as rows of CSV or NDJSON. Knows each series' constant part, so that a row costs one string."""

    def __init__(self, series: Sequence[tuple[Participant, Metric, int]], *, local: bool, form: str) -> None:
        self._csv = form == "csv"
        self._zones = [zoneinfo.ZoneInfo(person.time_zone) if local else None for person, _, _ in series]
        self._begins = [self._begin(person.study_id, metric.code, source) for person, metric, source in series]
        self._metrics = [metric for _, metric, _ in series]

    def _begin(self, study_id: str, metric: str, source: int) -> str:
        if self._csv:
            return f"{study_id},{metric},{source},"
        facts = orjson.dumps({"participant": study_id, "metric": metric, "source": source}).decode()
        return f'{facts[:-1]},"time":"'

    def parts(self, pieces: Iterable[Samples]) -> Iterator[bytes]:
        """The whole answer in parts of some thousand rows."""
        if self._csv:
            yield RAW_HEAD.encode()
        for piece in pieces:
            for first in range(0, len(piece), ROWS_A_PART):
                yield self._text(piece.part(first, first + ROWS_A_PART)).encode()

    def _text(self, samples: Samples) -> str:
        begins, none = self._begins, "" if self._csv else "null"
        lengths = ["" if s < 0 else str(s) for s in samples.seconds.tolist()]
        marks = ["true" if counts else "false" for counts in self._counted(samples).tolist()]
        columns = zip(
            samples.series.tolist(), self._times(samples), samples.value.tolist(), lengths, marks, strict=True
        )
        if self._csv:
            return "".join([f"{begins[i]}{t},{v!r},{s},{p}\n" for i, t, v, s, p in columns])
        return "".join(
            [f'{begins[i]}{t}","value":{v!r},"seconds":{s or none},"plausible":{p}}}\n' for i, t, v, s, p in columns]
        )

    def _counted(self, samples: Samples) -> NDArray[np.bool_]:
        """Which samples count."""
        counts = np.zeros(len(samples), dtype=bool)
        metrics = np.array([metric.id for metric in self._metrics])[samples.series]
        for metric in np.unique(metrics).tolist():
            of_metric = metrics == metric
            counts[of_metric] = plausible(BY_ID[metric], samples.value[of_metric], samples.seconds[of_metric])
        return counts

    def _times(self, samples: Samples) -> list[str]:
        zones = {self._zones[i] for i in np.unique(samples.series).tolist()}
        if len(zones) == 1:
            return timestamps.texts(samples.time, zones.pop())
        written: list[str] = [""] * len(samples)
        for zone in zones:
            of = np.flatnonzero([self._zones[i] == zone for i in samples.series.tolist()])
            for place, text in zip(of.tolist(), timestamps.texts(samples.time[of], zone), strict=True):
                written[place] = text
        return written


@dataclass(slots=True)
class RawSeries:
    """A series of raw samples: whose, of what, the sources that are read of the whole span, and the others."""

    person: Participant
    metric: Metric
    sources: Sequence[ReadFrom]
    others: Sequence[Source]


def raw_columns(
    samples: Samples, of: Sequence[int], series: Sequence[RawSeries], *, local: bool
) -> list[dict[str, Any]]:
    """A page of raw samples as columns: an object for each series that has samples in it.

    `of`: the series (an index) of each interval that was read.
    """
    answers = []
    which = np.array(of, dtype=np.int64)[samples.series]
    for place in np.unique(which).tolist():
        raw_series, of_series = series[place], which == place
        time, seconds = samples.time[of_series], samples.seconds[of_series].tolist()
        zone = zoneinfo.ZoneInfo(raw_series.person.time_zone) if local else None
        answer = head(raw_series.person, raw_series.metric, raw_series.sources, raw_series.others, 0, zone)
        answer["time"] = timestamps.texts(time, zone) if zone else timestamps.utc(time)
        answer["value"] = np.ascontiguousarray(samples.value[of_series])
        answer["seconds"] = [None if s < 0 else s for s in seconds]
        answer["plausible"] = plausible(raw_series.metric, samples.value[of_series], samples.seconds[of_series])
        answers.append(answer)
    return answers
