"""How long a session lives, and what keeps it alive."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from participants.models import AuditDetail, AuditEntry, User
from tests import factories
from tests.participants.accounts.conftest import sign_in, text

START = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)


def later(**delta: float) -> Any:
    return time_machine.travel(START + dt.timedelta(**delta), tick=False)


@pytest.fixture
def signed_in(client: Client, viewer: User) -> Client:
    with later():
        sign_in(client, viewer.email)
    return client


def test_it_ends_when_nothing_was_done_for_half_an_hour(signed_in: Client) -> None:
    with later(minutes=31):
        assert signed_in.get("/").headers["Location"] == "/login/?next=/"
        assert "because nothing was done" in text(signed_in.get("/login/"))


def test_activity_keeps_it_alive(signed_in: Client) -> None:
    for minutes in range(20, 120, 20):
        with later(minutes=minutes):
            assert signed_in.get("/").status_code == 200


def test_it_ends_after_twelve_hours_whatever_is_done(signed_in: Client) -> None:
    for minutes in range(20, 12 * 60, 20):
        with later(minutes=minutes):
            signed_in.get("/")
    with later(hours=12, minutes=1):
        assert signed_in.get("/").status_code == 302


@pytest.mark.parametrize("address", ["/trials/STRIDE-2/progress/", "/account/session/"])
def test_what_a_clock_asks_for_keeps_nobody_signed_in(signed_in: Client, address: str) -> None:
    with later(minutes=20):
        assert signed_in.get(address).status_code == 200
    with later(minutes=31):
        assert signed_in.get("/").status_code == 302


def test_the_pulse_of_a_participants_page_keeps_nobody_signed_in(signed_in: Client, trial: Any) -> None:
    factories.ParticipantFactory.create(trial=trial, study_id="AX-0042")
    with later(minutes=20):
        address = reverse("dashboards:pulse", args=["STRIDE-2", "AX-0042"])
        assert signed_in.get(address, headers={"HX-Request": "true"}).status_code < 300
    with later(minutes=31):
        assert signed_in.get("/").status_code == 302


def test_a_request_that_the_browser_marks_keeps_nobody_signed_in(signed_in: Client) -> None:
    with later(minutes=20):
        assert signed_in.get("/", headers={"X-Unattended": "1"}).status_code == 200
    with later(minutes=31):
        assert signed_in.get("/").status_code == 302


def test_a_partial_of_an_ended_session_reloads_the_page(signed_in: Client) -> None:
    with later(minutes=31):
        answer = signed_in.get("/trials/STRIDE-2/", headers={"HX-Request": "true"})
        assert answer.headers["HX-Refresh"] == "true"


def test_saying_that_one_is_there_keeps_it_alive(signed_in: Client) -> None:
    with later(minutes=29):
        answer = signed_in.post(reverse("dashboards:session-stay"), headers={"Accept": "application/json"})
        assert answer.json() == {"seconds_left": 1800}
    with later(minutes=50):
        assert signed_in.get("/").status_code == 200


def test_the_page_knows_how_long_it_has(signed_in: Client) -> None:
    with later(minutes=10):
        assert signed_in.get("/account/session/").json() == {"seconds_left": 1200}


def test_an_ended_session_is_recorded_with_its_reason(signed_in: Client, viewer: User) -> None:
    with later(minutes=31):
        signed_in.get("/")
    entry = AuditEntry.objects.get(action="account.sign_out")
    assert entry.actor_id == viewer.pk
    assert AuditDetail.objects.get(entry=entry).reason == "idle"


def test_signing_out_everywhere_ends_all_sessions_but_this_one(client: Client, viewer: User) -> None:
    elsewhere = Client()
    sign_in(elsewhere, viewer.email)
    sign_in(client, viewer.email)
    client.post(reverse("dashboards:sign-out-everywhere"))
    assert client.get("/").status_code == 200
    assert elsewhere.get("/").headers["Location"].startswith("/login/")
    assert AuditEntry.objects.filter(action="account.sign_out_everywhere").exists()


def test_who_signs_in_again_stays_signed_in(client: Client, viewer: User) -> None:
    elsewhere = Client()
    sign_in(elsewhere, viewer.email)
    sign_in(client, viewer.email)
    client.post(reverse("dashboards:sign-out-everywhere"))
    elsewhere.get("/")
    sign_in(elsewhere, viewer.email)
    assert elsewhere.get("/").status_code == 200
