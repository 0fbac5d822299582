"""Context of a participant's page for the chosen days: range, wear and gaps, charts with tables, nights, exercise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.urls import reverse

from dashboards.participant_detail import date_range, header, session_rows, wear
from dashboards.participant_detail.charts import nightly
from dashboards.participant_detail.charts import series as charts_series
from dashboards.participant_detail.charts import sleep as charts_sleep
from dashboards.participant_detail.date_range import BadRange, DayRange
from dashboards.ui import formatting
from metrics.models import SleepSession
from metrics.reading import queries as reading_queries
from metrics.reading.queries import DayRow, MetricSummary
from metrics.registry import HEART_RATE, STEPS, Metric
from metrics.selection.collection_window import Collected
from metrics.selection.plausible_range import per_minute
from participants.models import Participant
from participants.user_input import EARLIEST

# Up to so many days the tables show the charts' buckets, beyond them a row a day.
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
class Chosen:
    """Choices in the address: the metrics of the charts, those with data, as codes; `night` a date of waking."""

    metric: Metric | None
    compare: Metric | None
    extra: Metric | None
    night: dt.date | None
    listed: str

    def query(self) -> dict[str, str]:
        """Its part of the canonical address; what is not chosen is left out."""
        parts = {
            "metric": self.metric.code if self.metric else "",
            "compare": self.compare.code if self.compare else "",
            "extra": self.extra.code if self.extra else "",
            "list": self.listed,
        }
        return {name: value for name, value in parts.items() if value}


@dataclass(frozen=True, slots=True)
class ChartCard:
    """A chart with its table. `compare`: what is drawn on the right axis, with a table of its own under it."""

    name: str
    metric: Metric
    kind: str
    colour: str
    series_url: str
    table: charts_series.Table
    compare: Metric | None = None
    compare_colour: str = ""
    compare_table: charts_series.Table | None = None


def chosen_metric(code: str, available: list[MetricSummary]) -> Metric | None:
    """Metric requested, else heart rate, else the first there is; None without data."""
    by_code = {summary.metric.code: summary.metric for summary in available}
    return by_code.get(code) or by_code.get(HEART_RATE.code) or next(iter(by_code.values()), None)


def chosen(params: Mapping[str, str], available: list[MetricSummary]) -> Chosen:
    """Choices in the address; metrics without data are not chosen."""
    by_code = {summary.metric.code: summary.metric for summary in available}
    metric = chosen_metric(params.get("metric", ""), available)
    compare, extra = by_code.get(params.get("compare", "")), by_code.get(params.get("extra", ""))
    try:
        night = date_range.parse_date("night", params["night"]) if params.get("night") else None
    except BadRange:
        night = None  # a mistyped night: the newest is shown
    listed = params.get("list", "")[:300]
    return Chosen(metric, compare if compare != metric else None, extra, night, listed)


def chosen_range(
    params: Mapping[str, str], participant: Participant, data: reading_queries.Overview | None, today: dt.date
) -> tuple[DayRange, str]:
    """Days to show, and what was wrong with those requested (then the default is shown)."""
    end = date_range.anchor(data.last_on if data else None, today)
    firsts = [d for d in (participant.monitoring_starts_on, data.first_on if data else None) if d]
    trial_first = max(min(firsts, default=end), EARLIEST)
    try:
        return date_range.chosen(params, end=end, trial_first=trial_first), ""
    except BadRange as error:
        return date_range.chosen({}, end=end, trial_first=trial_first), str(error)


def tables(
    participant: Participant, metrics: list[Metric], days: DayRange, zone: ZoneInfo, held: Collected
) -> dict[str, charts_series.Table]:
    """Metrics as tables by code: by local day, or for a day or two by bucket."""
    codes = [metric.code for metric in metrics]
    if days.days > BUCKET_DAYS:
        rows: dict[str, list[DayRow]] = reading_queries.day_tables(participant, codes, days.first, days.last, held)
        return {m.code: charts_series.day_rows(rows[m.code], m, days.first, days.last) for m in metrics}
    start, end = days.instants(zone)
    series_list = reading_queries.series([participant.pk], codes, start, end, max_points=BUCKET_ROWS)
    return {series.metric.code: charts_series.bucket_rows(series, zone) for series in series_list}


def chart_cards(
    participant: Participant,
    metric: Metric,
    picked: Chosen,
    days: DayRange,
    zone: ZoneInfo,
    has: set[str],
    held: Collected,
) -> list[ChartCard]:
    """The charts in their order: the chosen metric with what it is compared to, steps, one more."""
    shown: list[tuple[str, Metric, Metric | None]] = [("main", metric, picked.compare)]
    if STEPS.code in has and metric != STEPS:
        shown.append(("steps", STEPS, None))
    if picked.extra and picked.extra not in [chart_metric for _, chart_metric, _ in shown]:
        shown.append(("extra", picked.extra, None))
    by_code = {m.code: m for _, *pair in shown for m in pair if m}
    table_by_code = tables(participant, list(by_code.values()), days, zone, held)
    address = reverse("dashboards:series", args=[participant.trial.code, participant.study_id])
    cards = []
    for name, chart_metric, compare in shown:
        window = {"metric": chart_metric.code, "start": days.first.isoformat(), "end": days.last.isoformat()}
        if compare:
            window["compare"] = compare.code
        cards.append(
            ChartCard(
                name=name,
                metric=chart_metric,
                kind=charts_series.kind_of_chart(chart_metric),
                colour=charts_series.COLOURS.get(chart_metric.code, "compare"),
                series_url=f"{address}?{urlencode(window)}",
                table=table_by_code[chart_metric.code],
                compare=compare,
                compare_colour="heart"
                if charts_series.COLOURS.get(chart_metric.code, "compare") in ("steps", "compare")
                else "compare",
                compare_table=table_by_code[compare.code] if compare else None,
            )
        )
    return cards


def nights_part(
    sessions: list[SleepSession],
    days: DayRange,
    zone: ZoneInfo,
    night: dt.date | None,
    pending: frozenset[dt.date],
    until: dt.date,
) -> dict[str, Any]:
    """The hypnogram of the chosen night (the newest unless one is requested), all nights as bars and as a table."""
    main = {s.date: s for s in sessions if s.is_main}
    date = night if night in main else max(main, default=None)
    newest_first = sorted(sessions, key=lambda s: s.starts_at, reverse=True)
    return {
        "hypnogram": charts_sleep.hypnogram(main[date], zone) if date else None,
        "night_bars": charts_sleep.nights(
            sessions, days.first, days.last, zone, chosen=date, pending=pending, until=until
        ),
        "nights": [session_rows.night(s, zone, main.get(s.date)) for s in newest_first[:NIGHTS_SHOWN]],
        "nights_recorded": len(main),
        "nights_cut": max(0, len(sessions) - NIGHTS_SHOWN),
    }


def range_part(participant: Participant, picked: Chosen, days: DayRange, now: dt.datetime) -> dict[str, Any]:
    """The range bar: presets, the steps to the days before and after, what each leads to."""
    base = picked.query()

    def query(shown: DayRange) -> str:
        return urlencode({**base, **shown.query()})

    zone = ZoneInfo(participant.time_zone)
    today = now.astimezone(zone).date()
    ago, ahead = days.shifted(-1), days.shifted(1)
    return {
        "days": days,
        "days_text": formatting.date_span(days.first, days.last),
        "presets": [
            Preset(name, urlencode({**base, "range": key}), key == days.preset)
            for key, name in date_range.NAMES.items()
        ],
        "here": query(days) + (f"&night={picked.night}" if picked.night else ""),
        "without_night": query(days),
        "before": query(ago) if ago.first >= EARLIEST else "",
        "after": query(ahead) if ahead.first <= today else "",
        "zone_text": formatting.zone_text(zone, days.instants(zone)[1] - dt.timedelta(seconds=1)),
        "clock_text": f"{now.astimezone(zone):%H:%M}",
        "window": [int(at.timestamp() * 1000) for at in (*days.instants(zone), now)],
    }


def removed_before(participant: Participant, days: DayRange, zone: ZoneInfo) -> dt.date | None:
    """Before which local day the trial has deleted the participant's samples, where the days shown begin before it."""
    cutoff = participant.trial.raw_removed_before
    return cutoff.astimezone(zone).date() if cutoff is not None and days.instants(zone)[0] < cutoff else None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Values of the days shown that do not count: how many, of what, outside which range."""

    metric: Metric
    n: int

    @property
    def range_text(self) -> str:
        low, high = (formatting.number(bound) for bound in self.metric.plausible)
        return f"{low} to {high} {self.metric.label}{' a minute' if per_minute(self.metric) else ''}"


def left_out(participant: Participant, days: DayRange, held: Collected) -> list[LeftOut]:
    counts = reading_queries.values_left_out(participant, days.first, days.last, held)
    return [LeftOut(metric, n) for metric, n in counts]


def page(participant: Participant, params: Mapping[str, str], now: dt.datetime) -> dict[str, Any]:
    """The template's context. The number of queries does not depend on how much data there is."""
    zone = ZoneInfo(participant.time_zone)
    shown = header.figures(participant, now)
    today, data = shown["today"], shown["data"]
    held = shown["held"]
    available = reading_queries.metrics_with_data(participant.pk, held)
    picked = chosen(params, available)
    days, problem = chosen_range(params, participant, data, today)
    context: dict[str, Any] = {
        **shown,
        "participant": participant,
        "trial": participant.trial,
        "available": available,
        "picked": picked,
        "metric": picked.metric,
        "problem": problem,
        "removed_before": removed_before(participant, days, zone),
        "left_out": left_out(participant, days, held),
        **range_part(participant, picked, days, now),
        **wear.wear(participant, days, now, held),
    }
    if picked.metric is None:
        return context
    sessions = reading_queries.sleep_sessions(participant.pk, days.first, days.last, held)
    exercised = reading_queries.exercise_sessions(participant.pk, days.first, days.last, held)[::-1]
    last = min(days.last, today)
    since = last - dt.timedelta(days=nightly.USUAL_DAYS)
    measured = reading_queries.day_tables(participant, nightly.CODES, since, last, held)
    return context | {
        "charts": chart_cards(participant, picked.metric, picked, days, zone, {s.metric.code for s in available}, held),
        **nights_part(sessions, days, zone, picked.night, context["pending_dates"], last),
        "nightly": nightly.nightly(measured, last),
        "usual_text": nightly.USUAL_TEXT,
        "exercise": [session_rows.exercise(session, zone) for session in exercised[:EXERCISE_SHOWN]],
        "exercise_cut": max(0, len(exercised) - EXERCISE_SHOWN),
    }
