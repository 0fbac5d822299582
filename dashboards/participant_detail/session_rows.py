"""Nights and exercise as rows of tables: local times and numbers as texts. Pure functions."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from dashboards.ui import formatting
from metrics.models import ExerciseSession, SleepSession
from participants.team_texts import gettext


@dataclass(frozen=True, slots=True)
class Night:
    """A sleep session in local time, as texts."""

    date: dt.date
    asleep: str
    awake: str
    slept: str
    stages: str
    beside: str  # what it is if not the main sleep


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


def night(session: SleepSession, zone: ZoneInfo, main: SleepSession | None) -> Night:
    """A session as texts. `main`: the main sleep of its date, if there is one."""
    minutes = (("deep", session.deep_minutes), ("light", session.light_minutes), ("REM", session.rem_minutes))
    return Night(
        date=session.date,
        asleep=f"{session.starts_at.astimezone(zone):%H:%M}",
        awake=f"{session.ends_at.astimezone(zone):%H:%M}",
        slept=formatting.hours_minutes(session.asleep_minutes),
        stages=", ".join(
            f"{name}{formatting.NO_BREAK}{formatting.hours_minutes(m)}" for name, m in minutes if m is not None
        ),
        beside=_beside(session, main),
    )


def _beside(session: SleepSession, main: SleepSession | None) -> str:
    if session.is_main:
        return ""
    if main and main.starts_at < session.ends_at and session.starts_at < main.ends_at:
        return gettext("another log")
    return "nap"


def exercise(session: ExerciseSession, zone: ZoneInfo) -> Exercise:
    """A session as texts, under the name its source shows, else the kind of activity."""
    metres = session.distance_m
    return Exercise(
        date=session.date,
        activity=session.name or session.activity.replace("_", " ").capitalize(),
        began=f"{session.starts_at.astimezone(zone):%H:%M}",
        lasted=formatting.hours_minutes(round((session.ends_at - session.starts_at).total_seconds() / 60)),
        distance=formatting.number(None if metres is None else metres / 1000, 2),
        energy=formatting.number(session.energy_kcal),
        heart_rate=formatting.number(session.mean_heart_rate),
    )
