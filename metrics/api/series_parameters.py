"""Parameters of a request for series, checked before anything is read. All wrong ones are named at once."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.http import QueryDict

from metrics.batch import microseconds
from metrics.local_time import EPOCH
from metrics.reading.queries import RESOLUTIONS
from metrics.registry import BY_CODE, METRICS, Metric
from metrics.time_buckets import Span, midnights
from participants.api.base.exceptions import BadParameters
from participants.user_input import EARLIEST, LATEST

STATISTICS = ("mean", "sum", "min", "max", "count")
FORMATS = ("json", "ndjson", "csv")
TIMES = ("utc", "local")
MISSING = ("null", "omit")
DEFAULT_POINTS, MOST_POINTS = 2000, 10_000
DEFAULT_ROWS, MOST_ROWS = 10_000, 50_000
PARAMETERS = (
    "trial",
    "participants",
    "metrics",
    "start",
    "end",
    "resolution",
    "max_points",
    "time",
    "statistics",
    "missing",
    "source",
    "limit",
    "cursor",
    "format",
)
# Devices that measure are younger than the one, and plans end before the other.
FIRST_YEAR, LAST_YEAR = EARLIEST.year, LATEST.year + 1
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Edge:
    """One end of a span: an instant (microseconds UTC), or a local date, of which the start or the end counts."""

    instant: int | None
    date: dt.date | None

    def at(self, zone: zoneinfo.ZoneInfo, *, closing: bool) -> int:
        """Microseconds UTC, for a participant in this zone. A date that closes a span includes that day."""
        if self.instant is not None:
            return self.instant
        day = ((self.date or EPOCH) - EPOCH).days + closing
        return int(midnights(day, day, zone)[0])


@dataclass(frozen=True, slots=True)
class SeriesParameters:
    """A request for series. `participants`: study ids, empty for all. `limit`, `cursor`: of pages of raw samples."""

    trial: str
    participants: tuple[str, ...]
    metrics: tuple[Metric, ...]
    start: Edge
    end: Edge
    resolution: str
    max_points: int
    local: bool
    statistics: tuple[str, ...]
    omit: bool
    source: int | None
    limit: int
    cursor: str
    form: str

    @property
    def raw(self) -> bool:
        return self.resolution == "raw"

    def span(self, time_zone: str) -> Span:
        """The span asked for, of a participant in this zone."""
        zone = zoneinfo.ZoneInfo(time_zone)
        return Span(self.start.at(zone, closing=False), self.end.at(zone, closing=True))


class Reader:
    """Reads parameters, and keeps what was wrong with them. Unknown ones, and those given twice, are wrong too."""

    def __init__(self, given: QueryDict, known: Sequence[str], lists: Sequence[str] = ()) -> None:
        self.errors: dict[str, str] = {}
        self._given = given
        for name in given:
            if name not in known:
                self.errors[name] = "There is no such parameter."
            elif name not in lists and len(given.getlist(name)) > 1:
                self.errors[name] = "Is given more than once."

    def has(self, name: str) -> bool:
        return name in self._given

    def read(self, name: str, parse: Callable[[str], Value], default: Value | None = None) -> Any:
        """The parameter, parsed; the default where it is not given. None where it is wrong or missing."""
        text = self._given.get(name)
        if text is None or text == "":
            if default is None:
                self.errors.setdefault(name, "Is missing.")
            return default
        try:
            if "\0" in text:
                raise ValueError("Holds a character that no value has.")
            return parse(text)
        except ValueError as error:
            self.errors.setdefault(name, str(error))
            return None

    def values(self, name: str) -> list[str]:
        """The values of a list, given with commas or by repeating the parameter; each once, in the order given."""
        texts = ",".join(self._given.getlist(name)).split(",")
        if any("\0" in text for text in texts):
            self.errors.setdefault(name, "Holds a character that no value has.")
            return []
        return list(dict.fromkeys(text.strip() for text in texts if text.strip()))

    def clash(self, names: Sequence[str], why: str) -> None:
        """Parameters that contradict each other: each is named."""
        for name in names:
            self.errors.setdefault(name, why)

    def check(self) -> None:
        """Raises BadParameters if anything was wrong."""
        if self.errors:
            raise BadParameters({name: [text] for name, text in self.errors.items()})


def one_of(choices: Sequence[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"Is none of {', '.join(choices)}.")
        return text

    return parse


def whole_number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"Is no whole number from {low} to {high}.")
        return int(text)

    return parse


def local_date(text: str) -> dt.date:
    try:
        date = dt.date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        date = None
    if date is None:
        raise ValueError("Is no date such as 2026-05-31.")
    if not FIRST_YEAR <= date.year < LAST_YEAR:
        raise ValueError(f"Lies outside the years {FIRST_YEAR} to {LAST_YEAR - 1}.")
    return date


def edge(text: str) -> Edge:
    """A local date, or an instant with its offset. In an address a plus sign means a space: that is forgiven."""
    if _DATE.fullmatch(text):
        return Edge(None, local_date(text))
    try:
        at = dt.datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise ValueError("Is neither a date (2026-05-31) nor an instant (2026-05-31T08:00:00Z).") from None
    if at.utcoffset() is None:
        raise ValueError("Is an instant without its offset from UTC: 2026-05-31T08:00:00Z or ...+02:00.")
    if not FIRST_YEAR < at.year < LAST_YEAR - 1:
        raise ValueError(f"Lies outside the years {FIRST_YEAR} to {LAST_YEAR - 1}.")
    return Edge(microseconds(at), None)


def read_series_parameters(given: QueryDict, form: str = "json") -> SeriesParameters:
    """Read the parameters of a request for series; `form` is what it accepts. Raises BadParameters."""
    reader = Reader(given, PARAMETERS, lists=("participants", "metrics", "statistics"))
    participants = reader.values("participants")
    parameters = SeriesParameters(
        trial=reader.read("trial", str),
        participants=() if participants == ["all"] else tuple(participants),
        metrics=_metrics(reader),
        start=reader.read("start", edge),
        end=reader.read("end", edge),
        resolution=reader.read("resolution", one_of(RESOLUTIONS), "auto"),
        max_points=reader.read("max_points", whole_number(2, MOST_POINTS), DEFAULT_POINTS),
        local=reader.read("time", one_of(TIMES), "utc") == "local",
        statistics=_statistics(reader),
        omit=reader.read("missing", one_of(MISSING), "null") == "omit",
        source=reader.read("source", whole_number(1, 32_767), 0) or None,
        limit=reader.read("limit", whole_number(1, MOST_ROWS), DEFAULT_ROWS),
        cursor=reader.read("cursor", str, ""),
        form=reader.read("format", one_of(FORMATS), form),
    )
    _contradictions(reader, parameters)
    reader.check()
    return parameters


def _metrics(reader: Reader) -> tuple[Metric, ...]:
    codes = reader.values("metrics")
    if not codes:
        reader.errors.setdefault("metrics", "Is missing.")
    if codes == ["all"]:
        return METRICS
    unknown = [code for code in codes if code not in BY_CODE]
    if unknown:
        named = ", ".join(unknown[:5])[:200]
        reader.errors.setdefault("metrics", f"No metric is called {named}. GET /api/v1/metrics lists them.")
    return tuple(BY_CODE[code] for code in codes if code in BY_CODE)


def _statistics(reader: Reader) -> tuple[str, ...]:
    names = reader.values("statistics")
    if any(name not in STATISTICS for name in names):
        reader.errors.setdefault("statistics", f"Are not all among {', '.join(STATISTICS)}.")
    return tuple(name for name in STATISTICS if not names or name in names)


def _contradictions(reader: Reader, parameters: SeriesParameters) -> None:
    if (
        parameters.start
        and parameters.end
        and parameters.end.at(_UTC, closing=True) <= parameters.start.at(_UTC, closing=False)
    ):
        reader.clash(("start", "end"), "The end does not come after the start.")
    if "resolution" in reader.errors:
        return
    if reader.has("max_points") and parameters.resolution != "auto":
        reader.clash(("max_points", "resolution"), f"max_points belongs to auto, not to {parameters.resolution}.")
    for name in ("statistics", "missing"):
        if reader.has(name) and parameters.raw:
            reader.clash((name, "resolution"), f"{name} belongs to buckets, not to raw samples.")
    for name in ("limit", "cursor"):
        if reader.has(name) and not parameters.raw:
            reader.clash((name, "resolution"), f"{name} belongs to pages of raw samples: resolution=raw.")
        elif reader.has(name) and parameters.form != "json":
            reader.clash((name, "format"), f"{name} belongs to pages of JSON; csv and ndjson come whole.")


_UTC = zoneinfo.ZoneInfo("UTC")
