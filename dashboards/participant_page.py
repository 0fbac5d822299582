"""What a participant's page shows: the chosen days and metric, key figures, the chart, the table, nights, exercise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.urls import reverse

from dashboards import charts, ranges, wording
from dashboards.ranges import BadRange, DayRange
from metrics import queries
from metrics.models import ExerciseSession, SleepSession
from metrics.registry import HEART_RATE, Metric
from participants.models import Participant

# Up to so many days the table shows the chart's buckets, beyond them a row a day.
BUCKET_DAYS = 2
BUCKET_ROWS = 300
NIGHTS_SHOWN = 31
EXERCISE_SHOWN = 31


@dataclass(frozen=True, slots=True)
class Preset:
    name: str
    query: str
    current: bool


@dataclass(frozen=True, slots=True)
class Night:
    """A sleep session in local time, as texts."""

    date: dt.date
    asleep: str
    awake: str
    slept: str
    stages: str
    is_main: bool


@dataclass(frozen=True, slots=True)
class Exercise:
    """An exercise session in local time, as texts."""

    date: dt.date
    activity: str
    began: str
    lasted: str
    distance: str
    energy: str
    heart_rate: str


def chosen_metric(asked: str, available: list[queries.MetricSummary]) -> Metric | None:
    """The metric asked for, else heart rate, else the first there is; None without data."""
    by_code = {summary.metric.code: summary.metric for summary in available}
    return by_code.get(asked) or by_code.get(HEART_RATE.code) or next(iter(by_code.values()), None)


def night(session: SleepSession, zone: ZoneInfo) -> Night:
    minutes = (("deep", session.deep_minutes), ("light", session.light_minutes), ("REM", session.rem_minutes))
    return Night(
        date=session.date,
        asleep=f"{session.starts_at.astimezone(zone):%H:%M}",
        awake=f"{session.ends_at.astimezone(zone):%H:%M}",
        slept=wording.hours_minutes(session.asleep_minutes),
        stages=", ".join(f"{name}{wording.NO_BREAK}{wording.hours_minutes(m)}" for name, m in minutes if m is not None),
        is_main=session.is_main,
    )


def exercise(session: ExerciseSession, zone: ZoneInfo) -> Exercise:
    """A session as texts, under the name its source shows, else the kind of activity."""
    metres = session.distance_m
    return Exercise(
        date=session.date,
        activity=session.name or session.activity.replace("_", " ").capitalize(),
        began=f"{session.starts_at.astimezone(zone):%H:%M}",
        lasted=wording.hours_minutes(round((session.ends_at - session.starts_at).total_seconds() / 60)),
        distance=wording.number(None if metres is None else metres / 1000, 2),
        energy=wording.number(session.energy_kcal),
        heart_rate=wording.number(session.mean_heart_rate),
    )


def chosen_range(
    asked: Mapping[str, str], participant: Participant, data: queries.Overview | None, today: dt.date
) -> tuple[DayRange, str]:
    """The days to show, and what was wrong with those asked for (then the default is shown)."""
    end = ranges.anchor(data.last_on if data else None, today)
    firsts = [d for d in (participant.monitoring_starts_on, data.first_on if data else None) if d]
    trial_first = max(min(firsts, default=end), ranges.EARLIEST)
    try:
        return ranges.chosen(asked, end=end, trial_first=trial_first), ""
    except BadRange as error:
        return ranges.chosen({}, end=end, trial_first=trial_first), str(error)


def table(participant: Participant, metric: Metric, days: DayRange, zone: ZoneInfo) -> charts.Table:
    """The chosen metric as a table: by local day, or for a day or two by bucket."""
    if days.days > BUCKET_DAYS:
        rows = queries.day_table(participant, metric.code, days.first, days.last)
        return charts.day_rows(rows, metric, days.first, days.last)
    start, end = days.instants(zone)
    found = queries.series([participant.pk], [metric.code], start, end, max_points=BUCKET_ROWS)
    return charts.bucket_rows(found[0], zone)


@dataclass(frozen=True, slots=True)
class Recent:
    """The last day that can be complete, and the week that ends with it. `worn_minutes` None: no data that day."""

    date: dt.date
    worn_minutes: int | None
    nights: int


def recent(participant: Participant, date: dt.date) -> Recent:
    week = queries.participant_days(participant.pk, date - dt.timedelta(days=6), date)
    worn = next((d.worn_minutes for d in week if d.date == date), None)
    return Recent(date, worn, sum(d.asleep_minutes is not None for d in week))


def figures(participant: Participant, now: dt.datetime) -> dict[str, Any]:
    """The context of the figures at the top of the page, which do not depend on the chosen days."""
    today = now.astimezone(ZoneInfo(participant.time_zone)).date()
    data = queries.overview(Participant.objects.filter(pk=participant.pk)).get(participant.pk)
    # Where data stopped long ago, what was last known says more than an empty yesterday.
    quiet = bool(data and data.last_on < today - dt.timedelta(days=7))
    day = data.last_on if quiet and data else today - dt.timedelta(days=1)
    return {"data": data, "now": now, "today": today, "quiet": quiet, "recent": recent(participant, day)}


def page(participant: Participant, asked: Mapping[str, str], now: dt.datetime) -> dict[str, Any]:
    """The template's context. The number of queries does not depend on how much data there is."""
    zone = ZoneInfo(participant.time_zone)
    shown = figures(participant, now)
    today, data = shown["today"], shown["data"]
    available = queries.metrics_with_data(participant.pk)
    metric = chosen_metric(asked.get("metric", ""), available)
    days, problem = chosen_range(asked, participant, data, today)
    base = {"metric": metric.code} if metric else {}

    def query(shown: DayRange) -> str:
        return urlencode({**base, **shown.query()})

    ago, ahead = days.shifted(-1), days.shifted(1)
    context: dict[str, Any] = {
        **shown,
        "participant": participant,
        "trial": participant.trial,
        "available": available,
        "metric": metric,
        "days": days,
        "days_words": wording.date_span(days.first, days.last),
        "problem": problem,
        "presets": [
            Preset(name, urlencode({**base, "range": key}), key == days.preset) for key, name in ranges.NAMES.items()
        ],
        "here": query(days),
        "before": query(ago) if ago.first >= ranges.EARLIEST else "",
        "after": query(ahead) if ahead.first <= today else "",
        "zone_words": wording.zone_words(zone, days.instants(zone)[1] - dt.timedelta(seconds=1)),
    }
    if metric is None:
        return context
    sessions = queries.sleep_sessions(participant.pk, days.first, days.last)
    nights = [night(s, zone) for s in sorted(sessions, key=lambda s: s.starts_at, reverse=True)]
    exercised = queries.exercise_sessions(participant.pk, days.first, days.last)[::-1]
    address = reverse("dashboards:series", args=[participant.trial.code, participant.study_id])
    window = {"metric": metric.code, "start": days.first.isoformat(), "end": days.last.isoformat()}
    return context | {
        "series_url": f"{address}?{urlencode(window)}",
        "chart": charts.kind_of_chart(metric),
        "colour": charts.COLOURS.get(metric.code, "compare"),
        "table": table(participant, metric, days, zone),
        "nights": nights[:NIGHTS_SHOWN],
        "nights_recorded": len({n.date for n in nights if n.is_main}),
        "nights_cut": max(0, len(nights) - NIGHTS_SHOWN),
        "exercise": [exercise(session, zone) for session in exercised[:EXERCISE_SHOWN]],
        "exercise_cut": max(0, len(exercised) - EXERCISE_SHOWN),
    }
