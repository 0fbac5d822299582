"""What is uploaded late, and nobody told us: an empty answer is not the last word on a day."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable

import pytest
from pytest_django import Settings

from ingestion.connections import devices
from ingestion.connections import services as connections_services
from ingestion.models import Connection, Device, Fingerprint, SyncWindow
from ingestion.providers.base.live import DeviceKind, DeviceState, Grant
from ingestion.sync import dispatch, manual, planning, restatements
from ingestion.sync.restatements import Check
from ingestion.sync.run import run_sync
from ingestion.sync.run_state import Outcome
from metrics.models import Cause, Gap, Measurement, ParticipantDay
from metrics.monitoring import evaluation
from participants.models import Participant, Pause
from tests.ingestion.sync.fake import FakeVendor

HOUR, DAY, MINUTE = dt.timedelta(hours=1), dt.timedelta(days=1), dt.timedelta(minutes=1)
AMSTERDAM = zoneinfo.ZoneInfo("Europe/Amsterdam")
MakeWindow = Callable[..., SyncWindow]
MONITORED = 12  # days
TRACKER, SCALE = DeviceKind.TRACKER, DeviceKind.SCALE


def midnight(now: dt.datetime, days_ago: int) -> dt.datetime:
    on = now.astimezone(AMSTERDAM).date() - days_ago * DAY
    return dt.datetime.combine(on, dt.time(), AMSTERDAM).astimezone(dt.UTC)


def served(connection: Connection) -> Outcome:
    """A pass, now."""
    Connection.objects.update(next_due_at=connection.connected_at)
    whole = Outcome()
    while True:
        outcome = dispatch.serve(connection.pk)
        whole.add(outcome)
        if outcome.wait != 0:
            return whole


def states(days: int = MONITORED) -> str:
    rows = ParticipantDay.objects.order_by("date").values_list("status", flat=True)
    return "".join(rows)[:days]


def told(connection: Connection, now: dt.datetime, *states: tuple[str, DeviceKind, dt.datetime | None]) -> None:
    found = [DeviceState(name, name, kind, 50, "", at) for name, kind, at in states]
    devices.store(connection, found, now)


@pytest.fixture
def held(connection: Connection, vendor: FakeVendor, now: dt.datetime, settings: Settings) -> Connection:
    """Twelve days of monitoring, worn by day; nothing was uploaded since noon of the second day, and all was asked."""
    settings.LIVE_PROVIDERS = {"fake": {}}
    Participant.objects.update(monitoring_starts_on=(now.astimezone(AMSTERDAM) - MONITORED * DAY).date())
    for day in range(MONITORED + 1):
        begins = midnight(now, day)
        for minute in range(6 * 60, 17 * 60):
            at = begins + minute * MINUTE
            if at < now:
                vendor.points["pulse"][at] = 60.0
        vendor.points["walk"][begins + 12 * HOUR] = 100.0
        vendor.points["rest"][begins + 12 * HOUR] = 55.0
    for code in vendor.points:
        vendor.points[code] = {at: value for at, value in vendor.points[code].items() if at < now}
    vendor.held = vendor.synced = midnight(now, MONITORED - 1) + 12 * HOUR
    connection.refresh_from_db()
    connection.connected_at = now - (MONITORED + 2) * DAY
    connection.save()
    served(connection)
    return connection


def missing(vendor: FakeVendor) -> int:
    """How much of what the vendor has is not stored."""
    return sum(len(points) for points in vendor.points.values()) - Measurement.objects.count()


def release(vendor: FakeVendor, now: dt.datetime, *, synced: bool = True) -> None:
    """Everything is uploaded; nobody sends a notice."""
    vendor.held = None
    if synced:
        vendor.synced = now
    vendor.requested.clear()


def test_days_of_which_nothing_came_in_time_are_lost_and_not_yet_synced(held: Connection, vendor: FakeVendor) -> None:
    assert missing(vendor) > 0
    assert states(5) == "vi" + "l" * 3
    assert causes_after(1) == {Cause.NOT_SYNCED}


def causes_after(days: int) -> set[str]:
    """The causes of gaps later than so many days after the first."""
    first = ParticipantDay.objects.earliest("date").date
    return set(Gap.objects.filter(date__gt=first + days * DAY).values_list("cause", flat=True))


def test_until_it_is_read_again_no_day_is_final_and_no_cause_unknown(
    held: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    release(vendor, now)
    later = dt.datetime.now(dt.UTC)  # than what was read before
    told(held, later, ("d1", TRACKER, later))
    evaluation.refresh(held.participant, list(ParticipantDay.objects.values_list("date", flat=True)), now=later)
    assert states(5) == "vp" + "l" * 3
    assert causes_after(1) == {Cause.NOT_SYNCED}
    while run_sync(held.pk).wait == 0:
        waiting = SyncWindow.objects.filter(data_type="pulse", kind="read", state="due")
        days = {at.astimezone(AMSTERDAM).date() for at in waiting.values_list("starts_at", flat=True)}
        part_read = ParticipantDay.objects.filter(date__in=days).order_by("date")
        assert set(part_read.values_list("status", flat=True)) <= {"p", "l"}
    assert states(5) == "v" * 5


def test_a_new_sync_of_the_device_brings_all_that_was_missed(
    held: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    release(vendor, now)
    served(held)
    assert missing(vendor) == 0
    assert states(MONITORED - 1) == "v" * (MONITORED - 1)


def test_it_asks_for_the_days_since_the_sync_before_and_no_others(
    held: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    before = vendor.synced
    assert before
    release(vendor, now)
    served(held)
    pulled = [(start, end) for kind, code, start, end in vendor.requested if (kind, code) == ("pull", "pulse")]
    begins = before.astimezone(AMSTERDAM).replace(hour=0, minute=0).astimezone(dt.UTC)
    assert min(pulled)[0] == begins
    old = SyncWindow.objects.filter(reason="uploaded", data_type="pulse").order_by("starts_at")
    last = old.last()
    assert last
    # The present has gone on a little since `now`.
    assert now - 7 * DAY - HOUR < last.starts_at < now - 7 * DAY + 2 * HOUR


def test_the_next_pass_is_a_sweep_for_the_vendor_may_be_slow(
    held: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    vendor.synced = now  # it has synced, and what it brought is not to be had yet
    served(held)
    assert missing(vendor) > 0
    release(vendor, now, synced=False)
    served(held)
    assert missing(vendor) == 0


def test_without_news_of_the_device_a_sweep_finds_it(held: Connection, vendor: FakeVendor, now: dt.datetime) -> None:
    release(vendor, now, synced=False)
    served(held)
    assert missing(vendor) > 0
    Connection.objects.update(swept_at=now - 8 * DAY)
    served(held)
    assert missing(vendor) == 0
    assert states(MONITORED - 1) == "v" * (MONITORED - 1)


def test_a_later_sweep_finds_what_an_earlier_one_saw_empty(
    held: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    for _ in range(2):
        Connection.objects.update(swept_at=None)
        served(held)
    release(vendor, now, synced=False)
    Connection.objects.update(swept_at=None)
    served(held)
    assert missing(vendor) == 0


def test_the_hour_in_which_the_upload_ended_is_completed(
    held: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    """The look before knew the half of it; the sums of the whole are others."""
    edge = midnight(now, MONITORED - 1) + 12 * HOUR
    vendor.held = edge + 30 * MINUTE
    Connection.objects.update(swept_at=None)
    served(held)
    for at in [at for at in vendor.points["pulse"] if edge + 30 * MINUTE <= at < edge + HOUR]:
        vendor.points["pulse"][at] = 90.0
    release(vendor, now, synced=False)
    Connection.objects.update(swept_at=None)
    served(held)
    assert Measurement.objects.filter(time__gte=edge, time__lt=edge + HOUR).count() == 60 + 1  # and the walk of noon


# --- by hand ------------------------------------------------------------------------------------------------------


def test_a_backfill_by_hand_asks_again_for_what_was_answered_empty(
    held: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    release(vendor, now, synced=False)
    first = midnight(now, MONITORED).astimezone(AMSTERDAM).date()
    assert manual.backfill(held, first, now) > 0
    while dispatch.serve(held.pk).wait == 0:
        pass
    assert missing(vendor) == 0


def test_a_sync_by_hand_checks_all_that_is_past(held: Connection, vendor: FakeVendor, now: dt.datetime) -> None:
    release(vendor, now, synced=False)
    manual.sync_now(held, now)
    while dispatch.serve(held.pk).wait == 0:
        pass
    assert missing(vendor) == 0


def test_whoever_connects_again_gets_what_was_missed(held: Connection, vendor: FakeVendor, now: dt.datetime) -> None:
    connections_services.disconnect(held, reason="manager", now=now)
    release(vendor, now, synced=False)
    grant = Grant(vendor.token, "refresh-9", now + 5 * HOUR, frozenset(vendor.scopes))
    connections_services.connect(participant=held.participant, provider=vendor, grant=grant, now=now, invitation=None)
    served(held)
    assert missing(vendor) == 0


def test_whoever_connects_again_after_an_upload_too(held: Connection, vendor: FakeVendor, now: dt.datetime) -> None:
    connections_services.disconnect(held, reason="manager", now=now)
    release(vendor, now)
    grant = Grant(vendor.token, "refresh-9", now + 5 * HOUR, frozenset(vendor.scopes))
    connections_services.connect(participant=held.participant, provider=vendor, grant=grant, now=now, invitation=None)
    assert SyncWindow.objects.filter(reason="uploaded").exists()
    served(held)
    assert missing(vendor) == 0


# --- which sync reopens what --------------------------------------------------------------------------------------


def reopened(data_type: str = "walk") -> list[dt.datetime]:
    return sorted(SyncWindow.objects.filter(reason="uploaded", data_type=data_type).values_list("starts_at", flat=True))


@pytest.fixture
def monitored(connection: Connection, now: dt.datetime) -> Connection:
    Participant.objects.update(monitoring_starts_on=(now - 40 * DAY).date())
    connection.refresh_from_db()
    return connection


def test_a_silence_within_the_watched_days_is_left_to_the_checks(monitored: Connection, now: dt.datetime) -> None:
    told(monitored, now, ("t", TRACKER, now - 6 * DAY))
    told(monitored, now, ("t", TRACKER, now))
    assert reopened() == []


def test_a_longer_silence_reopens_its_days_up_to_the_watched_ones(monitored: Connection, now: dt.datetime) -> None:
    told(monitored, now, ("t", TRACKER, now - 10 * DAY))
    told(monitored, now, ("t", TRACKER, now))
    days = [at.date() for at in reopened()]
    begins = midnight(now, 10)
    assert days[0] == begins.date()
    assert days == [days[0] + n * DAY for n in range(len(days))]
    assert days[-1] == (now - 7 * DAY).date()
    monitored.refresh_from_db()
    assert monitored.swept_at is None


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ([("t", TRACKER, 10)], [("t", TRACKER, 10)]),
        ([("t", TRACKER, 10)], [("t", TRACKER, 12)]),
        ([("t", TRACKER, 10)], [("t", TRACKER, None)]),
        ([("t", TRACKER, None)], [("t", TRACKER, 0)]),
        ([], [("t", TRACKER, 0)]),
        ([("s", SCALE, 30)], [("s", SCALE, 0)]),
        ([("t", TRACKER, 10)], [("t", TRACKER, 10), ("new", TRACKER, 0)]),
    ],
)
def test_what_reopens_nothing(
    monitored: Connection,
    now: dt.datetime,
    first: list[tuple[str, DeviceKind, int | None]],
    then: list[tuple[str, DeviceKind, int | None]],
) -> None:
    for said in (first, then):
        told(monitored, now, *((name, kind, None if n is None else now - n * DAY) for name, kind, n in said))
    assert reopened() == []


def test_of_two_devices_that_were_silent_the_longer_silence_counts(monitored: Connection, now: dt.datetime) -> None:
    told(monitored, now, ("a", TRACKER, now - 10 * DAY), ("b", TRACKER, now - 20 * DAY))
    told(monitored, now, ("a", TRACKER, now), ("b", TRACKER, now))
    assert reopened()[0] <= now - 20 * DAY + DAY


def test_nothing_outside_the_collection_interval_is_reopened(monitored: Connection, now: dt.datetime) -> None:
    person = monitored.participant
    Participant.objects.update(monitoring_starts_on=midnight(now, 15).astimezone(AMSTERDAM).date())
    Pause.objects.create(participant=person, starts_on=midnight(now, 12).astimezone(AMSTERDAM).date(),
                         ends_on=midnight(now, 11).astimezone(AMSTERDAM).date())  # fmt: skip
    told(monitored, now, ("t", TRACKER, now - 30 * DAY))
    told(monitored, now, ("t", TRACKER, now))
    hours = reopened("pulse")
    assert hours[0] == midnight(now, 15)


# --- a sweep: what it asks for, and what it remembers ----------------------------------------------------------------


def swept(connection: Connection, now: dt.datetime) -> list[SyncWindow]:
    connection.swept_at, connection.last_pull_at = now - 8 * DAY, now - HOUR
    planning.plan_pass(connection, now)
    return list(SyncWindow.objects.filter(reason="history").order_by("data_type", "starts_at"))


def test_a_sweep_asks_for_sums_where_there_are_and_else_for_many_days_at_once(
    monitored: Connection, now: dt.datetime
) -> None:
    found = swept(monitored, now)
    assert {(one.data_type, one.kind) for one in found} == {("pulse", "look"), ("walk", "read"), ("rest", "read")}
    assert {one.ends_at - one.starts_at for one in found} == {14 * DAY}
    first = min(one.starts_at for one in found)
    assert first <= now - 40 * DAY < first + 14 * DAY + DAY
    assert max(one.starts_at for one in found) < now - 7 * DAY


def test_a_first_pass_reads_everything_anyway(monitored: Connection, now: dt.datetime) -> None:
    planning.plan_pass(monitored, now)
    assert not SyncWindow.objects.filter(reason="history").exists()


def test_a_pass_that_is_no_sweep_asks_for_nothing_past(monitored: Connection, now: dt.datetime) -> None:
    monitored.swept_at = monitored.last_pull_at = now - HOUR
    planning.plan_pass(monitored, now)
    assert not SyncWindow.objects.filter(reason="history").exists()


@pytest.mark.parametrize(("days", "sweeps"), [(dt.timedelta(days=7), True), (7 * DAY - MINUTE, False)])
def test_a_sweep_is_due_after_its_days(
    monitored: Connection, now: dt.datetime, days: dt.timedelta, sweeps: bool
) -> None:
    monitored.swept_at, monitored.last_pull_at = now - days, now - HOUR
    planning.plan_pass(monitored, now)
    assert SyncWindow.objects.filter(reason="history").exists() is sweeps


def test_wide_windows_are_asked_alone_and_after_the_rest(held: Connection, vendor: FakeVendor) -> None:
    vendor.requested.clear()
    Connection.objects.update(swept_at=None)
    served(held)
    walks = [(start, end) for kind, code, start, end in vendor.requested if (kind, code) == ("pull", "walk")]
    assert walks[0][1] - walks[0][0] <= 9 * DAY
    assert all(end - start <= 14 * DAY for start, end in walks)
    watched = [
        n for n, (kind, code, _, end) in enumerate(vendor.requested) if code == "pulse" and end > vendor.requested[0][3]
    ]
    assert max(watched, default=0) < len(vendor.requested)


def test_a_sweep_in_which_nothing_changed_reads_no_old_hours(
    held: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    release(vendor, now)
    served(held)
    for _ in range(2):
        vendor.requested.clear()
        Connection.objects.update(swept_at=None)
        served(held)
    old = [start for kind, code, start, _ in vendor.requested if (kind, code) == ("pull", "pulse")]
    assert min(old) >= now - 7 * DAY - HOUR
    looked = [end for kind, _, _, end in vendor.requested if kind == "look"]
    assert min(looked) < now - 7 * DAY


def test_what_the_vendor_withdrew_long_ago_is_withdrawn(held: Connection, vendor: FakeVendor, now: dt.datetime) -> None:
    gone = midnight(now, 10) + 9 * HOUR
    vendor.points["pulse"][gone] = 99.0
    release(vendor, now)
    served(held)
    Connection.objects.update(swept_at=None)
    served(held)
    del vendor.points["pulse"][gone]
    Connection.objects.update(swept_at=None)
    served(held)
    assert not Measurement.objects.filter(time=gone).exists()
    assert missing(vendor) == 0


def test_a_day_that_leaves_the_watch_is_remembered_by_one_fingerprint(monitored: Connection, now: dt.datetime) -> None:
    first = now.replace(hour=0, minute=0) - 9 * DAY
    for n in range(30):  # a whole UTC day, and a quarter of the next
        Fingerprint.objects.create(connection=monitored, data_type="pulse", hour=first + n * HOUR, value="-")
    late = now.replace(hour=0, minute=0) - 8 * DAY
    restatements._fold(monitored, ["pulse"], first + DAY)
    kept = dict(Fingerprint.objects.values_list("hour", "value"))
    assert kept.pop(first).startswith("day ")
    assert set(kept) == {late + n * HOUR for n in range(6)}


def test_a_day_of_which_some_hours_were_never_checked_is_forgotten(monitored: Connection, now: dt.datetime) -> None:
    first = now.replace(hour=0, minute=0) - 9 * DAY
    for n in range(1, 24):
        Fingerprint.objects.create(connection=monitored, data_type="pulse", hour=first + n * HOUR, value="-")
    restatements._fold(monitored, ["pulse"], first + DAY)
    assert not Fingerprint.objects.exists()


def test_what_a_check_saw_by_hours_and_what_a_sweep_sees_by_days_is_the_same_fingerprint(
    monitored: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    first = now.replace(hour=0, minute=0) - 10 * DAY
    vendor.points["pulse"][first + 5 * HOUR] = 61.0
    sums = vendor.fingerprints(vendor.token, "pulse", first, first + DAY)
    for n in range(24):
        hour = first + n * HOUR
        Fingerprint.objects.create(
            connection=monitored, data_type="pulse", hour=hour, value=restatements.text(sums.get(hour))
        )
    restatements._fold(monitored, ["pulse"], first + DAY)
    window = SyncWindow(connection=monitored, data_type="pulse", kind="look", reason="history",
                        starts_at=first, ends_at=first + DAY, due_at=now)  # fmt: skip
    assert restatements.compare(monitored, [Check(window, sums, 1)], now) == 0
    sums = vendor.fingerprints(vendor.token, "pulse", first, first)
    assert restatements.compare(monitored, [Check(window, sums, 1)], now) == 24


@pytest.mark.parametrize("state", ["claimed", "done"])
def test_a_check_that_is_under_way_or_is_evidence_outlives_the_next_plan(
    monitored: Connection, window: MakeWindow, now: dt.datetime, state: str
) -> None:
    mine = window(kind="look", state=state, ends_at=now.replace(minute=0), claimed_at=now)
    planning.plan_pass(monitored, now)
    assert SyncWindow.objects.filter(pk=mine.pk, state=state).exists()


def test_a_check_that_was_not_begun_gives_way_to_the_next(
    monitored: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    mine = window(kind="look", state="due", ends_at=now.replace(minute=0))
    planning.plan_pass(monitored, now)
    assert not SyncWindow.objects.filter(pk=mine.pk).exists()


def test_of_done_checks_the_newest_is_kept(held: Connection, vendor: FakeVendor) -> None:
    served(held)
    assert SyncWindow.objects.filter(kind="look").exclude(reason="history").count() == 1


def test_who_allowed_nothing_that_has_sums_still_has_devices_checked(
    connection: Connection, vendor: FakeVendor, now: dt.datetime
) -> None:
    connection.scopes = ["move"]
    connection.save()
    vendor.synced = now
    served(connection)
    assert Device.objects.get().last_sync_at == now
