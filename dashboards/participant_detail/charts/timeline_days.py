"""The timeline of many days: a bar for the hours worn, a mark for the day status, the longest cause."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from dashboards.participant_detail.date_range import DayRange
from dashboards.ui import formatting
from dashboards.ui.status_labels import CAUSES, DAY_STATUS, EXCLUSIONS
from dashboards.ui.timeline_geometry import (
    GAP_TOP,
    ROW_HEIGHT,
    WORN_TOP,
    Block,
    Day,
    Mark,
    Missing,
    Scale,
    Timeline,
)
from metrics.models import Cause, DayStatus, Exclusion
from participants.team_texts import gettext
from participants.user_input import midnight

MARKED_DAYS = 62  # up to so many days each has its mark; beyond them marks run together
MOST_MARKS = 400
# Of a day that misses less than this no cause is drawn: everybody showers.
LEAST_MINUTES = 60
BARS_HEIGHT = 26

# First day, the day after the last, what they have in common.
Run = tuple[dt.date, dt.date, str]


def day_text(day: Day) -> str:
    """Text for a day's status: "Wed 18 Nov: valid, worn 13 h 05"."""
    status = DAY_STATUS[DayStatus(day.status)][0].lower() if day.evaluated else gettext("not assessed yet")
    if day.reason:
        status = gettext("{status}, {reason}").format(status=status, reason=EXCLUSIONS[Exclusion(day.reason)])
    worn = formatting.hours_minutes(day.worn_minutes)
    return gettext("{date:%a} {day} {date:%b}: {status}, worn {worn}").format(
        date=day.date, day=day.date.day, status=status, worn=worn
    )


def draw_days(
    drawn: Timeline, shown: Sequence[Day], gaps: Sequence[Missing], scale: Scale, zone: ZoneInfo, days: DayRange
) -> None:
    """A bar for the hours worn, a mark for the day status and the longest cause; runs of the same together."""
    step = max(1, -(-days.days // MOST_MARKS))
    causes = longest_causes(gaps, zone)
    by_date = {day.date: day for day in shown}
    status_runs: list[Run] = []
    cause_runs: list[Run] = []
    for i in range(0, days.days, step):
        first = days.first + dt.timedelta(days=i)
        group = [by_date[d] for j in range(step) if (d := first + dt.timedelta(days=j)) in by_date]
        if not group:
            continue
        until = min(first + dt.timedelta(days=step), days.last + dt.timedelta(days=1))
        day = max(group, key=lambda d: sum(other.status == d.status for other in group))
        _bar(drawn, group, scale, midnight(first, zone), midnight(until, zone))
        if day.evaluated:
            _extend(status_runs, first, until, DAY_STATUS[DayStatus(day.status)][1])
            if days.days <= MARKED_DAYS:
                at = scale.at(midnight(first, zone) + dt.timedelta(hours=12))
                drawn.marks.append(Mark(f"{at:.3f}%", DAY_STATUS[DayStatus(day.status)][1], "", day_text(day)))
        longest = [causes[d.date] for d in group if d.date in causes]
        if longest:
            _extend(cause_runs, first, until, max(longest)[1])
    _draw_causes(drawn, cause_runs, scale, zone)
    if days.days > MARKED_DAYS:
        _draw_statuses(drawn, status_runs, scale, zone)


def _draw_causes(drawn: Timeline, runs: list[Run], scale: Scale, zone: ZoneInfo) -> None:
    for first, until, cause in runs:
        name, classes = CAUSES[Cause(cause)]
        x, width = scale.span(midnight(first, zone), midnight(until, zone))
        text = f"{name}, {formatting.date_span(first, until - dt.timedelta(days=1))}"
        drawn.gaps.append(Block(x, width, GAP_TOP + 4, ROW_HEIGHT - 4, classes, text))


def _draw_statuses(drawn: Timeline, runs: list[Run], scale: Scale, zone: ZoneInfo) -> None:
    for first, until, symbol in runs:
        x, width = scale.span(midnight(first, zone), midnight(until, zone))
        name = next(name for name, mark in DAY_STATUS.values() if mark == symbol)
        text = f"{name}, {formatting.date_span(first, until - dt.timedelta(days=1))}"
        drawn.runs.append(Block(x, width, 6, 14, f"run-{symbol.removeprefix('m-')}", text))


def _extend(runs: list[Run], first: dt.date, until: dt.date, what: str) -> None:
    if runs and runs[-1][1:] == (first, what):
        first = runs.pop()[0]
    runs.append((first, until, what))


def _bar(drawn: Timeline, group: Sequence[Day], scale: Scale, start: dt.datetime, end: dt.datetime) -> None:
    share = sum(d.worn_minutes for d in group) / max(1, sum(d.day_minutes for d in group))
    if not share:
        return
    height = round(share * BARS_HEIGHT, 1)
    x, width = scale.at(start), scale.at(end) - scale.at(start)
    bottom = WORN_TOP + BARS_HEIGHT - 4
    text = day_text(group[0]) if len(group) == 1 else gettext("worn {share:.0f} h a day").format(share=share * 24)
    block = Block(f"{x + width * 0.1:.3f}%", f"{width * 0.8:.3f}%", round(bottom - height, 1), height, "worn", text)
    drawn.worn.append(block)


def longest_causes(gaps: Iterable[Missing], zone: ZoneInfo) -> dict[dt.date, tuple[float, str]]:
    """The cause that misses most of each local date, with its minutes; dates that miss little have none."""
    minutes: dict[dt.date, Counter[str]] = {}
    for gap in gaps:
        at = gap.starts_at
        while at < gap.ends_at:
            date = at.astimezone(zone).date()
            end = min(gap.ends_at, midnight(date + dt.timedelta(days=1), zone))
            counter = minutes.setdefault(date, Counter())
            counter[gap.cause] += int((end.timestamp() - at.timestamp()) // 60)
            at = end
    longest = {date: counter.most_common(1)[0] for date, counter in minutes.items()}
    return {date: (m, cause) for date, (cause, m) in longest.items() if m >= LEAST_MINUTES}
