"""Synthetic provider of the wearipedia library: one day of one device, the same for the same participant and date every
time."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib
import importlib.util
import io
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ingestion.providers.base.live import DeviceState
from ingestion.providers.base.synthetic import SyntheticParticipant, SyntheticUnavailable
from ingestion.providers.wearipedia import dexcom, fitbit, garmin, oura
from ingestion.providers.wearipedia.wall import Day
from metrics.batch import Payload, SourceKey

ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Device:
    """Device: who makes it, where the library makes up its data, and how a day of that is mapped.

    `module` holds `function`, which takes a first and an exclusive last date, after a seed where `seeded`.
    `around`: days made on either side, where a day alone comes out wrong.
    """

    platform: str
    model: str
    module: str
    mapping: Callable[[Mapping[str, Any], Day], Payload]
    function: str = "create_syn_data"
    seeded: bool = True
    around: int = 0


FITBIT = "wearipedia.devices.fitbit.fitbit_sense_gen"
# The generating functions are called themselves: the classes about them slice dates wrongly, and that of the Charge 6
# (which has the Sense's generator) gives everybody the seed 0.
DEVICES: dict[str, Device] = {
    "fitbit_sense": Device("Fitbit", "Sense", FITBIT, fitbit.payload),
    "fitbit_charge_6": Device("Fitbit", "Charge 6", FITBIT, fitbit.payload),
    "oura_ring3": Device("Oura", "Ring 3", "wearipedia.devices.oura.oura_ring3_gen", oura.payload),
    "garmin_fenix_7s": Device(
        "Garmin", "Fenix 7S", "wearipedia.devices.garmin.fenix_gen", garmin.payload, seeded=False
    ),
    # Glucose is smoothed over a made-up zero before the first and after the last day.
    "dexcom_pro_cgm": Device(
        "Dexcom",
        "Pro CGM",
        "wearipedia.devices.dexcom.pro_cgm_gen",
        dexcom.payload,
        function="create_synth",
        seeded=False,
        around=1,
    ),
}


class Wearipedia:
    """Synthetic provider of the library: days come whole, once the night after them is over."""

    code: ClassVar[str] = "wearipedia"
    devices: ClassVar[tuple[str, ...]] = tuple(DEVICES)
    live: ClassVar[bool] = False

    def check(self) -> None:
        if importlib.util.find_spec("wearipedia") is None:
            raise SyntheticUnavailable(
                "wearipedia is not installed here. In an environment of its own, with Python 3.11 or 3.12: "
                "pip install '.[wearipedia]'"
            )

    def day_starts_at(self, participant: SyntheticParticipant, on: dt.date) -> dt.datetime:
        return dt.datetime(on.year, on.month, on.day, tzinfo=participant.zone).astimezone(dt.UTC)

    def uploaded_until(self, participant: SyntheticParticipant, now: dt.datetime) -> dt.datetime | None:
        """End of the last day whose night, twelve hours long at most, is over."""
        over = (now - dt.timedelta(hours=12)).astimezone(participant.zone).date()
        return self.day_starts_at(participant, over) if over > participant.starts_on else None

    def states(self, participant: SyntheticParticipant, at: dt.datetime) -> list[DeviceState]:
        """No states: the library gives nothing of batteries."""
        return []

    def day(self, participant: SyntheticParticipant, on: dt.date, since: dt.datetime, until: dt.datetime) -> Payload:
        """Payload of the whole day, with the night that begins on it, if since <= its first instant < until; else
        empty."""
        if not since <= self.day_starts_at(participant, on) < until:
            return Payload()
        device = DEVICES[participant.device]
        source = SourceKey(self.code, device.platform, device.model, synthetic=True)
        day = Day(on, participant.zone, source)
        payload = device.mapping(self._made_up(device, participant, on), day)
        payload.skipped = day.skipped
        return payload

    def _made_up(self, device: Device, participant: SyntheticParticipant, on: dt.date) -> Mapping[str, Any]:
        """Data of one day (and those around it) as the library makes them. One day at a time: a month would fill a
        gigabyte."""
        self.check()
        make = getattr(importlib.import_module(device.module), device.function)
        keys = np.random.SeedSequence(participant.seed, spawn_key=(participant.number, on.toordinal()))
        seed = int(keys.generate_state(1)[0])
        first, last = on - ONE_DAY * device.around, on + ONE_DAY * (1 + device.around)
        dates = (first.isoformat(), last.isoformat())
        # Its progress bars are not for our users.
        with _seeded(seed), contextlib.redirect_stderr(io.StringIO()):
            made: Mapping[str, Any] = make(seed, *dates) if device.seeded else make(*dates)
        return made


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed both global generators, which the library draws from in turn, and give them back as they were."""
    before, numpy_before = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(numpy_before)
