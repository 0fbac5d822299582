"""The timeline of wear and gaps: what stands where, in percent of the shown time. Pure functions, no queries.

Up to two weeks it shows intervals by the minute; beyond them a mark a day, and beyond 400 days a mark for several.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from dashboards.participant_detail.charts.timeline_days import day_text, draw_days
from dashboards.participant_detail.date_range import DayRange
from dashboards.ui import formatting
from dashboards.ui.status_labels import CAUSES, DAY_STATUS
from dashboards.ui.timeline_geometry import (
    GAP_TOP,
    ROW_HEIGHT,
    WORN_TOP,
    Block,
    Day,
    Label,
    Mark,
    Missing,
    Scale,
    Timeline,
)
from metrics.models import Cause, DayStatus, Exclusion
from participants.team_texts import gettext, ngettext
from participants.user_input import midnight

FINE_DAYS = 14


def joined(gaps: Iterable[Missing], now: dt.datetime) -> list[Missing]:
    """Gaps in order, cut at now, with those of one cause that touch (across midnight) made one."""
    merged: list[Missing] = []
    for gap in sorted(gaps, key=lambda g: g.starts_at):
        end = min(gap.ends_at, now)
        if end <= gap.starts_at:
            continue
        last = merged[-1] if merged else None
        if last and last.cause == gap.cause and last.ends_at == gap.starts_at:
            merged[-1] = Missing(last.starts_at, end, gap.cause)
        else:
            merged.append(Missing(gap.starts_at, end, gap.cause))
    return merged


def worn_intervals(
    days: Iterable[Day], gaps: Sequence[Missing], zone: ZoneInfo, now: dt.datetime
) -> list[tuple[dt.datetime, dt.datetime]]:
    """Worn intervals: each evaluated day that counts minus its gaps, joined across midnight."""
    intervals: list[tuple[dt.datetime, dt.datetime]] = []

    def add(start: dt.datetime, end: dt.datetime) -> None:
        if intervals and intervals[-1][1] == start:
            intervals[-1] = (intervals[-1][0], end)
        elif end > start:
            intervals.append((start, end))

    for day in sorted(days, key=lambda d: d.date):
        unwatched = day.status == DayStatus.EXCLUDED and day.reason != Exclusion.PLATFORM
        if not day.evaluated or unwatched or not day.worn_minutes:
            continue
        at = midnight(day.date, zone)
        end = min(midnight(day.date + dt.timedelta(days=1), zone), now)
        for gap in gaps:
            if gap.ends_at <= at or gap.starts_at >= end:
                continue
            add(at, gap.starts_at)
            at = max(at, gap.ends_at)
        add(at, end)
    return intervals


def summary(days: Sequence[Day]) -> str:
    """Counts of the shown days by status: "6 days assessed: 5 valid, 1 invalid; 1 pending"."""
    counted = Counter(day.status for day in days if day.evaluated)
    decided = [(s, counted[s]) for s in (DayStatus.VALID, DayStatus.INVALID, DayStatus.LOST) if counted[s]]
    rest = [(s, counted[s]) for s in (DayStatus.PENDING, DayStatus.EXCLUDED) if counted[s]]
    total = sum(n for _, n in decided)
    if not decided and not rest:
        return gettext("No day assessed yet")
    text = ngettext("{n} day assessed", "{n} days assessed", total).format(n=total)
    for lead, group in ((": ", decided), ("; ", rest)):
        text += lead + ", ".join(f"{n} {s.label}" for s, n in group) if group else ""
    return text


def legend(gaps: Iterable[Missing], fine: bool) -> list[tuple[str, str]]:
    """Class and label of each pattern that is drawn, causes in their order."""
    present = {gap.cause for gap in gaps}
    names_by_class: dict[str, list[str]] = {}
    for cause, (name, classes) in CAUSES.items():
        if cause in present:
            names_by_class.setdefault(classes, []).append(
                gettext("{name}, not counted").format(name=name) if cause is Cause.PLATFORM else name
            )
    causes = [(classes, " / ".join(names)) for classes, names in names_by_class.items()]
    return [("worn", gettext("Worn") if fine else gettext("Hours worn")), *causes]


def labels(days: DayRange, zone: ZoneInfo, scale: Scale, today: dt.date) -> list[Label]:
    """Days under the axis, at midday; of many days every so manieth, at its beginning."""
    step = max(1, -(-days.days // 10))
    form = "%b %Y" if days.days > 400 else "%d %b"
    listed = []
    for i in range(0, days.days, step):
        date = days.first + dt.timedelta(days=i)
        at = midnight(date, zone) + dt.timedelta(hours=12 * (step == 1))
        text = f"{date:%a} {date.day}" if step == 1 else f"{date:{form}}".lstrip("0")
        listed.append(Label(f"{scale.at(at):.3f}%", text, date == today))
    return listed


def timeline(
    shown: Sequence[Day], gaps: Sequence[Missing], days: DayRange, zone: ZoneInfo, now: dt.datetime
) -> Timeline:
    """The timeline of the shown days. `gaps`: those of these days, as stored; `shown`: those that are known."""
    scale = Scale(*days.instants(zone))
    fine = days.days <= FINE_DAYS
    whole = joined(gaps, now)
    drawn = Timeline(fine=fine, summary=summary(shown), legend=legend(whole, fine))
    today = now.astimezone(zone).date()
    drawn.labels = labels(days, zone, scale, today)
    drawn.sentence = gettext("Wear and gaps, {dates}: {summary}. The table below has each gap with its cause.").format(
        dates=formatting.date_span(days.first, days.last), summary=drawn.summary
    )
    if scale.start <= now < scale.end:
        drawn.now, drawn.now_late = f"{scale.at(now):.3f}%", scale.at(now) > 93
    if fine:
        _draw_intervals(drawn, shown, whole, scale, zone, now)
    else:
        draw_days(drawn, shown, whole, scale, zone, days)
    return drawn


def _draw_intervals(
    drawn: Timeline, shown: Sequence[Day], gaps: Sequence[Missing], scale: Scale, zone: ZoneInfo, now: dt.datetime
) -> None:
    drawn.lines = [
        f"{scale.at(midnight(day.date, zone)):.3f}%" for day in shown if midnight(day.date, zone) > scale.start
    ]
    for start, end in worn_intervals(shown, gaps, zone, now):
        text = gettext("Worn {start:%a %H:%M} to {end:%a %H:%M}").format(
            start=start.astimezone(zone), end=end.astimezone(zone)
        )
        drawn.worn.append(Block(*scale.span(start, end), WORN_TOP, ROW_HEIGHT, "worn", text))
    for gap in gaps:
        name, classes = CAUSES[Cause(gap.cause)]
        text = gettext("{name}, {starts_at:%a %H:%M} to {ends_at:%a %H:%M}").format(
            name=name, starts_at=gap.starts_at.astimezone(zone), ends_at=gap.ends_at.astimezone(zone)
        )
        drawn.gaps.append(Block(*scale.span(gap.starts_at, gap.ends_at), GAP_TOP, ROW_HEIGHT, classes, text))
    for day in shown:
        if not day.evaluated:
            continue
        pending = day.status == DayStatus.PENDING
        at = scale.at(midnight(day.date, zone) + dt.timedelta(hours=12))
        excluded = day.status == DayStatus.EXCLUDED
        text = "pending" if pending else "excluded" if excluded else formatting.hours_minutes(day.worn_minutes)
        drawn.marks.append(Mark(f"{at:.3f}%", DAY_STATUS[DayStatus(day.status)][1], text, day_text(day)))
