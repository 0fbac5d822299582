"""Writers of files from columns of samples: one writer a format (see formats.py).

Writers hold at most ROW_GROUP rows in memory, whatever the size of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar, Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from metrics.batch import MICROSECOND
from metrics.exports.columns import NO_LENGTH, Samples
from metrics.exports.compression import open_compressed
from metrics.local_time import LocalCalendar
from metrics.models import Export, Source
from metrics.registry import Metric
from metrics.selection.plausible_range import plausible
from metrics.text_columns import clock_times, dates, rows, text_column

ROW_GROUP = 262_144
COLUMNS = ("study_id", "source", "time", "utc_offset_minutes", "value", "seconds", "plausible")


@dataclass(frozen=True, slots=True)
class Context:
    """Context of a file, which its samples share: their metric, and by row number who and what the numbers stand
    for."""

    trial: str
    metric: Metric
    people: Mapping[int, str]  # study ids
    calendars: Mapping[int, LocalCalendar]
    sources: Mapping[int, Source]
    compression: str = Export.Compression.GZIP.value  # a key of compression.SUFFIXES


class Writer(Protocol):
    """Takes the samples of one file, interval by interval, each a participant's and a source's, ascending in time.

    The file is the caller's to close. `written`: rows or lines in the file so far, without a heading.
    """

    written: int

    def __init__(self, out: BinaryIO, context: Context) -> None: ...
    def write(self, samples: Samples) -> None: ...
    def close(self) -> None: ...


class _Gathering:
    """Gathers samples, and hands about `at_once` rows at a time to a thread of its own.

    What is written is made there while the next rows come in: making columns and text, compressing and waiting for the
    disk need no turns.
    """

    at_once: ClassVar[int] = ROW_GROUP

    def __init__(self, out: BinaryIO, context: Context) -> None:
        self.out, self.context = out, context
        self.written = 0
        self._waiting: list[Samples] = []
        self._rows = 0
        self._writing = ThreadPoolExecutor(1)
        self._writes: Future[None] | None = None

    def write(self, samples: Samples) -> None:
        self._waiting.append(samples)
        self._rows += len(samples)
        if self._rows >= self.at_once:
            self._flush()

    def close(self) -> None:
        try:
            if self._waiting:
                self._flush()
            if self._writes:
                self._writes.result()
        finally:
            self._writing.shutdown()

    def _flush(self) -> None:
        parts, self._waiting, self._rows = self._waiting, [], 0
        if self._writes:
            self._writes.result()
        self._writes = self._writing.submit(self.take, parts)

    def take(self, parts: Sequence[Samples]) -> None:
        """Write what was gathered. Called in the thread, once at a time."""
        raise NotImplementedError


class _Tables(_Gathering):
    """Makes tables of what was gathered."""

    def take(self, parts: Sequence[Samples]) -> None:
        self.take_table(self.table(parts))
        self.written += sum(map(len, parts))

    def take_table(self, table: Any) -> None:
        """Write a table with COLUMNS."""
        raise NotImplementedError

    def table(self, parts: Sequence[Samples]) -> Any:
        """A table with COLUMNS, rows in the order given."""
        context, lengths = self.context, [len(samples) for samples in parts]
        value, seconds = (
            np.concatenate([getattr(samples, name) for samples in parts]) for name in ("value", "seconds")
        )
        columns = [
            _repeated([context.people[samples.interval.participant] for samples in parts], lengths),
            _repeated([str(context.sources[samples.interval.source]) for samples in parts], lengths),
            pa.array(np.concatenate([samples.time for samples in parts]), pa.timestamp("us", "UTC")),
            pa.array(np.concatenate([self._offset(samples) for samples in parts])),
            pa.array(value),
            pa.array(seconds, mask=seconds == NO_LENGTH),
            pa.array(plausible(context.metric, value, seconds)),
        ]
        return pa.table(columns, names=list(COLUMNS))

    def _offset(self, samples: Samples) -> Any:
        calendar = self.context.calendars[samples.interval.participant]
        return (calendar.offsets(samples.time) // 60).astype(np.int16)


def _repeated(texts: Sequence[str], lengths: Sequence[int]) -> Any:
    """A column with each of the texts so many times, as its distinct ones and places among them."""
    encoded = pa.array(texts, pa.string()).dictionary_encode()
    places = np.repeat(encoded.indices.to_numpy(), lengths)
    return pa.DictionaryArray.from_arrays(pa.array(places), encoded.dictionary)


class ParquetWriter(_Tables):
    """Apache Parquet with zstd. Metric, trial and date stand in the folders' names, as Hive and its readers have it."""

    _file: Any = None

    def take_table(self, table: Any) -> None:
        if self._file is None:
            self._file = pq.ParquetWriter(
                self.out,
                table.schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=["study_id", "source", "utc_offset_minutes", "value", "seconds"],
                column_encoding={"time": "DELTA_BINARY_PACKED"},
                write_page_index=True,
            )
        self._file.write_table(table)

    def close(self) -> None:
        super().close()
        if self._file is not None:
            self._file.close()


class TextWriter(_Tables):
    """Lines of text, compressed where wanted. Equal rows make equal files."""

    at_once: ClassVar[int] = 65_536  # a row as text takes some hundred bytes on its way

    def __init__(self, out: BinaryIO, context: Context) -> None:
        super().__init__(out, context)
        self._out = open_compressed(out, context.compression)
        self._begun = False

    def take_table(self, table: Any) -> None:
        self._out.write(self.head() if not self._begun else b"")
        self._begun = True
        self._out.write(self.lines(table))

    def head(self) -> bytes:
        """Text before the first line."""
        return b""

    def lines(self, table: Any) -> bytes:
        """The rows of a table with COLUMNS as text, each ended by a line feed."""
        raise NotImplementedError

    def close(self) -> None:
        super().close()
        if self._out is not self.out:
            self._out.close()


class CsvWriter(TextWriter):
    """RFC 4180 with a heading; times ISO 8601 in UTC; a missing length is an empty field."""

    NAMES: ClassVar[tuple[str, ...]] = (
        "study_id", "metric", "source", "date", "time", "utc_offset_minutes", "value", "seconds", "plausible",
    )  # fmt: skip

    def head(self) -> bytes:
        return ",".join(self.NAMES).encode() + b"\n"

    def lines(self, table: Any) -> bytes:
        utc, local = clocks(table)
        return rows([
            text_column(_quoted(table["study_id"], _csv_quoted)), f',"{self.context.metric.code}",',
            text_column(_quoted(table["source"], _csv_quoted)), ",", dates(local),
            ',"', dates(utc), "T", *clock_times(utc), 'Z",', text_column(table["utc_offset_minutes"]),
            ",", text_column(table["value"]), ",", text_column(table["seconds"]),
            ",", text_column(table["plausible"]), "\n",
        ])  # fmt: skip


class NdjsonWriter(TextWriter):
    """One JSON object a line; a member that is missing is null."""

    def lines(self, table: Any) -> bytes:
        utc, local = clocks(table)
        metric = self.context.metric
        return rows([
            '{"study_id":', text_column(_quoted(table["study_id"], _json_quoted)),
            f',"metric":"{metric.code}","unit":"{metric.unit}","source":',
            text_column(_quoted(table["source"], _json_quoted)), ',"date":"', dates(local),
            '","time":"', dates(utc), "T", *clock_times(utc), 'Z","utc_offset_minutes":',
            text_column(table["utc_offset_minutes"]), ',"value":', text_column(table["value"]),
            ',"seconds":', text_column(table["seconds"], null="null"),
            ',"plausible":', text_column(table["plausible"]), "}\n",
        ])  # fmt: skip


def _quoted(column: Any, quote: Callable[[str], str]) -> Any:
    """A column of few texts with each of them quoted."""
    whole = column.combine_chunks()
    texts = [quote(text) for text in whole.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(whole.indices, pa.array(texts, pa.string()))


def _csv_quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _json_quoted(text: str) -> str:
    return orjson.dumps(text).decode()


def clocks(table: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The instants of a table's rows, and what the participants' clocks said: microseconds since 1970, shape (n,)."""
    utc = table["time"].cast(pa.int64()).to_numpy()
    offsets = table["utc_offset_minutes"].to_numpy().astype(np.int64)
    return utc, utc + offsets * 60 * MICROSECOND
