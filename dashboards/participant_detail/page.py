"""Context of a participant's page for the chosen days: range, wear and gaps, charts with tables, nights, exercise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from dashboards.participant_detail import date_range, header, session_rows, stored, wear
from dashboards.participant_detail.charts import cards, nightly
from dashboards.participant_detail.charts import sleep as charts_sleep
from dashboards.participant_detail.choices import Chosen, chosen
from dashboards.participant_detail.date_range import BadRange, DayRange
from dashboards.ui import formatting
from metrics.models import SleepSession
from metrics.reading import queries as reading_queries
from metrics.registry import Metric
from metrics.selection.collection_window import Collected
from metrics.selection.plausible_range import per_minute
from participants.models import Participant
from participants.team_texts import gettext
from participants.user_input import EARLIEST

NIGHTS_SHOWN = 31
EXERCISE_SHOWN = 31


@dataclass(frozen=True, slots=True)
class Preset:
    name: str
    query: str
    current: bool


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
        text = gettext("{low} to {high} {unit}").format(low=low, high=high, unit=self.metric.label)
        return gettext("{range} a minute").format(range=text) if per_minute(self.metric) else text


def left_out(participant: Participant, days: DayRange, held: Collected) -> list[LeftOut]:
    counts = reading_queries.values_left_out(participant, days.first, days.last, held)
    return [LeftOut(metric, n) for metric, n in counts]


def page(participant: Participant, params: Mapping[str, str], now: dt.datetime, held: Collected) -> dict[str, Any]:
    """The template's context. The number of queries does not depend on how much data there is.

    `held`: what is collected of the participant. What was read of them together with others is not read again (stored).
    """
    zone = ZoneInfo(participant.time_zone)
    today = now.astimezone(zone).date()
    data = reading_queries.overview_of(participant.pk, held)
    available = reading_queries.metrics_with_data(participant.pk, held)
    picked = chosen(params, available)
    days, problem = chosen_range(params, participant, data, today)
    last = min(days.last, today)
    spans = stored.Spans(
        week=header.week_of(data, today)[0],
        shown=(days.first, days.last),
        usual=(last - dt.timedelta(days=nightly.USUAL_DAYS), last),
    )
    with stored.days_read(participant, held, spans, (nightly.CODES, cards.tabled(picked, days, available))):
        shown = header.figures(participant, now, held)
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
        measured = reading_queries.day_tables(participant, nightly.CODES, *spans.usual, held)
        has = {s.metric.code for s in available}
        return context | {
            "charts": cards.chart_cards(participant, picked.metric, picked, days, zone, has, held),
            **nights_part(sessions, days, zone, picked.night, context["pending_dates"], last),
            "nightly": nightly.nightly(measured, last),
            "usual_text": nightly.USUAL_TEXT,
            "exercise": [session_rows.exercise(session, zone) for session in exercised[:EXERCISE_SHOWN]],
            "exercise_cut": max(0, len(exercised) - EXERCISE_SHOWN),
        }
