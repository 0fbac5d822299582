"""Clock of a night's stamps where clocks change in it: the wall's, or the start's offset throughout.

Sources write a night's stamps without an offset, and two ways are met: each stamp as a clock on the wall showed it, or
all of them with the offset at which the night began (the end's stamp is then the start's plus the duration). How long
the night was tells which is meant: its duration, else the sum of its stages. An interval that is missing in the night
tells nothing: no stage is moved to close it.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# A stamp on the source's clock without an offset, and how many seconds what begins there lasts.
WallStage = tuple[dt.datetime, int]
# Stages of real nights overlap by some seconds now and then; a wrong clock piles up half an hour and more.
PILED_UP = 15 * 60


@dataclass(frozen=True, slots=True)
class Night:
    """Night as instants (UTC). `stages`: where each of the stages begins, in seconds from the night's start."""

    starts_at: dt.datetime
    ends_at: dt.datetime
    stages: tuple[int, ...]
    on_the_wall: bool  # whether stages are read by the clock on the wall


def read_night(
    zone: zoneinfo.ZoneInfo,
    start: dt.datetime,
    end: dt.datetime,
    stages: Sequence[WallStage] = (),
    length: dt.timedelta | None = None,
) -> Night:
    """Night of stamps (naive, on its source's clock) as instants. `length`: as the source states it.

    `stages` stand in the night's order. Where both ways of writing fit as well, the wall's clock is taken, and of a
    repeated hour the first pass.
    """
    asleep = sum(seconds for _, seconds in stages)
    stated = length if length is not None else dt.timedelta(seconds=asleep) if asleep else None
    return min(_readings(zone, start, end, stages), key=lambda night: _misfit(night, stages, stated))


def _readings(
    zone: zoneinfo.ZoneInfo, start: dt.datetime, end: dt.datetime, stages: Sequence[WallStage]
) -> Iterator[Night]:
    """Readings of the stamps, those to be preferred first; one where no clock changes in the night."""
    spans: dict[tuple[dt.datetime, dt.datetime], bool] = {}
    for fold in (0, 1):
        for end_fold in (0, 1):
            spans.setdefault((_utc(start, zone, fold), _utc(end, zone, end_fold)), True)
    for fold in (0, 1):
        begins = _utc(start, zone, fold)
        spans.setdefault((begins, begins + (end - start)), False)
    for (starts_at, ends_at), on_the_wall in spans.items():
        for wall in (on_the_wall, not on_the_wall):
            yield Night(starts_at, ends_at, stage_starts(zone, start, starts_at, stages, on_the_wall=wall), wall)


def stage_starts(
    zone: zoneinfo.ZoneInfo,
    start: dt.datetime,
    starts_at: dt.datetime,
    stages: Sequence[WallStage],
    *,
    on_the_wall: bool,
) -> tuple[int, ...]:
    """Starts of stages, in seconds from the night's start, on either clock.

    On the wall a stamp of a repeated hour is the first pass that does not lie before what came last.
    """
    if not on_the_wall:
        return tuple(round((stamp - start).total_seconds()) for stamp, _ in stages)
    starts: list[int] = []
    before = 0
    for stamp, seconds in stages:
        first, second = (round((_utc(stamp, zone, fold) - starts_at).total_seconds()) for fold in (0, 1))
        at = second if first < before <= second else first
        starts.append(at)
        before = max(before, at + seconds)
    return tuple(starts)


def _utc(stamp: dt.datetime, zone: zoneinfo.ZoneInfo, fold: int) -> dt.datetime:
    return stamp.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC)


def _misfit(night: Night, stages: Sequence[WallStage], stated: dt.timedelta | None) -> tuple[int, dt.timedelta]:
    """Misfit of a reading: what is piled up or lies outside the night, then how far off its length is."""
    lasts = round((night.ends_at - night.starts_at).total_seconds())
    # One that ends before it begins fits never, however short: its end is in the second pass of a repeated hour.
    wrong, before = max(-lasts, PILED_UP) if lasts < 0 else 0, 0
    for at, (_, seconds) in zip(night.stages, stages, strict=True):
        wrong += max(before - at, 0) + max(at + seconds - max(lasts, before), 0)
        before = max(before, at + seconds)
    return wrong // PILED_UP, dt.timedelta(0) if stated is None else abs(night.ends_at - night.starts_at - stated)


def fits(span: dt.timedelta, length: dt.timedelta | None) -> bool:
    """Whether a night from start to end is as long as stated, up to what is no change of clocks."""
    return length is None or abs(span - length) < dt.timedelta(seconds=PILED_UP)
