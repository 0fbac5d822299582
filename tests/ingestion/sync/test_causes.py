"""Why data are missing: each cause from the rows that are its evidence, and what becomes of the day."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from ingestion.connections import devices
from ingestion.connections import services as connections_services
from ingestion.models import Connection, ConnectionEvent, Device, DeviceReading, Invitation, SyncWindow
from ingestion.providers.base.live import DeviceKind, DeviceState
from metrics.models import Cause, Gap, ParticipantDay, ParticipantStatusSummary
from metrics.monitoring import evaluation
from metrics.monitoring import gaps as monitoring_gaps
from metrics.monitoring.evidence import Evidence, Reading
from metrics.writing.writer import store
from participants.models import Participant
from tests.factories import ParticipantFactory
from tests.ingestion.sync.conftest import connect
from tests.ingestion.sync.fake import FakeVendor
from tests.metrics.samples import batch, deliver

UTC = dt.UTC
HOUR, ONE_DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
# Monday, 4 May 2026, in Amsterdam; evaluated at 12:00 on the day after unless a test says otherwise.
START = dt.datetime(2026, 5, 3, 22, tzinfo=UTC)
MONDAY = dt.date(2026, 5, 4)
NOW = START + 36 * HOUR


@pytest.fixture(autouse=True)
def _provider(vendor: FakeVendor, settings: Any) -> None:
    settings.LIVE_PROVIDERS = {"fake": {}}


@pytest.fixture
def linked(db: None) -> Connection:
    made = connect(NOW, monitoring_starts_on=MONDAY)
    made.connected_at = made.status_since = START - ONE_DAY
    made.next_due_at = NOW + HOUR
    made.save()
    return made


def windows(linked: Connection, first: float, last: float, **fields: Any) -> None:
    """Hourly windows of heart rates, read ten minutes after they were over unless `fields` say otherwise."""
    for hour in range(int(first), int(last)):
        begin = START + hour * HOUR
        known = {"state": "done", "finished_at": begin + HOUR + dt.timedelta(minutes=10), "due_at": begin + HOUR}
        SyncWindow.objects.create(
            connection=linked, data_type="pulse", starts_at=begin, ends_at=begin + HOUR, reason="scheduled",
            **{**known, **fields},
        )  # fmt: skip


def worn(person: Participant, first: float, last: float, *, metric: str = "heart_rate", value: float = 70.0) -> None:
    begin, count = START + first * HOUR, round((last - first) * 60)
    seconds = 60 if metric == "steps" else None
    store(person, deliver(batch([value] * count, start=begin, step=60, metric=metric, seconds=seconds)), now=NOW)


def read(linked: Connection, hour: float, percent: int) -> None:
    """The device synced then, with so much battery."""
    device, _ = Device.objects.update_or_create(
        connection=linked, external_id="d", defaults={"seen_at": START + hour * HOUR, "model": "Charge 6",
        "kind": "TRACKER", "battery_percent": percent, "last_sync_at": START + hour * HOUR},
    )  # fmt: skip
    at = START + hour * HOUR
    DeviceReading.objects.create(device=device, at=at, battery_percent=percent, last_sync_at=at)


def causes(person: Participant, *, now: dt.datetime = NOW) -> list[tuple[float, float, str]]:
    """Monday's gaps as (first hour, last hour, cause)."""
    evaluation.refresh_many([person], now=now, since=MONDAY)
    gaps = Gap.objects.filter(participant=person, date=MONDAY)
    return [((g.starts_at - START) / HOUR, (g.ends_at - START) / HOUR, g.cause) for g in gaps]


def test_never_connected(vendor: FakeVendor, db: None) -> None:
    person = ParticipantFactory(monitoring_starts_on=MONDAY, status=Participant.Status.INVITED)
    Invitation.objects.create(participant=person, created_at=START - ONE_DAY, expires_at=NOW + ONE_DAY)
    assert causes(person) == [(0, 24, Cause.NEVER_CONNECTED)]
    assert Gap.objects.filter(date=MONDAY).get().evidence == {"invited_at": (START - ONE_DAY).isoformat()}
    summary = ParticipantStatusSummary.objects.get()
    assert (summary.access, summary.cause, summary.cause_since) == ("never", Cause.NEVER_CONNECTED, START)


def test_a_dead_token_until_it_was_renewed(linked: Connection) -> None:
    windows(linked, 0, 10)
    worn(linked.participant, 0, 10)
    for hour, status in ((10, "reconnect"), (20, "active")):
        ConnectionEvent.objects.create(connection=linked, at=START + hour * HOUR, status=status, reason="expired_grant")
    assert causes(linked.participant)[0] == (10, 20, Cause.TOKEN_DEAD)


def test_a_grant_that_is_gone_now(linked: Connection) -> None:
    windows(linked, 0, 10)
    worn(linked.participant, 0, 10)
    connections_services.lost(linked, "expired_grant", now=START + 10 * HOUR)
    assert causes(linked.participant) == [(10, 24, Cause.TOKEN_DEAD)]
    summary = ParticipantStatusSummary.objects.get()
    assert (summary.access, summary.cause_since) == ("dead", START + 10 * HOUR)


def test_heart_rates_that_the_participant_did_not_allow(linked: Connection) -> None:
    worn(linked.participant, 0, 24, metric="steps", value=3)
    connections_services.scope_lost(linked, "heart", now=START + HOUR)
    assert causes(linked.participant)[-1] == (1, 24, Cause.CONSENT_PARTIAL)
    assert ParticipantStatusSummary.objects.get().access == "partial"


def test_a_fault_of_the_vendor_excludes_the_day_when_its_time_is_up_until_the_data_come(linked: Connection) -> None:
    person = linked.participant
    windows(linked, 0, 12)
    windows(linked, 12, 24, state="failed", error_code="http_503")
    worn(person, 0, 9)
    assert causes(person)[-1] == (12, 24, Cause.PLATFORM)
    assert Gap.objects.filter(date=MONDAY).last().evidence["code"] == "http_503"  # type: ignore[union-attr]
    assert ParticipantDay.objects.get(date=MONDAY).status == "p"
    causes(person, now=NOW + 8 * ONE_DAY)
    day = ParticipantDay.objects.get(date=MONDAY)
    assert (day.status, day.reason, day.fault_minutes) == ("x", "platform", 720)
    worn(person, 12, 24)
    assert ParticipantDay.objects.get(date=MONDAY).status == "v"


def test_what_was_not_read_yet_and_what_was_not_uploaded(linked: Connection) -> None:
    windows(linked, 0, 8)
    read(linked, 6, 50)
    worn(linked.participant, 0, 6)
    assert causes(linked.participant) == [(6, 24, Cause.NOT_SYNCED)]
    assert Gap.objects.filter(date=MONDAY).get().evidence["battery_percent"] == 50


def test_a_flat_battery(linked: Connection) -> None:
    windows(linked, 0, 36)
    worn(linked.participant, 0, 10)
    read(linked, -30, 45)
    read(linked, -6, 15)
    read(linked, 10, 3)
    assert causes(linked.participant) == [(10, 24, Cause.BATTERY_FLAT)]
    said = Gap.objects.filter(date=MONDAY).get().evidence
    assert (said["battery_percent"], said["falling_per_day"]) == (3, 25)
    assert ParticipantStatusSummary.objects.get().cause == Cause.BATTERY_FLAT


@pytest.mark.parametrize(("silent", "cause"), [(179, Cause.NOT_SYNCED), (180, Cause.BATTERY_FLAT)])
def test_a_silence_of_less_than_three_hours_is_an_upload_to_come(silent: int, cause: Cause) -> None:
    since = START + 6 * HOUR
    known = Evidence(live=True, readings=[Reading(since, 3)])
    piece = monitoring_gaps.Piece(since, since + silent * dt.timedelta(minutes=1), None, {}, silent=True)
    assert monitoring_gaps.decided(piece, known, monitoring_gaps.Neighbours(), 5).cause == cause


def test_off_the_wrist_and_what_came_after_the_last_sync(linked: Connection) -> None:
    windows(linked, 0, 10)
    windows(linked, 10, 36, finished_at=NOW)
    worn(linked.participant, 0, 10)
    worn(linked.participant, 10, 20, metric="steps", value=0)
    read(linked, 20, 60)
    assert causes(linked.participant) == [(10, 20, Cause.OFF_WRIST), (20, 24, Cause.NOT_SYNCED)]
    assert Gap.objects.filter(cause=Cause.OFF_WRIST).get().evidence["zero_step_minutes"] == 600


def test_steps_without_heart_rates_are_not_understood(linked: Connection) -> None:
    windows(linked, 0, 36)
    worn(linked.participant, 0, 10)
    worn(linked.participant, 10, 24, metric="steps", value=5)
    assert causes(linked.participant)[0][2] == Cause.UNKNOWN


def test_files_are_explained_by_what_lies_beside_the_gap(db: None) -> None:
    person = ParticipantFactory()
    worn(person, 0, 4)
    worn(person, 4, 8, metric="steps", value=0)
    worn(person, 8, 20)
    assert causes(person) == [(4, 8, Cause.OFF_WRIST), (20, 24, Cause.UNKNOWN)]


def test_a_device_is_remembered_whenever_it_says_something_new(linked: Connection) -> None:
    def state(percent: int) -> list[DeviceState]:
        return [DeviceState("d", "Charge 6", DeviceKind.TRACKER, percent, "", NOW)]

    for minute, percent in enumerate((50, 50, 40)):
        devices.store(linked, state(percent), NOW + minute * dt.timedelta(minutes=1))
    assert list(DeviceReading.objects.values_list("battery_percent", flat=True)) == [50, 40]


def test_many_are_evaluated_in_as_many_statements_as_a_few(
    linked: Connection, django_assert_max_num_queries: Any
) -> None:
    people = [linked.participant, *ParticipantFactory.create_batch(20, monitoring_starts_on=MONDAY)]
    with django_assert_max_num_queries(25):
        evaluation.refresh_many(people, now=NOW)
