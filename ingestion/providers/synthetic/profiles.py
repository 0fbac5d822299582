"""Profiles of synthetic participants: body, habits, device and story in the trial. Drawn from (seed, number) alone."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np

from ingestion.providers.base.synthetic import SyntheticParticipant
from metrics.batch import SourceKey


class Story(StrEnum):
    """Story of a participant: what goes wrong, if anything. Cases that a trial manager must tell apart."""

    WELL = "well"
    NIGHTS_OFF = "nights off the wrist"
    SOME_NIGHTS_OFF = "some nights off the wrist"
    FLAT_ONE_DAY = "battery flat for a day"
    FLAT_TWO_DAYS = "battery flat for two days"
    FLAT_SIX_DAYS = "battery flat for six days"
    UPLOADS_EACH_5_DAYS = "uploads every five days"
    UPLOADS_EACH_7_DAYS = "uploads every seven days"
    TRAVELS = "a week in another time zone"
    DROPS_OUT = "stops wearing it after day 12"
    NEVER_CONNECTED = "never connected"
    LITTLE_WORN = "worn for parts of the day"


# One line each for 24 people; number 25 begins again. Most are well, as in life.
STORIES: tuple[Story, ...] = (
    Story.WELL, Story.WELL, Story.NIGHTS_OFF, Story.WELL, Story.FLAT_ONE_DAY, Story.WELL,
    Story.UPLOADS_EACH_5_DAYS, Story.WELL, Story.TRAVELS, Story.WELL, Story.DROPS_OUT, Story.WELL,
    Story.SOME_NIGHTS_OFF, Story.WELL, Story.FLAT_TWO_DAYS, Story.NEVER_CONNECTED, Story.WELL, Story.WELL,
    Story.UPLOADS_EACH_7_DAYS, Story.LITTLE_WORN, Story.FLAT_SIX_DAYS, Story.WELL, Story.SOME_NIGHTS_OFF, Story.WELL,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Model:
    """Device model and the seconds between its heart rates: the steps it takes and how often it takes each."""

    code: str
    name: str
    steps: tuple[int, ...]
    shares: tuple[float, ...]

    @property
    def mean_step(self) -> float:
        return sum(s * p for s, p in zip(self.steps, self.shares, strict=True))

    @property
    def source(self) -> SourceKey:
        return SourceKey(provider="synthetic", platform="Fitbit", device_model=self.name, synthetic=True)


MODELS: dict[str, Model] = {
    m.code: m
    for m in (
        Model("charge_6", "Charge 6", (1, 2, 3, 5, 10, 15), (0.05, 0.10, 0.15, 0.45, 0.17, 0.08)),
        Model("sense_2", "Sense 2", (1, 5, 10, 15), (0.04, 0.56, 0.32, 0.08)),
        Model("inspire_3", "Inspire 3", (5, 10, 15), (0.48, 0.36, 0.16)),
        Model("pixel_watch_3", "Pixel Watch 3", (1, 2, 5, 10, 15), (0.08, 0.22, 0.40, 0.22, 0.08)),
    )
}


@dataclass(frozen=True, slots=True)
class Profile:
    """Profile of a participant. Hours are of the local clock and may be negative: -1.0 is 23:00 of the day before."""

    seed: int
    number: int
    zone: zoneinfo.ZoneInfo
    away: zoneinfo.ZoneInfo  # where the traveller goes
    starts_on: dt.date
    model: Model
    story: Story
    resting_heart_rate: float  # per minute
    highest_heart_rate: float
    activity: float  # 1 is average
    bed_hour: float
    sleep_hours: float
    rmssd_ms: float
    breaths: float  # per minute, asleep
    spo2: float  # per cent, asleep
    stride_m: float
    basal_kcal: float  # per minute
    charge_every_days: int
    upload_minute: int  # past each quarter of an hour

    def since_start(self, on: dt.date) -> int:
        """Days from the participant's first day to this one; 0 is the first."""
        return (on - self.starts_on).days


def generator(seed: int, number: int, *path: int) -> np.random.Generator:
    """Random numbers of one participant, or of one of their days: independent of all others, made from keys alone."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(number, *path))))


@lru_cache(maxsize=4096)
def profile_of(participant: SyntheticParticipant) -> Profile:
    """Profile of a synthetic participant. Raises KeyError for a device model we do not know."""
    rng = generator(participant.seed, participant.number)
    age = rng.uniform(48, 82)  # people who are given a new knee
    resting = float(np.clip(rng.normal(65, 7), 50, 84))
    away = "America/New_York" if participant.zone.key.startswith(("Europe/", "Africa/")) else "Europe/Amsterdam"
    return Profile(
        seed=participant.seed,
        number=participant.number,
        zone=participant.zone,
        away=zoneinfo.ZoneInfo(away),
        starts_on=participant.starts_on,
        model=MODELS[participant.device],
        story=STORIES[(participant.number - 1) % len(STORIES)],
        resting_heart_rate=resting,
        highest_heart_rate=208 - 0.7 * age,
        activity=float(np.clip(rng.lognormal(0, 0.35), 0.4, 2.2)),
        bed_hour=float(np.clip(rng.normal(-0.9, 0.8), -2.5, 1.0)),
        sleep_hours=float(np.clip(rng.normal(7.4, 0.6), 5.8, 9.0)),
        rmssd_ms=float(np.clip(rng.lognormal(np.log(30), 0.3), 14, 75)),
        breaths=float(rng.normal(14.5, 1.3)),
        spo2=float(np.clip(rng.normal(95.6, 0.8), 93, 97.5)),
        stride_m=float(rng.normal(0.68, 0.05)),
        basal_kcal=float(np.clip(rng.normal(1.08, 0.13), 0.75, 1.5)),
        charge_every_days=int(rng.integers(3, 6)),
        upload_minute=int(rng.integers(0, 15)),
    )
