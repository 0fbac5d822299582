"""Google Health JSON as columns: pure functions, no network, no database, no clock.

A page is decoded by a typed decoder made from the table of data types, which reads only what we keep; then times,
values, sources and offsets become arrays. What is not a page (truncated, an error, another shape) raises
BrokenAnswer and is never an empty page. Fields and enum values we do not know are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Raw, Struct
from numpy.typing import NDArray

from ingestion.providers.base import BrokenAnswer
from ingestion.providers.google_health.data_types import GoogleType, Kind, Member
from metrics.batch import MICROSECOND, Seconds, SourceKey, Times, Values

NO_OFFSET = np.iinfo(np.int32).min
NAN = float("nan")
NOTHING = Raw(b"")
# Lengths of the columns these end up in.
MAX_PLATFORM, MAX_MODEL = 60, 80

T = TypeVar("T")


class _Device(Struct):
    displayName: str = ""  # noqa: N815  Google's spelling, here and below
    manufacturer: str = ""
    formFactor: str = ""  # noqa: N815


class _Application(Struct):
    packageName: str = ""  # noqa: N815
    webClientId: str = ""  # noqa: N815
    googleWebClientId: str = ""  # noqa: N815


class _DataSource(Struct):
    platform: str = ""
    device: _Device = msgspec.field(default_factory=_Device)
    application: _Application = msgspec.field(default_factory=_Application)


class _SampleTime(Struct, gc=False):
    physicalTime: str  # noqa: N815
    utcOffset: str = ""  # noqa: N815


class _Interval(Struct, gc=False):
    startTime: str  # noqa: N815
    endTime: str  # noqa: N815
    startUtcOffset: str = ""  # noqa: N815


class _Date(Struct, gc=False):
    year: int = 0
    month: int = 0
    day: int = 0


def specified(word: str) -> str:
    """A word of Google's lists, "" for the one of each list that says that it is not told."""
    return "" if word.endswith("UNSPECIFIED") or word == "UNKNOWN" else word


@dataclass(frozen=True, slots=True)
class Origin:
    """What every source of this provider has in common."""

    provider: str
    synthetic: bool = False

    def source(self, raw: bytes) -> SourceKey:
        """The source that a point's `dataSource` names; `raw` is its JSON, empty where there is none.

        The platform is Google's word for it, with the application that wrote the point where it is named: two
        applications may pass on the same device's data.
        """
        told = decoded(_decoder(_DataSource), raw) if raw else _DataSource()
        device, app = told.device, told.application
        application = app.packageName or app.webClientId or app.googleWebClientId
        platform = "/".join(part for part in (specified(told.platform), application) if part)
        described = (device.manufacturer, specified(device.formFactor))
        model = specified(device.displayName) or " ".join(part for part in described if part)
        return SourceKey(self.provider, platform[:MAX_PLATFORM], model[:MAX_MODEL], self.synthetic)


@dataclass(slots=True)
class Page:
    """One page of points as columns of length `count`, in Google's order, and the token of the next page or "".

    `time`: microseconds UTC; days since 1970-01-01 for daily types. `seconds`: lengths of intervals. `values`: by
    member and then point, in Google's unit, NaN where absent. `codes`: which of `sources` each point is from.
    `offset`: seconds east of UTC, NO_OFFSET where not told.
    """

    token: str
    time: Times
    seconds: Seconds | None
    values: list[Values]
    codes: NDArray[np.int32]
    sources: list[SourceKey]
    offset: NDArray[np.int32]

    @property
    def count(self) -> int:
        return len(self.time)


def decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Raises BrokenAnswer where a body is not what the decoder expects: `not_json` or `unexpected_shape`."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise BrokenAnswer("unexpected_shape") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenAnswer("not_json") from error


@cache
def _decoder(shape: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(shape)


def listing(body: bytes, decoder: msgspec.json.Decoder[Any], key: str) -> tuple[list[Any], str]:
    """The records under `key` of a list answer, and the next page's token.

    An empty list comes as an object without the key. So does an error, and anything else that is no list: they are
    told apart by what there is instead. Raises BrokenAnswer.
    """
    page = decoded(decoder, body)
    records: list[Any] | None = getattr(page, key)
    if page.error or records is None:
        others = decoded(_decoder(dict[str, Raw]), body).keys() - {key, "nextPageToken", "totalSize"}
        if others:
            raise BrokenAnswer("error_in_body" if "error" in others else "unexpected_shape")
    return records or [], page.nextPageToken


def list_decoder(key: str, record: Any) -> msgspec.json.Decoder[Any]:
    """A decoder for `listing`. Not strict: Google writes 64-bit integers as strings."""
    shape = msgspec.defstruct(
        "Answer", [(key, list[record] | None, None), ("nextPageToken", str, ""), ("error", Raw, NOTHING)]
    )
    return msgspec.json.Decoder(shape, strict=False)


# --- points ------------------------------------------------------------------------------------------------------

_DATED: dict[Kind, tuple[str, type[Struct]]] = {
    Kind.SAMPLE: ("sampleTime", _SampleTime),
    Kind.INTERVAL: ("interval", _Interval),
    Kind.DAILY: ("date", _Date),
}


def _names(members: Sequence[Member]) -> list[str]:
    """Members of a payload that hold numbers, each once."""
    return list(dict.fromkeys(name for member in members for name in (member.name, member.minus) if name))


@cache
def _page_decoder(data_type: GoogleType) -> msgspec.json.Decoder[Any]:
    numbers = [(name, float, NAN) for name in _names(data_type.members)]
    payload = msgspec.defstruct("Payload", [_DATED[data_type.kind], *numbers], gc=False)
    point = msgspec.defstruct("Point", [(data_type.payload, payload), ("dataSource", Raw, NOTHING)], gc=False)
    return list_decoder("dataPoints", point)


def page(data_type: GoogleType, body: bytes, origin: Origin) -> Page:
    """An answer to `list` for a type of samples, intervals or days. Raises BrokenAnswer."""
    points, token = listing(body, _page_decoder(data_type), "dataPoints")
    payloads = list(map(attrgetter(data_type.payload), points))
    time, seconds, offset = _DATING[data_type.kind](payloads)
    columns = {name: _numbers(payloads, name) for name in _names(data_type.members)}
    values = [_values(columns, member) for member in data_type.members]
    codes, sources = _sources(points, origin)
    return Page(token, time, seconds, values, codes, sources, offset)


def _numbers(payloads: Sequence[Any], name: str) -> Values:
    return np.fromiter(map(attrgetter(name), payloads), dtype=np.float64, count=len(payloads))


def _values(columns: dict[str, Values], member: Member) -> Values:
    """A member's column, NaN where there is no value. Raises BrokenAnswer if one that must be there is missing."""
    column = columns[member.name]
    absent = np.isnan(column)
    if member.required and absent.any():
        raise BrokenAnswer("value_missing")
    if member.absent is not None:
        column = np.where(absent, member.absent, column)
    return column - columns[member.minus] if member.minus else column


def _sources(points: Sequence[Any], origin: Origin) -> tuple[NDArray[np.int32], list[SourceKey]]:
    """Each point's source as a code into the list. Points share a handful of sources, so equal texts are read once."""
    codes: dict[bytes, int] = {}
    column = [codes.setdefault(bytes(point.dataSource), len(codes)) for point in points]
    return np.array(column, dtype=np.int32), [origin.source(raw) for raw in codes]


Dated = tuple[Times, Seconds | None, NDArray[np.int32]]


def _sample_times(payloads: Sequence[Any]) -> Dated:
    stamps = [payload.sampleTime for payload in payloads]
    return instants([stamp.physicalTime for stamp in stamps]), None, _offsets(stamp.utcOffset for stamp in stamps)


def _interval_times(payloads: Sequence[Any]) -> Dated:
    intervals = [payload.interval for payload in payloads]
    start = instants([interval.startTime for interval in intervals])
    length = (instants([interval.endTime for interval in intervals]) - start) // MICROSECOND
    if (length < 0).any():
        raise BrokenAnswer("interval_ends_before_it_starts")
    return start, length.astype(np.int32), _offsets(interval.startUtcOffset for interval in intervals)


def _dates(payloads: Sequence[Any]) -> Dated:
    texts = [f"{day.year:04}-{day.month:02}-{day.day:02}" for day in (payload.date for payload in payloads)]
    try:
        days = np.array(texts, dtype="datetime64[D]").astype(np.int64)
    except ValueError as error:
        raise BrokenAnswer("not_a_date") from error
    return days, None, np.full(len(texts), NO_OFFSET, dtype=np.int32)


_DATING: dict[Kind, Callable[[Sequence[Any]], Dated]] = {
    Kind.SAMPLE: _sample_times,
    Kind.INTERVAL: _interval_times,
    Kind.DAILY: _dates,
}


def instants(texts: Sequence[str]) -> Times:
    """RFC 3339 times as microseconds UTC, shape (n,); finer fractions are cut off. Raises BrokenAnswer."""
    try:
        stamps = pa.array(texts, pa.string()).cast(pa.timestamp("ns", "UTC"))
    except pa.ArrowInvalid as error:
        raise BrokenAnswer("not_a_time") from error
    nanoseconds: Times = stamps.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return nanoseconds // 1000


def _offsets(texts: Iterable[str]) -> NDArray[np.int32]:
    """Durations such as "3600s" as seconds, NO_OFFSET for ""."""
    known: dict[str, int] = {}
    return np.array([known[t] if t in known else known.setdefault(t, duration(t)) for t in texts], dtype=np.int32)


def duration(text: str) -> int:
    """A duration such as "-10800s" in whole seconds; NO_OFFSET for "". Raises BrokenAnswer."""
    if not text:
        return int(NO_OFFSET)
    try:
        return round(float(text.removesuffix("s")))
    except (ValueError, OverflowError) as error:
        raise BrokenAnswer("not_a_duration") from error
