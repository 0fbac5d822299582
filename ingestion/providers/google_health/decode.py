"""Decoders of Google Health JSON into columns: pure functions, no network, no database, no clock.

A page is decoded by a typed decoder made from the table of data types, which reads only what we keep; then times,
values, sources and offsets become arrays. A record that cannot be read is counted by its reason and left out; a page
of which none can be read raises BrokenResponse, as everything does that is no page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw, Struct
from numpy.typing import NDArray

from ingestion.providers.base.errors import BrokenResponse
from ingestion.providers.google_health.google_type import GoogleType, Kind, Member
from ingestion.providers.google_health.listing import NOTHING, SHAPE, ListDecoder, decoded, specified
from ingestion.providers.google_health.times import NO_OFFSET, Fault, Mask, dates, instants, lengths, offsets, readable
from metrics.batch import Seconds, SourceKey, Times, Values

NAN = float("nan")
# Lengths of the columns these end up in.
MAX_PLATFORM, MAX_MODEL = 60, 80


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


_SOURCE = msgspec.json.Decoder(_DataSource)


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


@dataclass(frozen=True, slots=True)
class Origin:
    """Parts that all sources of this provider have in common."""

    provider: str
    synthetic: bool = False

    def source(self, raw: bytes) -> SourceKey:
        """Source that a point's `dataSource` names; `raw` is its JSON, empty where there is none.

        The platform is as Google names it, with the application that wrote the point where it is named: two
        applications may pass on the same device's data. Raises BrokenResponse.
        """
        data_source = decoded(_SOURCE, raw) if raw not in (b"", b"null") else _DataSource()
        device, app = data_source.device, data_source.application
        application = app.packageName or app.webClientId or app.googleWebClientId
        platform = "/".join(part for part in (specified(data_source.platform), application) if part)
        described = (device.manufacturer, specified(device.formFactor))
        model = specified(device.displayName) or " ".join(part for part in described if part)
        return SourceKey(self.provider, platform[:MAX_PLATFORM], model[:MAX_MODEL], self.synthetic)


@dataclass(slots=True)
class Page:
    """Page of points as columns of length `count`, in Google's order, and the token of the next page or "".

    `time`: microseconds UTC; days since 1970-01-01 for daily types. `seconds`: lengths of intervals. `values`: by
    member and then point, in Google's unit, NaN where absent. `codes`: which of `sources` each point is from.
    `offset`: seconds east of UTC, NO_OFFSET where not told. `unreadable`: records that are not among them, by reason.
    """

    token: str
    time: Times
    seconds: Seconds | None
    values: list[Values]
    codes: NDArray[np.int32]
    sources: list[SourceKey]
    offset: NDArray[np.int32]
    unreadable: Counter[str]

    @property
    def count(self) -> int:
        return len(self.time)

    @property
    def sent(self) -> int:
        """Number of records the response held."""
        return self.count + self.unreadable.total()

    def only(self, good: Mask) -> Page:
        """Page with these of its records alone."""
        return Page(
            self.token,
            self.time[good],
            None if self.seconds is None else self.seconds[good],
            [column[good] for column in self.values],
            self.codes[good],
            self.sources,
            self.offset[good],
            self.unreadable,
        )


# --- points ------------------------------------------------------------------------------------------------------

_DATED: dict[Kind, tuple[str, type[Struct]]] = {
    Kind.SAMPLE: ("sampleTime", _SampleTime),
    Kind.INTERVAL: ("interval", _Interval),
    Kind.DAILY: ("date", _Date),
}


def _names(members: Sequence[Member]) -> list[str]:
    """Names of a payload's members that hold numbers, each once."""
    return list(dict.fromkeys(name for member in members for name in (member.name, member.minus) if name))


@cache
def _page_decoder(data_type: GoogleType) -> ListDecoder[Any]:
    numbers = [(name, float, NAN) for name in _names(data_type.members)]
    payload = msgspec.defstruct("Payload", [_DATED[data_type.kind], *numbers], gc=False)
    point = msgspec.defstruct("Point", [(data_type.payload, payload), ("dataSource", Raw, NOTHING)], gc=False)
    return ListDecoder("dataPoints", point)


def page(data_type: GoogleType, body: bytes, origin: Origin) -> Page:
    """Page of a response to `list` for a type of samples, intervals or days. Raises BrokenResponse."""
    listed = _page_decoder(data_type).read(body)
    payloads = list(map(attrgetter(data_type.payload), listed.records))
    time, seconds, offset, faults = _DATING[data_type.kind](payloads)
    columns = {name: _numbers(payloads, name) for name in _names(data_type.members)}
    missing = [np.isnan(columns[member.name]) for member in data_type.members if member.required]
    faults += [("value_missing", mask) for mask in missing]
    values = [_values(columns, member) for member in data_type.members]
    codes, sources, unknown = _sources(listed.records, origin)
    good = readable(len(time), [*faults, (SHAPE, unknown)], listed.unreadable)
    decoded_page = Page(listed.token, time, seconds, values, codes, sources, offset, listed.unreadable)
    return decoded_page if good.all() else decoded_page.only(good)


def _numbers(payloads: Sequence[Any], name: str) -> Values:
    return np.fromiter(map(attrgetter(name), payloads), dtype=np.float64, count=len(payloads))


def _values(columns: dict[str, Values], member: Member) -> Values:
    """Column of a member, NaN where there is no value."""
    column = columns[member.name]
    if member.absent is not None:
        column = np.where(np.isnan(column), member.absent, column)
    return column - columns[member.minus] if member.minus else column


def _sources(points: Sequence[Any], origin: Origin) -> tuple[NDArray[np.int32], list[SourceKey], Mask]:
    """Source of each point as a code into the list, and the points whose source cannot be read.

    Points share a handful of sources, so equal texts are read once.
    """
    codes: dict[bytes, int] = {}
    column = np.array([codes.setdefault(bytes(point.dataSource), len(codes)) for point in points], dtype=np.int32)
    sources, unknown = [], np.zeros(len(points), dtype=np.bool_)
    for raw, code in codes.items():
        try:
            sources.append(origin.source(raw))
        except BrokenResponse:
            sources.append(origin.source(b""))
            unknown |= column == code
    return column, sources, unknown


Dated = tuple[Times, Seconds | None, NDArray[np.int32], list[Fault]]


def _sample_times(payloads: Sequence[Any]) -> Dated:
    stamps = [payload.sampleTime for payload in payloads]
    time, wrong = instants([stamp.physicalTime for stamp in stamps])
    return time, None, offsets(stamp.utcOffset for stamp in stamps), [("not_a_time", wrong)]


def _interval_times(payloads: Sequence[Any]) -> Dated:
    intervals = [payload.interval for payload in payloads]
    start, seconds, faults = lengths(
        [interval.startTime for interval in intervals], [interval.endTime for interval in intervals]
    )
    return start, seconds, offsets(interval.startUtcOffset for interval in intervals), faults


def _dates(payloads: Sequence[Any]) -> Dated:
    texts = [f"{day.year:04}-{day.month:02}-{day.day:02}" for day in (payload.date for payload in payloads)]
    days, wrong = dates(texts)
    return days, None, np.full(len(texts), NO_OFFSET, dtype=np.int32), [("not_a_date", wrong)]


_DATING: dict[Kind, Callable[[Sequence[Any]], Dated]] = {
    Kind.SAMPLE: _sample_times,
    Kind.INTERVAL: _interval_times,
    Kind.DAILY: _dates,
}
