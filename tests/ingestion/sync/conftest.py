"""A connected participant of a scripted vendor, with a real database, and without Redis."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable

import pytest
from pytest_django import Settings

from ingestion.models import Connection, SyncWindow
from participants.privacy import encryption
from tests.conftest import SetUpProviders
from tests.factories import ParticipantFactory
from tests.ingestion.sync.fake import FakeVendor

UTC = dt.UTC


@pytest.fixture
def now() -> dt.datetime:
    """The present, at half past an hour: windows' edges do not move under a test."""
    return dt.datetime.now(UTC).replace(minute=30, second=0, microsecond=0) - dt.timedelta(hours=1)


@pytest.fixture
def vendor(set_up_providers: SetUpProviders, settings: Settings) -> FakeVendor:
    made = FakeVendor()
    # What a test does while the vendor is asked belongs to the test's transaction: another thread is not in it.
    settings.SYNC_REQUESTS_AT_ONCE = 1
    settings.TOKEN_KEYS = ["a-key-for-tests-that-is-long-enough"]
    set_up_providers(made)
    return made


@pytest.fixture
def connection(db: None, vendor: FakeVendor, now: dt.datetime) -> Connection:
    return connect(now)


def connect(now: dt.datetime, *, user: str = "user-1", token_hours: float = 1.0, **person: object) -> Connection:
    """A participant in Amsterdam who connected two weeks ago."""
    who = ParticipantFactory(**person)
    return Connection.objects.create(
        participant=who,
        trial=who.trial,
        provider="fake",
        external_user_id=user,
        status=Connection.Status.ACTIVE,
        scopes=["heart", "move"],
        encrypted_tokens=encryption.encrypt(json.dumps(["access-0", "refresh-0"])),
        token_expires_at=dt.datetime.now(UTC) + dt.timedelta(hours=token_hours),
        connected_at=now - dt.timedelta(days=14),
        next_due_at=now,
    )


@pytest.fixture
def window(connection: Connection, now: dt.datetime) -> Callable[..., SyncWindow]:
    """Makes a window of an hour of pulse, due now; `hours` ago counts from the last whole hour."""

    def make(hours: int = 2, data_type: str = "pulse", **more: object) -> SyncWindow:
        start = now.replace(minute=0) - dt.timedelta(hours=hours)
        fields = {"starts_at": start, "ends_at": start + dt.timedelta(hours=1), "due_at": now, "reason": "scheduled"}
        return SyncWindow.objects.create(connection=connection, data_type=data_type, **{**fields, **more})

    return make
