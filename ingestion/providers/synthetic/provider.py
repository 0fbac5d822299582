"""Synthetic provider of the generator."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from ingestion.providers.base.live import DeviceKind, DeviceState
from ingestion.providers.base.synthetic import SyntheticParticipant
from ingestion.providers.synthetic import battery, calendar, days
from ingestion.providers.synthetic.profiles import MODELS, profile_of
from metrics.batch import Payload, instant


class Generator:
    """Provider of generated participants; see the package."""

    code: ClassVar[str] = "synthetic"
    devices: ClassVar[tuple[str, ...]] = tuple(MODELS)
    live: ClassVar[bool] = True

    def check(self) -> None:
        """Do nothing: there is nothing to install."""

    def day_starts_at(self, participant: SyntheticParticipant, on: dt.date) -> dt.datetime:
        return instant(calendar.midnight(profile_of(participant), on))

    def uploaded_until(self, participant: SyntheticParticipant, now: dt.datetime) -> dt.datetime | None:
        return calendar.uploaded_until(profile_of(participant), now)

    def states(self, participant: SyntheticParticipant, at: dt.datetime) -> list[DeviceState]:
        profile = profile_of(participant)
        synced = battery.last_sync(profile, at)
        if synced is None:
            return []
        level = battery.percent(profile, synced)
        return [
            DeviceState(
                external_id=f"{participant.seed}-{participant.number}",
                model=profile.model.name,
                kind=DeviceKind.TRACKER,
                battery_percent=level,
                battery_status=battery.charge_status(level),
                last_sync_at=synced,
            )
        ]

    def day(self, participant: SyntheticParticipant, on: dt.date, since: dt.datetime, until: dt.datetime) -> Payload:
        return days.day(profile_of(participant), on, since=since, until=until)
