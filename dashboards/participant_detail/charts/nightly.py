"""Nightly measures as small multiples: 30 nights of each, beside what is usual for the participant. Pure functions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dashboards.participant_detail.charts import series
from dashboards.ui import formatting
from metrics.reading.queries import DayRow
from metrics.registry import BY_CODE
from participants.team_texts import gettext

NIGHTS_SHOWN = 30
# The usual range: 10th to 90th percentile of the nights before the newest, of at most so many days, at least so many.
USUAL_DAYS, USUAL_LEAST = 90, 7
USUAL_TEXT = gettext("shaded: usual for the participant, the middle 80 % of earlier nights of the last 90 days")
HEIGHT, MARGIN = 72.0, 6.0
# Name, colour, the metrics that tell it (the first that the participant has), what stands behind the number.
MEASURES = (
    (gettext("Oxygen saturation"), "spo2", ("spo2_24h", "spo2"), "%"),
    (gettext("Heart rate variability"), "hrv", ("hrv_rmssd_24h", "hrv_rmssd"), gettext("ms RMSSD")),
    (gettext("Breathing rate"), "breath", ("respiratory_rate", "respiratory_rate_instant"), "/min"),
    (gettext("Resting heart rate"), "rhr", ("resting_heart_rate",), "bpm"),
)
CODES = [code for _, _, codes, _ in MEASURES for code in codes]


@dataclass(frozen=True, slots=True)
class Multiple:
    """One measure: its newest value, the line (in a box of 1000 x 72) with its points, the usual range."""

    name: str
    colour: str
    unit: str
    value: str
    line: str
    dots: list[tuple[str, float]]
    range_y: float
    range_height: float
    usual: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Nightly:
    multiples: list[Multiple]
    heads: list[str]
    rows: list[list[str]]
    until: dt.date


def usual(values: Sequence[float]) -> tuple[float, float] | None:
    """The 10th and the 90th percentile of earlier nights; None of too few."""
    if len(values) < USUAL_LEAST:
        return None
    low, high = np.percentile(np.array(values), [10, 90])
    return float(low), float(high)


def nightly(days: Mapping[str, Sequence[DayRow]], until: dt.date) -> Nightly | None:
    """The measures that a participant has, over the 30 nights that end on `until`; None without any."""
    first = until - dt.timedelta(days=NIGHTS_SHOWN - 1)
    drawn, columns, heads = [], [], []
    for name, colour, codes, unit in MEASURES:
        code = next((c for c in codes if days.get(c)), None)
        if code is None:
            continue
        values = {row.date: row.mean for row in days[code]}
        drawn.append(_multiple(name, colour, unit, code, values, first))
        columns.append((values, series.decimals(BY_CODE[code])))
        heads.append(f"{name}, {unit}")
    if not drawn:
        return None
    rows = []
    for date in (until - dt.timedelta(days=i) for i in range(NIGHTS_SHOWN)):
        cells = [formatting.number(values.get(date), places) for values, places in columns]
        rows.append([f"{date.day} {date:%b}", *cells])
    return Nightly(drawn, [gettext("Night to"), *heads], rows, until)


def _multiple(
    name: str, colour: str, unit: str, code: str, values: Mapping[dt.date, float], first: dt.date
) -> Multiple:
    places = series.decimals(BY_CODE[code])
    shown = [values.get(first + dt.timedelta(days=i)) for i in range(NIGHTS_SHOWN)]
    present = [v for v in shown if v is not None]
    newest = max(values)
    band = usual([v for date, v in values.items() if date < newest])
    reach = [*present, *(band or ())] or [0.0]
    low, high = min(reach), max(reach)
    scale = (HEIGHT - 2 * MARGIN) / ((high - low) or 1.0)

    def y(value: float) -> float:
        return round(HEIGHT - MARGIN - (value - low) * scale, 1) if high > low else HEIGHT / 2

    line, dots, joined = "", [], False
    for i, value in enumerate(shown):
        if value is not None:
            place = (i + 0.5) / NIGHTS_SHOWN
            line += f"{'L' if joined else 'M'}{place * 1000:.0f} {y(value)}"
            dots.append((f"{place * 100:.1f}%", y(value)))
        joined = value is not None
    newest_text = formatting.number(values[newest], places)
    text = (
        gettext("usually {low}–{high}").format(
            low=formatting.number(band[0], places), high=formatting.number(band[1], places)
        )
        if band
        else ""
    )
    top, bottom = (y(band[1]), y(band[0])) if band else (0.0, 0.0)
    summary = gettext("{name}, {present} of {nights_shown} nights, newest {newest_text} {unit}").format(
        name=name, present=len(present), nights_shown=NIGHTS_SHOWN, newest_text=newest_text, unit=unit
    )
    return Multiple(
        name=name,
        colour=colour,
        unit=unit,
        value=newest_text,
        line=line,
        dots=dots,
        range_y=top,
        range_height=round(max(bottom - top, 2.0), 1) if band else 0.0,
        usual=text or gettext("too few nights yet to say what is usual"),
        sentence=f"{summary}, {text}" if text else summary,
    )
