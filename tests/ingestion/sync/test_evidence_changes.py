"""Whose evidence may have changed since they were evaluated: each way in which it can, and nobody else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from ingestion.models import Connection, ConnectionEvent, Device, Invitation, SyncWindow, SyntheticDevice
from metrics.models import ParticipantStatusSummary
from metrics.monitoring import due
from tests.factories import ParticipantStatusSummaryFactory
from tests.ingestion.sync.conftest import connect
from tests.ingestion.sync.fake import FakeVendor

NOW = dt.datetime(2026, 5, 5, 10, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def linked(db: None, vendor: FakeVendor) -> Connection:
    """Pulled from, and evaluated after it; the next pass is to come."""
    made = connect(NOW - 100 * HOUR)
    Connection.objects.update(
        status_since=NOW - 100 * HOUR,
        connected_at=NOW - 100 * HOUR,
        last_pull_at=NOW - 2 * HOUR,
        queued_at=None,
        next_due_at=NOW + HOUR,
    )
    SyncWindow.objects.all().delete()
    ConnectionEvent.objects.update(at=NOW - 100 * HOUR)
    Device.objects.update(seen_at=NOW - 2 * HOUR)
    ParticipantStatusSummary.objects.all().delete()
    ParticipantStatusSummaryFactory.create(participant=made.participant, updated_at=NOW - HOUR)
    made.refresh_from_db()
    return made


def window(linked: Connection, state: str) -> None:
    SyncWindow.objects.create(
        connection=linked, data_type="pulse", starts_at=NOW - 3 * HOUR, ends_at=NOW - 2 * HOUR, due_at=NOW - HOUR,
        reason="scheduled", state=state,
    )  # fmt: skip


def test_nothing_new_of_a_connection_evaluates_nobody(linked: Connection) -> None:
    window(linked, "done")
    assert due.by_evidence(NOW) == []


CHANGES: dict[str, Callable[[Connection], object]] = {
    "a pass is due": lambda link: Connection.objects.update(next_due_at=NOW),
    "it was pulled from": lambda link: Connection.objects.update(last_pull_at=NOW),
    "it is being pulled from": lambda link: Connection.objects.update(queued_at=NOW),
    "its status changed": lambda link: Connection.objects.update(status_since=NOW),
    "a part was taken away": lambda link: ConnectionEvent.objects.create(connection=link, at=NOW, status="active"),
    "a window waits": lambda link: window(link, "due"),
    "a window is claimed": lambda link: window(link, "claimed"),
    "the device was asked": lambda link: Device.objects.create(connection=link, external_id="x", seen_at=NOW),
    "an invitation was made": lambda link: Invitation.objects.create(
        participant=link.participant, created_at=NOW, expires_at=NOW + HOUR
    ),
    "a device is synthetic": lambda link: SyntheticDevice.objects.create(
        participant=link.participant, provider="synthetic", device="watch", seed=1, starts_on=NOW.date()
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whoever_has_news_is_evaluated(linked: Connection, change: Callable[[Connection], object]) -> None:
    change(linked)
    assert due.by_evidence(NOW) == [linked.participant_id]


def test_a_connection_that_has_ended_waits_for_no_pass(linked: Connection) -> None:
    Connection.objects.update(status="revoked", next_due_at=NOW - HOUR)
    assert due.by_evidence(NOW) == []
