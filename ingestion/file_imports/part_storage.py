"""Storage of the rows of an ImportedPart: columns as Parquet, sessions and clock changes as JSON.

Rows that were new, or were there with the same value, are nearly all: their columns shrink to little.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import zlib
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from metrics.batch import Seconds, Sessions, Values
from metrics.writing.rollups import SeriesKey
from metrics.writing.row_changes import NO_SECONDS, OffsetTrace, SampleTrace, SessionTrace

# What a sample was before, beside the columns of its old value, which only a changed one has.
NEW, SAME, CHANGED = 0, 1, 2
INSTANTS = ("starts_at", "ends_at")


def kinds_of(part: SampleTrace) -> NDArray[np.int8]:
    """Kind of each sample, NEW, SAME or CHANGED, shape (n,)."""
    same = (part.before == part.value) & (part.seconds_before == part.seconds)
    return np.where(np.isnan(part.before), NEW, np.where(same, SAME, CHANGED)).astype(np.int8)


def pack_samples(part: SampleTrace) -> bytes:
    """Samples as Parquet; columns that say nothing (all new, no lengths) are left out."""
    kinds = kinds_of(part)
    columns: dict[str, Any] = {"time": part.time, "value": part.value}
    if (part.seconds >= 0).any():
        columns["seconds"] = pa.array(part.seconds, mask=part.seconds < 0)
    if kinds.any():
        columns["kind"] = kinds
    if (changed := kinds == CHANGED).any():
        columns["before"] = pa.array(part.before, mask=~changed)
        columns["seconds_before"] = pa.array(part.seconds_before, mask=~changed | (part.seconds_before < 0))
    sink = io.BytesIO()
    pq.write_table(
        pa.table(columns),
        sink,
        compression="zstd",
        use_dictionary=[name for name in columns if name != "time"],
        column_encoding={"time": "DELTA_BINARY_PACKED"},
        write_statistics=False,
        store_schema=False,
    )
    return sink.getvalue()


def unpack_samples(series: SeriesKey, content: bytes) -> SampleTrace:
    table = pq.read_table(io.BytesIO(content))
    time, value = table["time"].to_numpy(), table["value"].to_numpy()
    kinds = table["kind"].to_numpy() if "kind" in table.column_names else np.full(len(time), NEW, dtype=np.int8)
    seconds = _lengths(table, "seconds")
    before, seconds_before = value.copy(), seconds.copy()
    before[kinds == NEW], seconds_before[kinds == NEW] = np.nan, NO_SECONDS
    if (changed := kinds == CHANGED).any():
        before[changed] = table["before"].to_numpy()[changed]
        seconds_before[changed] = _lengths(table, "seconds_before")[changed]
    return SampleTrace(series, time.copy(), cast("Values", value.copy()), seconds, before, seconds_before)


def _lengths(table: pa.Table, name: str) -> Seconds:
    if name not in table.column_names:
        return np.full(table.num_rows, NO_SECONDS, dtype=np.int32)
    return cast("Seconds", table[name].fill_null(int(NO_SECONDS)).to_numpy().astype(np.int32))


def pack_sessions(traces: Sequence[SessionTrace]) -> bytes:
    return _packed([[trace.external_id, trace.own, trace.before, trace.finest_stays] for trace in traces])


def unpack_sessions(kind: Sessions, source: int, content: bytes) -> list[SessionTrace]:
    return [
        SessionTrace(
            kind, source, external_id, _with_instants(own), _with_instants(before) if before else None, finest_stays
        )
        for external_id, own, before, finest_stays in _unpacked(content)
    ]


def pack_offsets(traces: Sequence[OffsetTrace]) -> bytes:
    return _packed([[trace.starts_at, trace.utc_offset, trace.known, trace.before] for trace in traces])


def unpack_offsets(content: bytes) -> list[OffsetTrace]:
    return [OffsetTrace(dt.datetime.fromisoformat(at), *rest) for at, *rest in _unpacked(content)]


def _packed(rows: list[list[Any]]) -> bytes:
    return zlib.compress(json.dumps(rows, default=dt.datetime.isoformat).encode())


def _unpacked(content: bytes) -> list[list[Any]]:
    rows: list[list[Any]] = json.loads(zlib.decompress(content))
    return rows


def _with_instants(stored: dict[str, Any]) -> dict[str, Any]:
    return stored | {name: dt.datetime.fromisoformat(stored[name]) for name in INSTANTS}
