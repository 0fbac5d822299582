"""Nights as shapes: the hypnogram of one, and all shown ones as floating bars. Pure functions, no queries."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from dashboards.ui import formatting
from dashboards.ui.timeline_geometry import Extent, Label, extent
from metrics.models import SleepSession, SleepStage
from participants.team_texts import gettext

# Top of each stage's row in pixels; classic levels share the rows of the stages that they resemble.
ROWS = {"awake": 8, "rem": 36, "light": 64, "deep": 92}
CLASSIC = {SleepStage.ASLEEP: "light", SleepStage.RESTLESS: "awake"}
ROW_NAMES = {"awake": gettext("Awake"), "rem": "REM", "light": gettext("Light"), "deep": gettext("Deep")}
HEIGHT = 112  # of the nights' plot, in pixels
DAY_MINUTES = 1440
# A night belongs to the clock from 18:00 to 18:00.
NIGHT_BEGINS = 18 * 60
MOST_NIGHTS, LINKED_NIGHTS = 400, 62


@dataclass(frozen=True, slots=True)
class Piece(Extent):
    """Interval of one stage, in percent of the night; `y` in pixels, `join` the y of the stage before."""

    y: int
    stage: str
    text: str
    join: int | None


@dataclass(frozen=True, slots=True)
class Hypnogram:
    """A night's stages on its own time axis; `pieces` is empty where its source told no stages."""

    date: dt.date
    asleep: str
    pieces: list[Piece]
    hours: list[Label]
    totals: list[tuple[str, str]]
    sentence: str


def hypnogram(session: SleepSession, zone: ZoneInfo) -> Hypnogram:
    """The stages of a night, in the participant's clock."""
    length = max(1.0, (session.ends_at - session.starts_at).total_seconds())
    pieces: list[Piece] = []
    before: int | None = None
    for offset, seconds, name in session.stages:
        row = CLASSIC.get(name, name)
        if row not in ROWS:
            continue
        start = (session.starts_at + dt.timedelta(seconds=offset)).astimezone(zone)
        text = gettext("{label}, {start:%H:%M}, {seconds}\u00a0min").format(
            label=SleepStage(name).label, start=start, seconds=round(seconds / 60)
        )
        x, width = extent(offset / length * 100, (offset + seconds) / length * 100)
        pieces.append(Piece(x, width, ROWS[row], row, text, before if before != ROWS[row] else None))
        before = ROWS[row]
    minutes = (
        (gettext("Deep"), session.deep_minutes),
        (gettext("Light"), session.light_minutes),
        ("REM", session.rem_minutes),
        (gettext("Restless"), session.restless_minutes),
        (gettext("Awake"), session.awake_minutes),
    )
    totals = [(name, formatting.hours_minutes(m)) for name, m in minutes if m is not None]
    totals_text = ", ".join(f"{name.lower()} {text}" for name, text in totals)
    return Hypnogram(
        date=session.date,
        asleep=formatting.hours_minutes(session.asleep_minutes),
        pieces=pieces,
        hours=_hours(session, zone, length),
        totals=totals,
        sentence=gettext("Sleep stages of the night to {date:%a} {day} {date:%b}: {totals_text}").format(
            date=session.date, day=session.date.day, totals_text=totals_text
        ),
    )


def _hours(session: SleepSession, zone: ZoneInfo, length: float) -> list[Label]:
    """Full hours under the night, every second one of a long night."""
    step = 2 if length > 5 * 3600 else 1
    at = session.starts_at.astimezone(zone).replace(minute=0, second=0, microsecond=0) + dt.timedelta(hours=1)
    hours = []
    while at < session.ends_at:
        place = (at - session.starts_at).total_seconds() / length * 100
        if at.hour % step == 1 % step and 3 < place < 97:
            hours.append(Label(f"{place:.2f}%", f"{at:%H:%M}"))
        at += dt.timedelta(hours=1)
    return hours


@dataclass(frozen=True, slots=True)
class Bar:
    """A night in the row of nights. `height` 0: none was recorded; `known` False: it may still come."""

    date: dt.date
    x: str
    middle: str
    width: str
    y: float
    height: float
    chosen: bool
    known: bool
    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Nights:
    """All shown nights by day of waking; `clock`: the y axis. `linked`: few enough for each to be a link."""

    bars: list[Bar]
    clock: list[tuple[float, str]]
    linked: bool
    sentence: str


def clock_minutes(at: dt.datetime, zone: ZoneInfo) -> int:
    """Minutes since 18:00 on the wall clock, 0 to 1439."""
    local = at.astimezone(zone)
    return (local.hour * 60 + local.minute - NIGHT_BEGINS) % DAY_MINUTES


def nights(
    sessions: Sequence[SleepSession],
    first: dt.date,
    last: dt.date,
    zone: ZoneInfo,
    *,
    chosen: dt.date | None,
    pending: frozenset[dt.date],
    until: dt.date,
) -> Nights:
    """A bar for each day of waking from `first` to `last`, of its main sleep. Days after `until` have none yet.

    `pending`: days whose night may still come with a later upload.
    """
    main = {s.date: s for s in sessions if s.is_main}
    count = min((last - first).days + 1, MOST_NIGHTS)
    first = last - dt.timedelta(days=count - 1)
    spans = {d: _span(s, zone) for d, s in main.items()}
    low = min((span[0] for span in spans.values()), default=4 * 60) // 120 * 120
    high = -(-max((span[1] for span in spans.values()), default=14 * 60) // 120) * 120
    scale = HEIGHT / max(1, high - low)
    step = max(1, -(-count // 7))
    bars = []
    for i in range(count):
        date = first + dt.timedelta(days=i)
        if date > until and date not in spans:
            continue
        top, bottom = spans.get(date, (low, low))
        name = f"{date:%a} {date.day}" if count <= 7 else f"{date.day} {date:%b}"
        bars.append(
            Bar(
                date=date,
                x=f"{(i + 0.22) / count * 100:.2f}%",
                middle=f"{(i + 0.5) / count * 100:.2f}%",
                width=f"{0.56 / count * 100:.2f}%",
                y=round((top - low) * scale, 1),
                height=round((bottom - top) * scale, 1),
                chosen=date == chosen,
                known=date in spans or date not in pending,
                text=_night_text(date, main.get(date), zone, date in pending),
                label=name if i % step == 0 else "",
            )
        )
    ticks = range(low, high + 1, 240 if high - low > 480 else 120)
    clock = [((m - low) * scale, f"{(m + NIGHT_BEGINS) // 60 % 24:02d}:00") for m in ticks]
    recorded = sum(first <= d <= last for d in spans)
    return Nights(
        bars,
        clock,
        count <= LINKED_NIGHTS,
        gettext("Nights: {recorded} of {count} recorded, by day of waking").format(recorded=recorded, count=count),
    )


def _span(session: SleepSession, zone: ZoneInfo) -> tuple[int, int]:
    start = clock_minutes(session.starts_at, zone)
    length = int((session.ends_at - session.starts_at).total_seconds() // 60)
    return start, start + length


def _night_text(date: dt.date, session: SleepSession | None, zone: ZoneInfo, pending: bool) -> str:
    day = f"{date:%a} {date.day} {date:%b}"
    if session is None:
        return (
            gettext("Night to {day}: not known yet") if pending else gettext("Night to {day}: none recorded")
        ).format(day=day)
    start, end = session.starts_at.astimezone(zone), session.ends_at.astimezone(zone)
    return gettext("Night to {day}: {start:%H:%M} to {end:%H:%M}, {asleep_minutes} asleep").format(
        day=day, start=start, end=end, asleep_minutes=formatting.hours_minutes(session.asleep_minutes)
    )
