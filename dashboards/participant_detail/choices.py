"""Choices in the address of a participant's page: the metrics of its charts, a night, the list that led there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from dashboards.participant_detail import date_range
from dashboards.participant_detail.date_range import BadRange
from metrics.reading.queries import MetricSummary
from metrics.registry import HEART_RATE, Metric


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
