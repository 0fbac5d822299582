"""Which device is worn: a scale or a phone beside the watch is never taken for it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from ingestion.connections import devices as connections_devices
from ingestion.connections import services as connections_services
from ingestion.models import Connection, Device, DeviceReading, SyncWindow
from ingestion.providers.base.errors import AccessGone, BrokenResponse, VendorBusy
from ingestion.providers.base.live import DeviceKind, DeviceState
from ingestion.sync import gap_evidence
from metrics.models import Cause, Gap, ParticipantDay, ParticipantStatusSummary
from metrics.monitoring import evaluation
from metrics.monitoring.evidence import Evidence
from metrics.writing.writer import store
from tests.ingestion.sync.conftest import connect
from tests.ingestion.sync.fake import FakeVendor
from tests.ingestion.sync.test_causes import windows
from tests.metrics.samples import batch, deliver

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
    connections_devices.store(linked, list(states), at)


def known(linked: Connection) -> Evidence:
    return gap_evidence.collect([linked.participant], since=START, now=NOW)[linked.participant_id]


def described(name: str, kind: str, percent: int | None, synced: dt.datetime | None, at: dt.datetime = NOW) -> Any:
    return connections_devices.Described(name, f"Model {name}", kind, percent, "", synced, at)


@pytest.mark.parametrize("order", [1, -1])
def test_of_a_watch_and_a_scale_the_watch_is_worn_whatever_their_order(linked: Connection, order: int) -> None:
    watch = state("a", percent=52, synced=NOW - HOUR)
    scale = state("b", SCALE, percent=None)
    told(linked, *[watch, scale][::order])
    evaluation.refresh(linked.participant, now=NOW)
    summary = ParticipantStatusSummary.objects.get()
    assert (summary.device_model, summary.battery_percent) == ("Model a", 52)
    assert summary.device_sync_at == NOW - HOUR


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


def test_a_battery_as_text_is_a_battery() -> None:
    assert connections_devices.Described("a", "", UNKNOWN, None, "High", None, NOW).wearable


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
    found = connections_devices.worn(
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
    evaluation.refresh(linked.participant, now=NOW)
    gap = Gap.objects.filter(date=dt.date(2026, 5, 4)).get()
    assert (gap.cause, "falling_per_day" in gap.evidence) == (Cause.BATTERY_FLAT, False)


def test_what_is_stored_read_and_told_of_a_device_is_described_alike(linked: Connection) -> None:
    told(linked, state("a", WATCH, percent=52, synced=NOW - HOUR, word="High"), at=NOW - HOUR)
    told(linked, state("a", WATCH, percent=40, synced=NOW, word="Medium"))
    mine = Device.objects.get()
    now = connections_devices.Described(str(mine.pk), "Model a", "WATCH", 40, "Medium", NOW, NOW)
    before = connections_devices.Described(str(mine.pk), "Model a", "WATCH", 52, "High", NOW - HOUR, NOW - HOUR)
    assert connections_devices.as_stored(mine) == now
    assert [connections_devices.as_read(one) for one in mine.readings.order_by("at")] == [before, now]
    told_of = connections_devices.as_told(state("a", WATCH, percent=40, synced=NOW, word="Medium"), NOW)
    assert told_of == connections_devices.Described("a", "Model a", "WATCH", 40, "Medium", NOW, NOW)


def test_of_stored_devices_the_one_that_is_worn_is_found(linked: Connection) -> None:
    told(linked, state("a", synced=NOW - HOUR), state("b", synced=NOW), state("c", SCALE))
    worn = connections_devices.worn_of(Device.objects.all())
    assert worn
    assert worn.external_id == "b"
    assert (
        connections_devices.worn_of(Device.objects.filter(external_id="c")) is connections_devices.worn_of([]) is None
    )


def test_of_many_descriptions_those_of_what_was_worn_when_they_were_made_are_told() -> None:
    old, new = (described("old", TRACKER, 5, START, START + n * HOUR) for n in (1, 30))
    first = described("new", TRACKER, 90, START + 2 * HOUR, START + 3 * HOUR)
    scale = described("scale", SCALE, 90, START + 20 * HOUR, START + 20 * HOUR)
    again = described("new", TRACKER, 80, START + 25 * HOUR, START + 26 * HOUR)
    assert list(connections_devices.worn_through([again, new, scale, first, old])) == [old, first, again]


# --- what is kept of them ------------------------------------------------------------------------------------------


def kept(linked: Connection) -> list[tuple[Any, ...]]:
    rows = Device.objects.filter(connection=linked).order_by("external_id")
    return list(
        rows.values_list("external_id", "model", "kind", "battery_percent", "battery_status", "last_sync_at", "seen_at")
    )


def readings() -> list[tuple[Any, ...]]:
    rows = DeviceReading.objects.order_by("at", "device__external_id")
    return list(rows.values_list("device__external_id", "at", "battery_percent", "battery_status", "last_sync_at"))


def test_a_device_is_kept_as_it_was_described_last(linked: Connection) -> None:
    told(linked, DeviceState("a", "Charge 5", UNKNOWN, 52, "High", NOW - DAY), at=NOW - HOUR)
    assert kept(linked) == [("a", "Charge 5", "UNKNOWN", 52, "High", NOW - DAY, NOW - HOUR)]
    told(linked, DeviceState("a", "Charge 6", TRACKER, None, "Low", None))
    assert kept(linked) == [("a", "Charge 6", "TRACKER", None, "Low", None, NOW)]


def test_each_connection_has_devices_of_its_own(linked: Connection) -> None:
    other = connect(NOW, user="user-2")
    told(other, state("a", percent=90), state("b", percent=80), at=NOW - HOUR)
    told(linked, state("a", percent=10))
    assert [one[3] for one in kept(other)] == [90, 80]
    assert [one[3] for one in kept(linked)] == [10]
    told(other, state("a", percent=70), state("b", percent=80))
    assert [one[:3] for one in readings()] == [
        ("a", NOW - HOUR, 90), ("b", NOW - HOUR, 80), ("a", NOW, 10), ("a", NOW, 70),
    ]  # fmt: skip


def test_a_device_that_is_told_of_twice_counts_as_it_is_told_last(linked: Connection) -> None:
    told(linked, state("a", percent=90), state("b", percent=50), state("a", percent=10))
    assert [(one[0], one[3]) for one in kept(linked)] == [("a", 10), ("b", 50)]
    assert [(one[0], one[2]) for one in readings()] == [("a", 10), ("b", 50)]


@pytest.mark.parametrize(
    ("changed", "read"),
    [
        ({}, False),
        ({"model": "Model z", "kind": WATCH}, False),
        ({"battery_percent": 51}, True),
        ({"battery_percent": None}, True),
        ({"battery_status": "Low"}, True),
        ({"last_sync_at": NOW}, True),
    ],
)
def test_a_reading_is_kept_of_what_changed(linked: Connection, changed: dict[str, Any], read: bool) -> None:
    before, beside = state("a", percent=50, synced=NOW - HOUR, word="High"), state("b", synced=NOW - DAY)
    told(linked, before, beside, at=NOW - HOUR)
    first = readings()
    after = dataclasses.replace(before, **changed)
    told(linked, after, beside)
    mine = ("a", NOW, after.battery_percent, after.battery_status, after.last_sync_at)
    assert readings() == [*first, *([mine] if read else [])]


def test_of_two_answers_of_one_instant_the_first_reading_stays(linked: Connection) -> None:
    told(linked, state("a", percent=50))
    told(linked, state("a", percent=40))
    assert ([one[3] for one in kept(linked)], [one[2] for one in readings()]) == ([40], [50])


def reread(linked: Connection) -> dt.datetime | None:
    """From when on a device's sync after a silence has the pulse read again."""
    mine = SyncWindow.objects.filter(connection=linked, data_type="pulse", reason="uploaded").order_by("starts_at")
    return mine.values_list("starts_at", flat=True).first()


@pytest.fixture
def long(linked: Connection) -> Connection:
    """Monitored for so long that what was missed may lie before the watched days."""
    type(linked.participant).objects.update(monitoring_starts_on=dt.date(2026, 3, 1))
    linked.participant.refresh_from_db()
    return linked


def days_ago(days: int) -> dt.datetime:
    """A local noon."""
    return START + 12 * HOUR - days * DAY


def midnight(days: int) -> dt.datetime:
    return START - days * DAY


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([state("a", synced=days_ago(20))], [state("a", synced=NOW)], midnight(20)),
        ([state("a", synced=days_ago(20))], [state("a", synced=days_ago(20) + HOUR)], midnight(20)),
        ([state("a", synced=days_ago(20))], [state("a", synced=days_ago(20), percent=1)], None),
        ([state("a", synced=days_ago(20))], [state("a", synced=days_ago(21))], None),
        ([state("a", synced=days_ago(20))], [state("a", synced=None)], None),
        ([state("a", synced=None)], [state("a", synced=NOW)], None),
        ([state("a", synced=days_ago(20))], [state("b", synced=NOW)], None),
        ([state("a", SCALE, synced=days_ago(20))], [state("a", SCALE, synced=NOW)], None),
        (
            [state("a", synced=days_ago(15)), state("b", synced=days_ago(30)), state("c", synced=days_ago(20))],
            [state("a", synced=NOW), state("b", synced=days_ago(30)), state("c", synced=NOW)],
            midnight(20),
        ),
    ],
)
def test_what_is_worn_and_synced_since_has_what_it_missed_read_again(
    long: Connection, before: list[DeviceState], after: list[DeviceState], expected: dt.datetime | None
) -> None:
    told(long, *before, at=NOW - HOUR)
    assert reread(long) is None
    told(long, *after)
    assert reread(long) == expected


# --- asking for them -----------------------------------------------------------------------------------------------


class Telling(FakeVendor):
    """Answers a question for the devices as it is told to."""

    def __init__(self, answer: list[DeviceState] | Exception) -> None:
        super().__init__()
        self.answer = answer

    def devices(self, access_token: str) -> list[DeviceState]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_devices_that_are_asked_for_are_kept(linked: Connection) -> None:
    connections_devices.refresh(linked, Telling([state("a", percent=33)]), "access", NOW)
    assert [(one[0], one[3], one[6]) for one in kept(linked)] == [("a", 33, NOW)]


@pytest.mark.parametrize(
    "fault",
    [AccessGone(AccessGone.SCOPE_MISSING), AccessGone(AccessGone.ACCOUNT_NOT_LINKED), BrokenResponse("not_json")],
)
def test_devices_that_cannot_be_seen_stay_as_they_are(
    linked: Connection, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    told(linked, state("a"))
    connections_devices.refresh(linked, Telling(fault), "access", NOW + HOUR)
    assert [one[6] for one in kept(linked)] == [NOW]
    assert ("the devices could not be read: not_json" in caplog.text) is isinstance(fault, BrokenResponse)


@pytest.mark.parametrize("fault", [AccessGone(AccessGone.DENIED), VendorBusy("rate_limit")])
def test_what_concerns_the_whole_connection_is_raised(linked: Connection, fault: Exception) -> None:
    with pytest.raises(type(fault)):
        connections_devices.refresh(linked, Telling(fault), "access", NOW)


def test_devices_of_a_connection_that_has_ended_are_not_kept(linked: Connection) -> None:
    connections_services.disconnect(linked, reason="participant", now=NOW)
    connections_devices.refresh(linked, Telling([state("a")]), "access", NOW)
    assert kept(linked) == []


# --- what a scale measures --------------------------------------------------------------------------------------


def weighed(linked: Connection, at: dt.datetime) -> None:
    store(linked.participant, deliver(batch([80.0], start=at, metric="weight")), now=NOW)


def worn(linked: Connection, first: float, last: float) -> None:
    count = round((last - first) * 60)
    store(linked.participant, deliver(batch([70.0] * count, start=START + first * HOUR, step=60)), now=NOW)


def test_a_weight_shows_no_upload_of_the_watch(linked: Connection) -> None:
    worn(linked, 0, 4)
    weighed(linked, START + 30 * HOUR)
    summary = ParticipantStatusSummary.objects.get()
    assert summary.last_sample_at == START + 4 * HOUR - dt.timedelta(minutes=1)
    assert summary.silent_at == summary.last_sample_at + 48 * HOUR
    assert summary.overwritten_at == summary.last_sample_at + 168 * HOUR


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
    evaluation.refresh(linked.participant, now=START + DAY + 168 * HOUR)
    day = ParticipantDay.objects.get(date=dt.date(2026, 5, 4))
    assert (day.status, day.heard_at, day.last_sample_at) == ("l", None, START + 10 * HOUR)


def test_a_weight_in_a_silence_does_not_hide_that_the_battery_was_flat(linked: Connection) -> None:
    windows(linked, 0, 36)
    told(linked, state("a", percent=3, synced=START + 4 * HOUR), at=START + 4 * HOUR)
    worn(linked, 0, 4)
    weighed(linked, START + 12 * HOUR)
    evaluation.refresh(linked.participant, now=NOW)
    assert {gap.cause for gap in Gap.objects.filter(date=dt.date(2026, 5, 4))} == {Cause.BATTERY_FLAT}
