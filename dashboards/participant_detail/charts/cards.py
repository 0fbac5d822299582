"""Charts of a participant's page, each with the table of what it draws."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.urls import reverse

from dashboards.participant_detail.charts import series as charts_series
from dashboards.participant_detail.choices import Chosen
from dashboards.participant_detail.date_range import DayRange
from metrics.reading import queries as reading_queries
from metrics.reading.queries import DayRow, MetricSummary
from metrics.registry import STEPS, Metric
from metrics.selection.collection_window import Collected
from participants.models import Participant

# Up to so many days the tables show the charts' buckets, beyond them a row a day.
BUCKET_DAYS = 2
BUCKET_ROWS = 300


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


Charted = list[tuple[str, Metric, Metric | None]]


def charted(metric: Metric, picked: Chosen, has: set[str]) -> Charted:
    """The charts in their order, as names, metrics and what these are compared to."""
    shown: Charted = [("main", metric, picked.compare)]
    if STEPS.code in has and metric != STEPS:
        shown.append(("steps", STEPS, None))
    if picked.extra and picked.extra not in [chart_metric for _, chart_metric, _ in shown]:
        shown.append(("extra", picked.extra, None))
    return shown


def _metrics_of(shown: Charted) -> list[Metric]:
    return list({m.code: m for _, *pair in shown for m in pair if m}.values())


def tabled(picked: Chosen, days: DayRange, available: list[MetricSummary]) -> list[str]:
    """Codes of the metrics of which there is a table by local day."""
    if picked.metric is None or days.days <= BUCKET_DAYS:
        return []
    return [metric.code for metric in _metrics_of(charted(picked.metric, picked, {s.metric.code for s in available}))]


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
    shown = charted(metric, picked, has)
    table_by_code = tables(participant, _metrics_of(shown), days, zone, held)
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
