"""Assumptions of an import, which no file states: kept with it as text for people, and read here by programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingestion.providers.base.files import Clock

ZONES = "time zones"  # "Europe/Amsterdam, why" -> study ids
CLOCK = "clock of dateTime"  # "UTC, why" or "local time, why"
GIVEN = "given with the import"  # why, where whoever imports said so


def clock_in(assumptions: Mapping[str, Any]) -> Clock | None:
    """Clock on which stamps were read that do not say theirs; None where none was needed."""
    text = str(assumptions.get(CLOCK, ""))
    return next((clock for clock in Clock if text.casefold().startswith(clock.value)), None)


def zones_in(assumptions: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Time zones in which wall-clock times were read, each with why it was taken, by study id."""
    zones = {}
    for text, study_ids in dict(assumptions.get(ZONES, {})).items():
        zone, _, why = str(text).partition(", ")
        zones.update(dict.fromkeys(study_ids, (zone, why)))
    return zones
