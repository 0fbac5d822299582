"""Payloads of providers for the writer: columns of samples, nights and exercise. No Python object per sample."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from enum import Enum, IntEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from metrics.registry import BY_CODE

Times = NDArray[np.int64]
Values = NDArray[np.float64]
Seconds = NDArray[np.int32]

MICROSECOND = 1_000_000
# Times before this are placeholders (1970-01-01 and the like), not measurements: no such device existed.
EARLIEST = int(dt.datetime(2005, 1, 1, tzinfo=dt.UTC).timestamp()) * MICROSECOND
# A device's clock may run a little ahead of ours.
CLOCK_SKEW = 10 * 60 * MICROSECOND


class Refusal(IntEnum):
    """Reason why a sample cannot be stored. `text` is fit to show to staff."""

    NONE = 0
    NOT_FINITE = 1
    FUTURE = 2
    TOO_EARLY = 3

    @property
    def text(self) -> str:
        return ("", "value is not a finite number", "time lies in the future", "time lies before 2005")[self]


def microseconds(instant: dt.datetime) -> int:
    """An aware datetime as microseconds since the epoch, UTC. Exact, unlike float timestamps."""
    delta = instant - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (delta.days * 86_400 + delta.seconds) * MICROSECOND + delta.microseconds


def instant(us: int) -> dt.datetime:
    """Microseconds since the epoch as an aware datetime in UTC."""
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=int(us))


@dataclass(frozen=True, slots=True)
class SourceKey:
    """Key of a source: a provider, a platform and a device model."""

    provider: str
    platform: str = ""
    device_model: str = ""
    synthetic: bool = False


@dataclass(slots=True)
class SampleBatch:
    """Samples of one metric from one source of one participant.

    `time`: int64, microseconds since the epoch, UTC. `value`: float64 in the metric's unit. `seconds`: int32
    lengths of the intervals, or None for instants. All of one length n. Order and repeats do not matter: the
    writer sorts, and of samples at the same instant the last one given wins. Raises ValueError if shapes differ
    or the metric is unknown.
    """

    metric: str
    source: SourceKey
    time: Times
    value: Values
    seconds: Seconds | None = None

    def __post_init__(self) -> None:
        if self.metric not in BY_CODE:
            raise ValueError(f"unknown metric {self.metric!r}")
        self.time = np.ascontiguousarray(self.time, dtype=np.int64)
        self.value = np.ascontiguousarray(self.value, dtype=np.float64)
        if self.seconds is not None:
            self.seconds = np.ascontiguousarray(self.seconds, dtype=np.int32)
        shapes = {a.shape for a in (self.time, self.value, self.seconds) if a is not None}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise ValueError(f"{self.metric}: columns differ in length: {sorted(shapes)}")

    def __len__(self) -> int:
        return len(self.time)

    def refusals(self, now: dt.datetime) -> NDArray[np.int8]:
        """A Refusal per sample, shape (n,). Importers use it to name the line of what the writer will not take."""
        refusals = np.zeros(len(self), dtype=np.int8)
        refusals[self.time < EARLIEST] = Refusal.TOO_EARLY
        refusals[self.time > microseconds(now) + CLOCK_SKEW] = Refusal.FUTURE
        refusals[~np.isfinite(self.value)] = Refusal.NOT_FINITE
        return refusals


@dataclass(frozen=True, slots=True)
class Stage:
    """Stage of a night, an interval: `stage` is one of metrics.models.SleepStage's values."""

    starts_at: dt.datetime
    seconds: int
    stage: str


@dataclass(frozen=True, slots=True)
class SleepTotals:
    """Minutes of an episode as its source adds them up; None where it does not."""

    asleep: int
    awake: int = 0
    light: int | None = None
    deep: int | None = None
    rem: int | None = None
    restless: int | None = None


@dataclass(frozen=True, slots=True)
class SleepRecord:
    """One sleep episode as its source recorded it; instants are aware, in any zone.

    `external_id` is the source's own id of the episode, the natural key within (participant, source). `is_main`: what
    the source says, None where it does not; metrics.writing.sleep decides. `processed` False: the vendor may still
    revise it. `totals`: where it tells minutes and no stages. `finest_stays`: several files tell of the same episode,
    and the one with most detail is kept, whichever comes first.
    """

    source: SourceKey
    external_id: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    stages: tuple[Stage, ...] = ()
    is_main: bool | None = None
    processed: bool = True
    totals: SleepTotals | None = None
    finest_stays: bool = False


@dataclass(frozen=True, slots=True)
class ExerciseRecord:
    """One exercise as its source recorded it; instants are aware, in any zone.

    `external_id` is the source's own id, the natural key within (participant, source). `activity` is the vendor's
    word in lower-case snake, "" where it does not say; `name` is what the person sees. `active_seconds`: without
    pauses. Numbers are None where the source has none, which is not zero.
    """

    source: SourceKey
    external_id: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    activity: str
    name: str = ""
    active_seconds: int | None = None
    distance_m: float | None = None
    energy_kcal: float | None = None
    steps: int | None = None
    mean_heart_rate: float | None = None  # 1/min


class Sessions(Enum):
    """Kinds of what is stored as sessions with an id of the source's, not as samples of a metric."""

    SLEEP = "sleep"
    EXERCISE = "exercise"


@dataclass(frozen=True, slots=True)
class OffsetChange:
    """Change of the device's clock: from this instant on it stood `utc_offset` seconds east of UTC; None: back to the
    zone's."""

    starts_at: dt.datetime
    utc_offset: int | None


@dataclass(frozen=True, slots=True)
class Replaced:
    """Interval [starts_at, ends_at) of which the payload holds all that its provider has.

    What is stored there from this provider and is not in the payload is taken away: the vendor has withdrawn it.
    `what`: the code of a metric, or sessions: nights by the time at which they end, exercise by its start.
    """

    provider: str
    what: str | Sessions
    starts_at: dt.datetime
    ends_at: dt.datetime


@dataclass(slots=True)
class Payload:
    """Payload of a provider: all that it brings of one participant in one go. The writer stores it in one transaction.

    `skipped`: values left out on purpose, by reason (missing-value markers), where nobody else counts them.
    """

    samples: list[SampleBatch] = field(default_factory=list)
    sleep: list[SleepRecord] = field(default_factory=list)
    exercise: list[ExerciseRecord] = field(default_factory=list)
    offsets: list[OffsetChange] = field(default_factory=list)
    replaces: list[Replaced] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def joined(payloads: Iterable[Payload]) -> Payload:
    """Several payloads as one, with one batch for each metric and source: fewer, larger writes."""
    whole = Payload()
    parts: dict[tuple[str, SourceKey, bool], list[SampleBatch]] = {}
    for payload in payloads:
        for batch in payload.samples:
            parts.setdefault((batch.metric, batch.source, batch.seconds is None), []).append(batch)
        whole.sleep += payload.sleep
        whole.exercise += payload.exercise
        whole.offsets += payload.offsets
        whole.replaces += payload.replaces
        whole.skipped += payload.skipped
    whole.samples = [_concatenated(batches) for batches in parts.values()]
    return whole


def _concatenated(batches: list[SampleBatch]) -> SampleBatch:
    if len(batches) == 1:
        return batches[0]
    lengths = [batch.seconds for batch in batches if batch.seconds is not None]
    return SampleBatch(
        batches[0].metric,
        batches[0].source,
        np.concatenate([batch.time for batch in batches]),
        np.concatenate([batch.value for batch in batches]),
        np.concatenate(lengths) if lengths else None,
    )


@dataclass(slots=True)
class Counts:
    """Counts of what became of the samples, nights and exercise of a payload.

    `repeated`: samples at the instant of another in the same batch. `flagged`: stored although implausible.
    By reason: `rejected`, not stored; `skipped`, left out on purpose. `removed`: stored before and
    absent from what replaces the interval.
    """

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    repeated: int = 0
    flagged: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    sleep_new: int = 0
    sleep_changed: int = 0
    sleep_unchanged: int = 0
    removed: int = 0
    sleep_removed: int = 0
    exercise_new: int = 0
    exercise_changed: int = 0
    exercise_unchanged: int = 0
    exercise_removed: int = 0

    def __add__(self, other: Counts) -> Counts:
        added = replace(self, rejected=dict(self.rejected), skipped=dict(self.skipped))
        added += other
        return added

    def __iadd__(self, other: Counts) -> Self:
        """Add in place: most of a payload's counts are zero."""
        for name in self.__slots__:
            if theirs := getattr(other, name):
                ours = getattr(self, name)
                both = dict(Counter(ours) + Counter(theirs)) if isinstance(theirs, dict) else ours + theirs
                setattr(self, name, both)
        return self

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
