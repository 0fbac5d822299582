"""Mapping of each metric to FHIR and Open mHealth. A new metric needs a row here: a test asks for it."""

from __future__ import annotations

from dataclasses import dataclass

from metrics.registry import LOINC, METRICS, Metric

# https://terminology.hl7.org/CodeSystem-observation-category.html
VITAL, ACTIVITY, LABORATORY, EXAM = "vital-signs", "activity", "laboratory", "exam"

CATEGORIES: dict[str, str] = {
    **dict.fromkeys(("heart_rate", "spo2", "respiratory_rate", "respiratory_rate_instant"), VITAL),
    **dict.fromkeys(("resting_heart_rate", "weight", "spo2_24h"), VITAL),
    **dict.fromkeys(("steps", "distance", "energy", "active_zone_minutes", "steps_24h", "distance_24h"), ACTIVITY),
    **dict.fromkeys(("energy_24h", "sedentary_24h", "lightly_active_24h", "fairly_active_24h"), ACTIVITY),
    **dict.fromkeys(("very_active_24h", "active_zone_minutes_24h", "floors_24h"), ACTIVITY),
    **dict.fromkeys(("hrv_rmssd", "hrv_sdnn", "hrv_rmssd_24h", "skin_temperature", "body_fat"), EXAM),
    **dict.fromkeys(("skin_temperature_deviation", "stress_score", "vo2_max"), EXAM),
    "glucose": LABORATORY,
}

# FHIR's oxygen saturation profile asks for this code whatever finer code stands beside it.
ALSO_CODED: dict[str, tuple[str, ...]] = {"spo2": ("2708-6",)}


@dataclass(frozen=True, slots=True)
class Schema:
    """A body of an Open mHealth data point: the schema, the member that holds value and unit, and what is constant."""

    name: str
    version: str
    member: str
    unit: str
    extra: tuple[tuple[str, str], ...] = ()


_RATE = ("heart-rate", "2.0", "heart_rate", "beats/min")
_BREATHS = ("respiratory-rate", "2.0", "respiratory_rate", "breaths/min")
_STEPS = Schema("step-count", "3.0", "step_count", "steps")
_KCAL = Schema("calories-burned", "2.0", "kcal_burned", "kcal")
_OXYGEN = ("oxygen-saturation", "2.0", "oxygen_saturation", "%")
_OPTICAL = (("system", "peripheral capillary"), ("measurement_method", "pulse oximetry"))

# Of schemas in several versions, the newest that stands on its own: later ones of weight, temperature, glucose and
# fat only move shared definitions to IEEE's server, and no reader can check them without it.
SCHEMAS: dict[str, Schema] = {
    "heart_rate": Schema(*_RATE),
    "resting_heart_rate": Schema(*_RATE, (("temporal_relationship_to_physical_activity", "at rest"),)),
    "steps": _STEPS,
    "steps_24h": _STEPS,
    "energy": _KCAL,
    "energy_24h": _KCAL,
    "spo2": Schema(*_OXYGEN, _OPTICAL),
    "spo2_24h": Schema(*_OXYGEN, (*_OPTICAL, ("descriptive_statistic", "average"))),
    "respiratory_rate": Schema(*_BREATHS, (("descriptive_statistic", "average"),)),
    "respiratory_rate_instant": Schema(*_BREATHS),
    "skin_temperature": Schema(
        "body-temperature", "3.0", "body_temperature", "C", (("measurement_location", "wrist"),)
    ),
    "weight": Schema("body-weight", "2.0", "body_weight", "kg"),
    "body_fat": Schema("body-fat-percentage", "1.0", "body_fat_percentage", "%"),
    "glucose": Schema("blood-glucose", "3.0", "blood_glucose", "mg/dL", (("specimen_source", "interstitial fluid"),)),
    "fairly_active_24h": Schema("minutes-moderate-activity", "1.0", "minutes_moderate_activity", "min"),
}

_NO_HRV = "Open mHealth has a schema for single RR intervals, none for a variability"
_NO_LEVEL = "Open mHealth has minutes of moderate activity only"
_NO_DISTANCE = "Open mHealth knows a distance only as part of a named activity; exercise sessions carry theirs"
_NO_SCHEMA = "Open mHealth has no schema for it"

LEFT_OUT: dict[str, str] = {
    "distance": _NO_DISTANCE,
    "distance_24h": _NO_DISTANCE,
    "active_zone_minutes": "a score that counts vigorous minutes twice; Open mHealth has no schema for it",
    "active_zone_minutes_24h": "a score that counts vigorous minutes twice; Open mHealth has no schema for it",
    "hrv_rmssd": _NO_HRV,
    "hrv_sdnn": _NO_HRV,
    "hrv_rmssd_24h": _NO_HRV,
    "skin_temperature_deviation": "a difference from a personal baseline is no temperature",
    "stress_score": _NO_SCHEMA,
    "sedentary_24h": _NO_LEVEL,
    "lightly_active_24h": _NO_LEVEL,
    "very_active_24h": _NO_LEVEL,
    "vo2_max": _NO_SCHEMA,
    "floors_24h": _NO_SCHEMA,
}


def left_out(codes: list[str]) -> dict[str, str]:
    """Of these metrics, those that no Open mHealth schema takes, and why: for an export's manifest."""
    return {code: LEFT_OUT[code] for code in codes if code in LEFT_OUT}


def codings(metric: Metric) -> list[dict[str, str]]:
    """The codes of a FHIR Observation of this metric."""
    also = [{"system": LOINC, "code": code} for code in ALSO_CODED.get(metric.code, ())]
    return [*also, {"system": metric.system, "code": metric.concept}]


def table() -> str:
    """The mapping of every metric as a table in Markdown, for docs/fhir-and-openmhealth.md."""
    lines = [
        "| Metric | Code | UCUM | FHIR category | Open mHealth schema |",
        "|---|---|---|---|---|",
    ]
    for metric in METRICS:
        codes = ", ".join(f"{'LOINC' if c['system'] == LOINC else 'local'} `{c['code']}`" for c in codings(metric))
        schema = SCHEMAS.get(metric.code)
        body = f"`omh:{schema.name}:{schema.version}`" if schema else f"left out: {LEFT_OUT[metric.code]}"
        lines.append(f"| `{metric.code}` | {codes} | `{metric.unit}` | {CATEGORIES[metric.code]} | {body} |")
    return "\n".join(lines)
