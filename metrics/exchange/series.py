"""Series as the converters take them, and what these share: stable ids, wall-clock times, numbers as text.

All of it works on whole columns, because a trial's heart rates are billions.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from metrics.batch import MICROSECOND, Seconds, SourceKey, Times, Values
from metrics.local_time import EPOCH, LocalCalendar
from metrics.registry import Metric
from metrics.selection.plausible_range import plausible
from metrics.text_columns import TextColumn, clock_times, coded, dates, joined

URN = "urn:wearable-trials"
# Never to be changed: the ids of everything that was ever exported hang on it.
NAMESPACE = uuid.UUID("5a0a2c5e-6f0e-5d7c-9a53-0d1f6c1a7d52")
# FHIR and RFC 3339 know no clock further from UTC than this.
FURTHEST = 14 * 3600


@dataclass(frozen=True, slots=True)
class Series:
    """Samples of one metric from one source of one participant, ascending in time.

    `time`: int64 microseconds UTC; `value`: float64 in the metric's unit, NaN where it is known that there is none;
    `seconds`: int32 length of an interval, -1: none. All of shape (n,). `calendar`: the participant's clock, from which
    the offsets of written times come. `imputed`: filled in by a statistical method, not measured.
    """

    trial: str
    study_id: str
    metric: Metric
    source: SourceKey
    time: Times
    value: Values
    seconds: Seconds
    calendar: LocalCalendar
    imputed: bool = False

    def counted(self) -> Series:
        """The series without the values that do not count: no other system is told of them. What is known to be missing
        stays."""
        kept = plausible(self.metric, self.value, self.seconds) | np.isnan(self.value)
        if kept.all():
            return self
        return replace(self, time=self.time[kept], value=self.value[kept], seconds=self.seconds[kept])

    @property
    def identity(self) -> str:
        """Beginning of the ids of its resources."""
        kind = "imputed " + self.metric.code if self.imputed else self.metric.code
        return identity(self.trial, self.study_id, kind, source_code(self.source))


def identity(*parts: str) -> str:
    """Several texts as one, so that no two lists of texts give the same: "a/b", "c" and "a", "b/c" differ."""
    return "/".join(quote(part, safe="") for part in parts)


def source_code(source: SourceKey) -> str:
    """A source as one text that is the same on every server."""
    parts = (source.provider, source.platform, source.device_model, "synthetic" if source.synthetic else "")
    return identity(*parts)


def source_name(source: SourceKey) -> str:
    """A source as people read it; where the data are made up, it says so."""
    name = " · ".join(part for part in (source.provider, source.platform, source.device_model) if part)
    return f"{name} (synthetic)" if source.synthetic else name


def ids(start: str) -> Callable[[object], str]:
    """A function that gives the version 5 UUID of `start` followed by its argument, in the platform's namespace."""
    begun = hashlib.sha1(NAMESPACE.bytes + start.encode() + b"/", usedforsecurity=False)

    def made(rest: object) -> str:
        digest = begun.copy()
        digest.update(str(rest).encode())
        text = digest.hexdigest()
        variant = "89ab"[int(text[16], 16) & 3]
        return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"

    return made


def id_texts(start: str, keys: NDArray[np.int64]) -> Any:
    """What ids gives for each of many integers, as Arrow strings."""
    begun = hashlib.sha1(NAMESPACE.bytes + start.encode() + b"/", usedforsecurity=False)
    digests = bytearray()
    for key in keys.tolist():
        digest = begun.copy()
        digest.update(b"%d" % key)
        digests += digest.digest()
    octets = np.frombuffer(digests, np.uint8).reshape(-1, 20)[:, :16].copy()
    octets[:, 6] = octets[:, 6] & 0x0F | 0x50  # version 5
    octets[:, 8] = octets[:, 8] & 0x3F | 0x80  # the variant of RFC 9562
    digits = np.frombuffer(octets.tobytes().hex().encode(), np.uint8).reshape(-1, 32)
    text = np.full((len(keys), 36), ord("-"), np.uint8)
    for first, last, at in ((0, 8, 0), (8, 12, 9), (12, 16, 14), (16, 20, 19), (20, 32, 24)):
        text[:, at : at + last - first] = digits[:, first:last]
    ends = np.arange(len(keys) + 1, dtype=np.int32) * 36
    return pa.StringArray.from_buffers(len(keys), pa.py_buffer(ends), pa.py_buffer(text))


def texts(value: object) -> str:
    """Anything as JSON."""
    return orjson.dumps(value).decode()


def numbers(values: NDArray[np.float64]) -> list[str]:
    """Finite numbers as JSON and FHIR write them: exact, without a trailing .0, never as a power of ten."""
    if not len(values):
        return []
    if np.all(values == np.floor(values)) and np.all(np.abs(values) < 2**53):
        return [str(n) for n in values.astype(np.int64).tolist()]
    texts = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY).decode()[1:-1].split(",")
    return [_plain(text) for text in texts]


def number_column(values: NDArray[np.float64]) -> TextColumn:
    """What numbers gives, as a column."""
    distinct, codes = coded(values)
    return TextColumn(pa.array(numbers(distinct), pa.string()), codes)


def _plain(text: str) -> str:
    if text.endswith(".0"):
        return text[:-2]
    return np.format_float_positional(float(text), trim="-") if "e" in text else text


def stamps(times: Times, calendar: LocalCalendar) -> list[str]:
    """Instants (microseconds UTC) as ISO 8601 on the calendar's clock, with its offset; fractions only where needed."""
    texts: list[str] = stamp_texts(times, calendar).to_pylist()
    return texts


def stamp_texts(times: Times, calendar: LocalCalendar) -> Any:
    """What stamps gives, as Arrow strings."""
    offsets = written_offsets(times, calendar)
    local = times + offsets * MICROSECOND
    distinct, codes = coded(offsets)
    endings = TextColumn(pa.array([_ending(offset) for offset in distinct.tolist()], pa.string()), codes)
    return joined([dates(local), "T", *clock_times(local), endings])


def written_offsets(times: Times, calendar: LocalCalendar) -> NDArray[np.int64]:
    """Seconds east of UTC as they can be written: whole minutes; 0 where a device claims an impossible clock."""
    offsets = calendar.offsets(times) // 60 * 60
    return np.where(np.abs(offsets) > FURTHEST, 0, offsets)


def _ending(offset: int) -> str:
    hours, minutes = divmod(abs(offset) // 60, 60)
    return f"{'-' if offset < 0 else '+'}{hours:02d}:{minutes:02d}"


def day_ends(times: Times, calendar: LocalCalendar) -> Times:
    """The ends of the local days in which these instants lie: 23, 24 or 25 hours after their beginnings."""
    dates = calendar.dates(times)
    spans = calendar.spans(EPOCH + dt.timedelta(days=int(day)) for day in np.unique(dates))
    ends = {(span.date - EPOCH).days: span.ends_at for span in spans}
    return np.asarray([ends[day] for day in dates.tolist()], dtype=np.int64)
