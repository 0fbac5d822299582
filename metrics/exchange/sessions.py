"""Nights and exercise in the exchange formats: FHIR Observations with components, Open mHealth sleep episodes and
activities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import orjson

from metrics.batch import MICROSECOND, microseconds
from metrics.exchange.fhir import UCUM, about, device, marks
from metrics.exchange.mappings import ACTIVITY, codings
from metrics.exchange.open_mhealth import GAP, header
from metrics.exchange.series import identity, ids, source_code, stamps, texts
from metrics.local_time import LocalCalendar
from metrics.models import ExerciseSession, SleepSession
from metrics.registry import BY_CODE, LOCAL, LOINC
from metrics.selection.plausible_range import plausible

SLEEP_DURATION = {"system": LOINC, "code": "93832-4"}
# Of a sleep's minutes by stage, LOINC codes the three of polysomnography.
STAGES: tuple[tuple[str, str, str, str], ...] = (
    ("rem_minutes", LOINC, "93829-0", "REM sleep"),
    ("light_minutes", LOINC, "93830-8", "Light sleep"),
    ("deep_minutes", LOINC, "93831-6", "Deep sleep"),
    ("awake_minutes", LOCAL, "awake", "Awake during the sleep episode"),
    ("restless_minutes", LOCAL, "restless", "Restless during the sleep episode"),
)
EXERCISE = {"system": LOINC, "code": "73985-4"}
EXERCISE_DURATION = {"system": LOINC, "code": "55411-3"}
# Components of an exercise that are metrics of ours: the session's attribute, the metric whose code and unit it has.
SUMS = (("distance_m", "distance"), ("energy_kcal", "energy"), ("steps", "steps"), ("mean_heart_rate", "heart_rate"))

Session = SleepSession | ExerciseSession


def fhir_sleep(trial: str, study_id: str, sessions: Iterable[SleepSession], calendar: LocalCalendar) -> Iterator[bytes]:
    """A night or nap an Observation: minutes asleep as its value, the stages' minutes and their course as components.

    Sessions come with their source. The course is text, `start length stage` in seconds, separated by commas.
    """
    for session in sessions:
        parts = [
            _component({"system": system, "code": code}, name, getattr(session, field), "min", "min")
            for field, system, code, name in STAGES
        ]
        if session.stages:
            course = ",".join(f"{start} {seconds} {stage}" for start, seconds, stage in session.stages)
            parts.append({"code": {"coding": [_local("sleep-course")], "text": "Course"}, "valueString": course})
        main = {"code": {"coding": [_local("main-sleep")], "text": "Main sleep"}, "valueBoolean": session.is_main}
        yield _observation(
            about(trial, study_id, ACTIVITY, [SLEEP_DURATION], "Sleep duration"),
            identity(trial, study_id, "sleep"),
            session,
            calendar,
            {"valueQuantity": _quantity(session.asleep_minutes, "min", "min"), "component": [*_present(parts), main]},
        )


def fhir_exercise(
    trial: str, study_id: str, sessions: Iterable[ExerciseSession], calendar: LocalCalendar
) -> Iterator[bytes]:
    """A walk, a run or another exercise as an Observation; what its source summed up of it as components."""
    for session in sessions:
        active = _component(EXERCISE_DURATION, "Active time", session.active_seconds, "s", "s")
        parts = [active]
        for field, code in SUMS:
            metric = BY_CODE[code]
            label = "Mean heart rate" if code == "heart_rate" else metric.name
            value = _counted(session, field)
            parts.append(_component(codings(metric)[-1], label, value, metric.unit, metric.label))
        fields: dict[str, Any] = {"valueCodeableConcept": {"text": session.activity or "exercise"}}
        if present := _present(parts):
            fields["component"] = present
        yield _observation(
            about(trial, study_id, ACTIVITY, [EXERCISE], "Exercise"),
            identity(trial, study_id, "exercise"),
            session,
            calendar,
            fields,
        )


def _counted(session: ExerciseSession, field: str) -> float | None:
    """Value that the source summed up of an exercise; None where it has no such number, or one that does not count."""
    value: float | None = getattr(session, field)
    lasted = np.array([(session.ends_at - session.starts_at).total_seconds()], dtype=np.int64)
    if value is None or not plausible(BY_CODE[dict(SUMS)[field]], np.array([float(value)]), lasted).all():
        return None
    return value


def _observation(
    fields: dict[str, Any], start: str, session: Session, calendar: LocalCalendar, value: dict[str, Any]
) -> bytes:
    source = session.source.key
    begins, ends = _times(session, calendar)
    observation = {
        "resourceType": "Observation",
        "id": ids("Observation/" + start + "/" + source_code(source))(session.external_id),
        **marks(source),
        **fields,
        "device": device(source),
        "effectivePeriod": {"start": begins, "end": ends},
        **value,
    }
    return orjson.dumps(observation, option=orjson.OPT_APPEND_NEWLINE)


def _times(session: Session, calendar: LocalCalendar) -> list[str]:
    both = [microseconds(session.starts_at), microseconds(session.ends_at)]
    return stamps(np.asarray(both, dtype=np.int64) // MICROSECOND * MICROSECOND, calendar)


def _component(code: dict[str, str], name: str, value: float | None, unit: str, label: str) -> dict[str, Any] | None:
    """A component, or None where the source has no such number: FHIR would otherwise ask why it is absent."""
    if value is None:
        return None
    return {"code": {"coding": [code], "text": name}, "valueQuantity": _quantity(value, unit, label)}


def _present(parts: list[dict[str, Any] | None]) -> list[dict[str, Any]]:
    return [part for part in parts if part is not None]


def _quantity(value: float, unit: str, label: str) -> dict[str, Any]:
    return {"value": value, "unit": label, "system": UCUM, "code": unit}


def _local(code: str) -> dict[str, str]:
    return {"system": LOCAL, "code": code}


def omh_sleep(trial: str, study_id: str, sessions: Iterable[SleepSession], calendar: LocalCalendar) -> Iterator[bytes]:
    """A night or nap as a sleep episode."""
    for session in sessions:
        body = {
            "total_sleep_time": {"value": session.asleep_minutes, "unit": "min"},
            "is_main_sleep": session.is_main,
        }
        yield _point(identity(trial, study_id, "sleep"), trial, study_id, session, calendar, "sleep-episode", body)


def omh_exercise(
    trial: str, study_id: str, sessions: Iterable[ExerciseSession], calendar: LocalCalendar
) -> Iterator[bytes]:
    """A walk, a run or another exercise as a physical activity."""
    for session in sessions:
        body: dict[str, Any] = {"activity_name": session.activity or session.name or "exercise"}
        if (metres := _counted(session, "distance_m")) is not None:
            body["distance"] = {"value": metres, "unit": "m"}
        if (kcal := _counted(session, "energy_kcal")) is not None:
            body["kcal_burned"] = {"value": kcal, "unit": "kcal"}
        yield _point(
            identity(trial, study_id, "exercise"), trial, study_id, session, calendar, "physical-activity", body
        )


VERSIONS = {"sleep-episode": "1.1", "physical-activity": "1.2"}


def _point(
    start: str, trial: str, study_id: str, session: Session, calendar: LocalCalendar, name: str, body: dict[str, Any]
) -> bytes:
    source = session.source.key
    uuid = ids("data-point/" + start + "/" + source_code(source))(session.external_id)
    begins, ends = _times(session, calendar)
    first, *others = header(trial, study_id, source, name, VERSIONS[name]).split(GAP)
    pairs = zip((uuid, uuid, ends, ends, ends), others, strict=True)
    head = first + "".join(text + other for text, other in pairs)
    frame = {"time_interval": {"start_date_time": begins, "end_date_time": ends}}
    return f'{{{head},"body":{texts({**body, "effective_time_frame": frame})}}}\n'.encode()
