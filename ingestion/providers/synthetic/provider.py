"""The generator behind the interface of a synthetic provider."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from ingestion.providers.base.live import DeviceKind, DeviceState
from ingestion.providers.base.synthetic import Wearer
from ingestion.providers.synthetic import battery, calendar, days
from ingestion.providers.synthetic.people import MODELS, person
from metrics.batch import Payload, instant


class Generator:
    """Believable participants; see the package."""

    code: ClassVar[str] = "synthetic"
    devices: ClassVar[tuple[str, ...]] = tuple(MODELS)
    live: ClassVar[bool] = True

    def check(self) -> None:
        """Nothing to install."""

    def day_starts_at(self, wearer: Wearer, on: dt.date) -> dt.datetime:
        return instant(calendar.midnight(person(wearer), on))

    def uploaded_until(self, wearer: Wearer, now: dt.datetime) -> dt.datetime | None:
        return calendar.uploaded_until(person(wearer), now)

    def states(self, wearer: Wearer, at: dt.datetime) -> list[DeviceState]:
        who = person(wearer)
        synced = battery.last_sync(who, at)
        if synced is None:
            return []
        level = battery.percent(who, synced)
        return [
            DeviceState(
                external_id=f"{wearer.seed}-{wearer.number}",
                model=who.model.name,
                kind=DeviceKind.TRACKER,
                battery_percent=level,
                battery_status=battery.word(level),
                last_sync_at=synced,
            )
        ]

    def day(self, wearer: Wearer, on: dt.date, since: dt.datetime, until: dt.datetime) -> Payload:
        return days.day(person(wearer), on, since=since, until=until)
