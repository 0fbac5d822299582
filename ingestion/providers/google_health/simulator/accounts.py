"""Google accounts of the simulator, each with a participant's profile, their devices and what else feeds their data."""

from __future__ import annotations

import dataclasses
import datetime as dt
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ingestion.providers.base.synthetic import SyntheticParticipant
from ingestion.providers.synthetic import calendar
from ingestion.providers.synthetic.profiles import Profile, Story, profile_of
from metrics.batch import microseconds

FIRST_HEALTH_ID = 7_100_000_000_000_000_000
DEVICES = ("charge_6", "pixel_watch_3", "charge_6", "inspire_3", "charge_6", "sense_2")
ZONES = ("Europe/Amsterdam", "Europe/Amsterdam", "Europe/London", "Europe/Amsterdam", "America/New_York",
         "Europe/Amsterdam", "Asia/Kolkata")  # fmt: skip
TRACKER, PHONE, STRAP, SCALE = range(4)  # indices into Account.sources
LOCALES = {"Europe/Amsterdam": "nl_NL", "Europe/London": "en_GB", "America/New_York": "en_US", "Asia/Kolkata": "en_IN"}


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """Google account. `sources` are dataSource objects by index; `linked` False: it has no Fitbit."""

    number: int
    profile: Profile
    linked: bool
    sources: tuple[dict[str, Any], ...]

    @property
    def health_id(self) -> str:
        return str(FIRST_HEALTH_ID + self.number)

    @property
    def legacy_id(self) -> str:
        return f"SIM{self.number:05d}"

    @property
    def email(self) -> str:
        return f"sim{self.number:04d}@example.com"

    @property
    def has_phone(self) -> bool:
        return self.number % 2 == 0

    @property
    def has_strap(self) -> bool:
        return self.number % 10 == 3

    @property
    def has_scale(self) -> bool:
        return self.number % 4 == 1

    def day_starts(self, on: dt.date) -> int:
        """First instant of a local day, microseconds UTC."""
        return _midnight(self.profile, on)

    def offset_seconds(self, at: dt.datetime) -> int:
        """Seconds the device's clock stands east of UTC at an instant."""
        zone = calendar.zone_at(self.profile, microseconds(at))
        return int((at.astimezone(zone).utcoffset() or dt.timedelta()).total_seconds())


@lru_cache(maxsize=16384)
def _midnight(profile: Profile, on: dt.date) -> int:
    return calendar.midnight(profile, on)


def _sources(model: str) -> tuple[dict[str, Any], ...]:
    return (
        {"recordingMethod": "PASSIVELY_MEASURED", "device": {"displayName": model}, "platform": "FITBIT"},
        {"recordingMethod": "DERIVED", "device": {"displayName": "MobileTrack"}, "platform": "FITBIT"},
        {
            "recordingMethod": "ACTIVELY_MEASURED",
            "device": {"displayName": "H10", "manufacturer": "Polar", "formFactor": "CHEST_STRAP"},
            "application": {"packageName": "com.example.straps"},
            "platform": "HEALTH_CONNECT",
        },
        {"recordingMethod": "ACTIVELY_MEASURED", "device": {"displayName": "Aria Air"}, "platform": "FITBIT"},
    )


class Accounts:
    """Accounts of a seed. The same arguments give the same accounts."""

    def __init__(self, *, seed: int, participants: int, starts_on: dt.date, all_well: bool = False) -> None:
        self.seed = seed
        self.participants = participants
        self.starts_on = starts_on
        self._all_well = all_well
        self._accounts: dict[int, Account] = {}

    def account(self, number: int) -> Account:
        """Account of a number. Raises KeyError for one that is not among 1..participants."""
        if not 1 <= number <= self.participants:
            raise KeyError(number)
        account = self._accounts.get(number)
        if account is None:
            account = self._accounts[number] = self._made(number)
        return account

    def _made(self, number: int) -> Account:
        zone = zoneinfo.ZoneInfo(ZONES[number % len(ZONES)])
        participant = SyntheticParticipant(DEVICES[number % len(DEVICES)], self.seed, number, zone, self.starts_on)
        profile = profile_of(participant)
        if self._all_well:
            profile = dataclasses.replace(profile, story=Story.WELL)
        return Account(number, profile, profile.story is not Story.NEVER_CONNECTED, _sources(profile.model.name))

    def find(self, name: str) -> Account:
        """Account by number, health id, legacy id or e-mail. Raises KeyError where there is none."""
        if name.startswith("sim") and "@" in name:
            name = name[3:].partition("@")[0]
        elif name.startswith("SIM"):
            name = name[3:]
        if not name.isdecimal():
            raise KeyError(name)
        number = int(name)
        return self.account(number - FIRST_HEALTH_ID if number > FIRST_HEALTH_ID else number)

    def __iter__(self) -> Iterator[Account]:
        return (self.account(number) for number in range(1, self.participants + 1))
