"""Connections in the admin: shown to staff, without tokens, and not to be edited."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import Client

from ingestion.models import Connection, SyncWindow
from tests.factories import UserFactory

MakeWindow = Callable[..., SyncWindow]


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize("model", ["connection", "syncwindow", "invitation", "device", "webhookdelivery"])
def test_the_lists_open(staff: Client, connection: Connection, window: MakeWindow, model: str) -> None:
    window()
    assert staff.get(f"/admin/ingestion/{model}/").status_code == 200


def test_a_connection_shows_no_tokens(staff: Client, connection: Connection) -> None:
    page = staff.get(f"/admin/ingestion/connection/{connection.pk}/change/").content.decode()
    assert connection.encrypted_tokens not in page
    assert connection.participant.study_id in page


def test_failed_windows_are_tried_again(
    staff: Client, connection: Connection, window: MakeWindow, now: dt.datetime
) -> None:
    failed = window(state="failed", attempts=6, error_code="truncated")
    data = {"action": "tryfailedagain", "_selected_action": [str(connection.pk)], "confirmed": "yes"}
    staff.post("/admin/ingestion/connection/", data)
    failed.refresh_from_db()
    assert (failed.state, failed.attempts) == ("due", 0)


def test_a_pull_can_be_started(staff: Client, connection: Connection) -> None:
    data = {"action": "pullnow", "_selected_action": [str(connection.pk)]}
    assert connection.participant.study_id in staff.post("/admin/ingestion/connection/", data).content.decode()
    assert not SyncWindow.objects.filter(state="due").exists()
    staff.post("/admin/ingestion/connection/", {**data, "confirmed": "yes"})
    assert SyncWindow.objects.filter(state="due").exists()
