"""Which device is worn: a scale or a phone beside the watch is never taken for it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from ingestion import devices, evidence
from ingestion.models import Connection, Device, DeviceReading
from ingestion.providers.base import DeviceKind, DeviceState
from metrics import verdicts
from metrics.evidence import Evidence
from metrics.models import Cause, Gap, ParticipantDay, Standing
from metrics.writer import store
from tests.metrics.samples import batch, deliver
from tests.sync.conftest import connect
from tests.sync.fake import FakeVendor
from tests.sync.test_causes import windows

UTC, HOUR, DAY = dt.UTC, dt.timedelta(hours=1), dt.timedelta(days=1)
# Monday, 4 May 2026, in Amsterdam.
START = dt.datetime(2026, 5, 3, 22, tzinfo=UTC)
NOW = START + 36 * HOUR
TRACKER, WATCH, SCALE, OTHER, UNKNOWN = DeviceKind


@pytest.fixture(autouse=True)
def _provider(vendor: FakeVendor, settings: Any) -> None:
    settings.LIVE_PROVIDERS = {"fake": {}}


@pytest.fixture
def linked(db: None) -> Connection:
    made = connect(NOW, monitoring_starts_on=dt.date(2026, 5, 4))
    made.connected_at = made.status_since = START - DAY
    made.next_due_at = NOW + HOUR
    made.save()
    return made


def state(
    name: str, kind: DeviceKind = TRACKER, *, percent: int | None = 50, synced: dt.datetime | None = NOW, word: str = ""
) -> DeviceState:
    return DeviceState(name, f"Model {name}", kind, percent, word, synced)


def told(linked: Connection, *states: DeviceState, at: dt.datetime = NOW) -> None:
    """The vendor describes the account's devices."""
    devices.store(linked, list(states), at)


def known(linked: Connection) -> Evidence:
    return evidence.collect([linked.participant], since=START, now=NOW)[linked.participant_id]


def described(name: str, kind: str, percent: int | None, synced: dt.datetime | None, at: dt.datetime = NOW) -> Any:
    return devices.Described(name, f"Model {name}", kind, percent, "", synced, at)


@pytest.mark.parametrize("order", [1, -1])
def test_of_a_watch_and_a_scale_the_watch_is_worn_whatever_their_order(linked: Connection, order: int) -> None:
    watch = state("a", percent=52, synced=NOW - HOUR)
    scale = state("b", SCALE, percent=None)
    told(linked, *[watch, scale][::order])
    verdicts.refresh(linked.participant, now=NOW)
    standing = Standing.objects.get()
    assert (standing.device_model, standing.battery_percent) == ("Model a", 52)
    assert standing.device_sync_at == NOW - HOUR


def test_a_scale_with_a_battery_is_a_scale_nevertheless(linked: Connection) -> None:
    told(linked, state("a", percent=None, synced=None), state("b", SCALE, percent=90))
    assert (known(linked).device_model, known(linked).battery) == ("Model a", None)


def test_an_account_with_a_scale_alone_has_nothing_that_is_worn(linked: Connection) -> None:
    told(linked, state("b", SCALE, percent=90))
    assert (known(linked).device_model, known(linked).readings, known(linked).synced_at) == ("", [], None)


@pytest.mark.parametrize(
    ("kind", "percent", "expected"),
    [
        (TRACKER, None, True),
        (WATCH, None, True),
        (SCALE, 50, False),
        (OTHER, 50, False),
        (UNKNOWN, 50, True),
        (UNKNOWN, None, False),
        ("", 50, True),
        ("", None, False),
    ],
)
def test_what_can_be_worn(kind: str, percent: int | None, expected: bool) -> None:
    assert described("a", kind, percent, NOW).wearable is expected


def test_a_battery_in_words_is_a_battery() -> None:
    assert devices.Described("a", "", UNKNOWN, None, "High", None, NOW).wearable


def test_of_two_trackers_the_one_that_synced_last_is_worn(linked: Connection) -> None:
    told(linked, state("new", synced=NOW - HOUR, percent=20), state("old", synced=NOW - DAY, percent=90))
    found = known(linked)
    assert found.battery
    assert (found.device_model, found.battery.battery_percent) == ("Model new", 20)


def test_one_that_tells_no_sync_stands_behind_one_that_does(linked: Connection) -> None:
    told(linked, state("old", synced=NOW - DAY), at=NOW - HOUR)
    told(linked, state("silent", synced=None))
    assert known(linked).device_model == "Model old"


def test_of_two_that_synced_at_once_the_one_described_last_is_worn() -> None:
    found = devices.worn(
        [described("a", TRACKER, 1, NOW - DAY, NOW - HOUR), described("b", TRACKER, 2, NOW - DAY, NOW)]
    )
    assert found
    assert found.device == "b"


def test_of_the_past_the_device_that_was_worn_then_is_told(linked: Connection) -> None:
    told(linked, state("first", percent=80, synced=START), at=START + HOUR)
    told(
        linked,
        state("first", percent=80, synced=START),
        state("second", percent=None, synced=START + 20 * HOUR),
        at=START + 21 * HOUR,
    )
    found = known(linked)
    then, now = found.last_reading(START + 19 * HOUR), found.last_reading(NOW)
    assert then
    assert now
    assert (then.battery_percent, now.battery_percent) == (80, None)
    assert (found.device_model, found.battery) == ("Model second", None)


def test_a_scale_that_syncs_does_not_speak_for_the_watch(linked: Connection) -> None:
    told(linked, state("watch", percent=30, synced=START), state("scale", SCALE, synced=START), at=START + HOUR)
    told(linked, state("watch", percent=30, synced=START), state("scale", SCALE, synced=NOW), at=NOW)
    assert known(linked).synced_at == START


def test_a_battery_falls_by_its_own_readings_alone(linked: Connection) -> None:
    """An old tracker's full battery two days before says nothing of how fast the new one's fell."""
    old = Device.objects.create(connection=linked, external_id="o", kind=TRACKER, seen_at=START - 2 * DAY)
    DeviceReading.objects.create(device=old, at=START - 2 * DAY, battery_percent=100, last_sync_at=START - 2 * DAY)
    new = Device.objects.create(
        connection=linked, external_id="n", kind=TRACKER, seen_at=START, battery_percent=3, last_sync_at=START
    )
    DeviceReading.objects.create(device=new, at=START, battery_percent=3, last_sync_at=START)
    windows(linked, 0, 36)
    verdicts.refresh(linked.participant, now=NOW)
    gap = Gap.objects.filter(date=dt.date(2026, 5, 4)).get()
    assert (gap.cause, "falling_per_day" in gap.evidence) == (Cause.BATTERY_FLAT, False)


# --- what a scale measures --------------------------------------------------------------------------------------


def weighed(linked: Connection, at: dt.datetime) -> None:
    store(linked.participant, deliver(batch([80.0], start=at, metric="weight")), now=NOW)


def worn(linked: Connection, first: float, last: float) -> None:
    count = round((last - first) * 60)
    store(linked.participant, deliver(batch([70.0] * count, start=START + first * HOUR, step=60)), now=NOW)


def test_a_weight_shows_no_upload_of_the_watch(linked: Connection) -> None:
    worn(linked, 0, 4)
    weighed(linked, START + 30 * HOUR)
    standing = Standing.objects.get()
    assert standing.last_sample_at == START + 4 * HOUR - dt.timedelta(minutes=1)
    assert standing.silent_at == standing.last_sample_at + 48 * HOUR
    assert standing.overwritten_at == standing.last_sample_at + 168 * HOUR


def test_a_weight_of_the_next_day_does_not_prove_a_day_complete(linked: Connection) -> None:
    windows(linked, 0, 36)
    worn(linked, 0, 4)
    weighed(linked, START + 30 * HOUR)
    assert ParticipantDay.objects.get(date=dt.date(2026, 5, 4)).status == "p"


def test_a_heart_rate_of_the_next_day_does(linked: Connection) -> None:
    windows(linked, 0, 36)
    worn(linked, 0, 4)
    worn(linked, 30, 31)
    assert ParticipantDay.objects.get(date=dt.date(2026, 5, 4)).status == "i"


def test_a_day_of_a_weight_alone_is_lost_and_keeps_its_row(linked: Connection) -> None:
    weighed(linked, START + 10 * HOUR)
    verdicts.refresh(linked.participant, now=START + DAY + 168 * HOUR)
    day = ParticipantDay.objects.get(date=dt.date(2026, 5, 4))
    assert (day.status, day.heard_at, day.last_sample_at) == ("l", None, START + 10 * HOUR)


def test_a_weight_in_a_silence_does_not_hide_that_the_battery_was_flat(linked: Connection) -> None:
    windows(linked, 0, 36)
    told(linked, state("a", percent=3, synced=START + 4 * HOUR), at=START + 4 * HOUR)
    worn(linked, 0, 4)
    weighed(linked, START + 12 * HOUR)
    verdicts.refresh(linked.participant, now=NOW)
    assert {gap.cause for gap in Gap.objects.filter(date=dt.date(2026, 5, 4))} == {Cause.BATTERY_FLAT}
