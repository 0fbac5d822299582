"""The metrics we know: one row each, in UCUM units and with LOINC codes where LOINC has one.

A new device brings its metrics as rows here, never as columns in a table. Ids are stored with every
measurement: they are never changed or reused. Codes and plausible ranges follow Open mHealth, LOINC and the
vendors' own limits. `plausible` says which values count, both bounds included; plausible_range.py asks it for
everybody.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


def _(text: str) -> str:
    """Mark of a text for the catalogues. Django's gettext_noop needs the settings; the registry loads without."""
    return text


class Kind(StrEnum):
    SAMPLE = "sample"  # a value at an instant
    INTERVAL = "interval"  # a value of a length of time, whose length is the measurement's `seconds`
    DAILY = "daily"  # a value of a local day (or of the night that ended on it), stored at that day's first instant


class Aggregate(StrEnum):
    MEAN = "mean"
    SUM = "sum"


# Another number, and the day, with each change of a range below: what has been counted by then is counted anew by
# `manage.py reevaluate_ranges` alone. Version 1 is the first by which values are left out.
RANGES_VERSION = 1
RANGES_SINCE = dt.date(2026, 11, 29)

LOINC = "http://loinc.org"
LOCAL = "urn:wearable-trials:metric"


@dataclass(frozen=True, slots=True)
class Metric:
    """One kind of measurement.

    `unit` is UCUM and what is stored; `label` is how the unit is written for people. `subminute`: sampled more
    often than once a minute by some device, so minute rollups are kept for it. `plausible`: the lowest and the highest
    value that count; of a sum over an interval, those of a minute. `worn`: measured by something on the body; what a
    scale says does not show that the worn device was heard of.
    """

    id: int
    code: str
    name: str
    unit: str
    label: str
    kind: Kind
    aggregate: Aggregate
    plausible: tuple[float, float]
    concept: str
    system: str = LOINC
    subminute: bool = False
    worn: bool = True


def _rows() -> tuple[Metric, ...]:
    s, i, d, mean, total = Kind.SAMPLE, Kind.INTERVAL, Kind.DAILY, Aggregate.MEAN, Aggregate.SUM
    return (
        Metric(1, "heart_rate", _("Heart rate"), "/min", "bpm", s, mean, (25, 240), "8867-4", subminute=True),
        Metric(2, "steps", _("Steps"), "{steps}", "steps", i, total, (0, 300), "55423-8"),
        Metric(3, "distance", _("Distance"), "m", "m", i, total, (0, 1000), "55430-3"),
        Metric(4, "energy", _("Energy"), "kcal", "kcal", i, total, (0, 40), "41981-2"),
        # A minute may touch every zone: 1 for fat burn, 2 each for cardio and peak.
        Metric(5, "active_zone_minutes", _("Active zone minutes"), "min", "min", i, total, (0, 5), "azm", LOCAL),
        Metric(6, "spo2", _("Oxygen saturation"), "%", "%", s, mean, (70, 100), "59408-5"),
        # LOINC's 80404-7 is SDNN: another quantity, never to be used for RMSSD.
        Metric(7, "hrv_rmssd", _("Heart rate variability (RMSSD)"), "ms", "ms", i, mean, (1, 300), "hrv-rmssd", LOCAL),
        Metric(8, "hrv_sdnn", _("Heart rate variability (SDNN)"), "ms", "ms", i, mean, (1, 400), "80404-7"),
        Metric(9, "respiratory_rate", _("Breathing rate"), "/min", "breaths/min", d, mean, (4, 60), "9279-1"),
        Metric(10, "resting_heart_rate", _("Resting heart rate"), "/min", "bpm", d, mean, (30, 120), "40443-4"),
        Metric(
            11,
            "skin_temperature_deviation",
            _("Skin temperature deviation"),
            "Cel",
            "°C",
            d,
            mean,
            (-8, 8),
            "std",
            LOCAL,
        ),
        Metric(
            12, "skin_temperature", _("Skin temperature"), "Cel", "°C", s, mean, (15, 45), "skin-temperature", LOCAL
        ),
        Metric(13, "weight", _("Weight"), "kg", "kg", s, mean, (20, 350), "29463-7", worn=False),
        Metric(14, "body_fat", _("Body fat"), "%", "%", s, mean, (2, 75), "41982-0", worn=False),
        Metric(15, "glucose", _("Glucose"), "mg/dL", "mg/dL", s, mean, (20, 600), "99504-3"),
        Metric(
            16,
            "respiratory_rate_instant",
            _("Breathing rate, intraday"),
            "/min",
            "breaths/min",
            s,
            mean,
            (4, 60),
            "9279-1",
        ),
        Metric(17, "stress_score", _("Stress score"), "{score}", "points", s, mean, (0, 100), "stress-score", LOCAL),
        Metric(18, "steps_24h", _("Steps, daily total"), "{steps}", "steps", d, total, (0, 100_000), "41950-7"),
        Metric(19, "distance_24h", _("Distance, daily total"), "m", "m", d, total, (0, 150_000), "41953-1"),
        Metric(20, "energy_24h", _("Energy, daily total"), "kcal", "kcal", d, total, (300, 15_000), "41979-6"),
        # A day of 25 hours has 1,500 minutes.
        Metric(
            21, "sedentary_24h", _("Sedentary time, daily total"), "min", "min", d, total, (0, 1500), "sedentary", LOCAL
        ),
        Metric(
            22,
            "lightly_active_24h",
            _("Light activity, daily total"),
            "min",
            "min",
            d,
            total,
            (0, 1500),
            "light",
            LOCAL,
        ),
        Metric(
            23, "fairly_active_24h", _("Fair activity, daily total"), "min", "min", d, total, (0, 1500), "fair", LOCAL
        ),
        Metric(
            24, "very_active_24h", _("High activity, daily total"), "min", "min", d, total, (0, 1500), "very", LOCAL
        ),
        Metric(25, "vo2_max", _("VO₂ max"), "mL/(kg.min)", "mL/kg/min", d, mean, (10, 95), "vo2-max", LOCAL),
        Metric(
            26, "spo2_24h", _("Oxygen saturation, nightly mean"), "%", "%", d, mean, (70, 100), "spo2-nightly", LOCAL
        ),
        Metric(
            27,
            "hrv_rmssd_24h",
            _("Heart rate variability, nightly"),
            "ms",
            "ms",
            d,
            mean,
            (1, 300),
            "hrv-nightly",
            LOCAL,
        ),
        Metric(
            28,
            "active_zone_minutes_24h",
            _("Active zone minutes, daily total"),
            "min",
            "min",
            d,
            total,
            (0, 2880),
            "azm-24h",
            LOCAL,
        ),
        Metric(
            29, "floors_24h", _("Floors, daily total"), "{floors}", "floors", d, total, (0, 1000), "floors-24h", LOCAL
        ),
    )


METRICS: tuple[Metric, ...] = _rows()
BY_CODE: dict[str, Metric] = {m.code: m for m in METRICS}
BY_ID: dict[int, Metric] = {m.id: m for m in METRICS}

HEART_RATE = BY_CODE["heart_rate"]
STEPS = BY_CODE["steps"]


def metric(code: str) -> Metric:
    """The metric with this code. Raises KeyError with the code in its message."""
    return BY_CODE[code]
