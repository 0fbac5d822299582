"""The demo's people of the live sync, from a simulator of their own over real HTTP."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.utils import timezone
from pytest_django import Settings

from ingestion import live_providers
from ingestion.demo import live as demo_live
from ingestion.demo import trial as demo_trial
from ingestion.models import Connection, ConnectionEvent, SyncWindow
from ingestion.providers.base.errors import AccessGone
from metrics.models import DayRollup
from metrics.monitoring.status import AttentionStatus, with_attention_status
from participants.models import Participant, Trial
from tests.paths import ROOT


@pytest.fixture(scope="module")
def simulator() -> Iterator[str]:
    command = [sys.executable, "manage.py", "simulate_google", "--participants", "24", "--port", "0"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    assert process.stdout
    found = re.search(r"http://[\d.]+:\d+", process.stdout.readline())
    try:
        assert found
        yield found[0]
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def trial(db: None, simulator: str, settings: Settings) -> Iterator[Trial]:
    settings.TOKEN_KEYS = ["a-key-for-tests-that-is-long-enough"]
    settings.LIVE_PROVIDERS = {
        "google_health": {"client_id": "sim-client", "client_secret": "sim-secret", "simulator_url": simulator}
    }
    settings.SYNC_WATCH_DAYS = 2
    live_providers.provider.cache_clear()
    yield demo_trial.demo_ensure(now=timezone.now(), participants=1, days=30)
    live_providers.provider.cache_clear()


def connection_of(trial: Trial, study_id: str) -> Connection:
    return Connection.objects.get(participant__trial=trial, participant__study_id=study_id)


def test_they_show_a_dead_grant_a_partial_consent_and_a_fault_of_the_vendor(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_live, "JOINED", dt.timedelta(days=3))
    now = timezone.now()
    dead, partial, faulty = (connection_of(trial, one) for one in demo_live.demo_live_ensure(trial, after=1, now=now))
    assert (dead.status, dead.status_reason) == (Connection.Status.RECONNECT, AccessGone.EXPIRED_GRANT)
    assert now - dead.status_since == demo_live.ENDED
    assert partial.status == Connection.Status.ACTIVE
    codes = set(DayRollup.objects.filter(participant=partial.participant).values_list("metric__code", flat=True))
    assert "steps" in codes
    assert "heart_rate" not in codes
    assert faulty.status == Connection.Status.ACTIVE
    assert faulty.windows.filter(data_type="heart-rate").exclude(error_code="").exists()
    assert DayRollup.objects.filter(participant=faulty.participant, metric__code="heart_rate").exists()

    words = dict(
        with_attention_status(trial.participants.all(), now=timezone.now()).values_list("pk", "attention_status")
    )
    assert words[dead.participant_id] == words[partial.participant_id] == AttentionStatus.RECONNECT
    assert words[faulty.participant_id] == AttentionStatus.WAITING

    counts = [model.objects.count() for model in (Participant, ConnectionEvent, SyncWindow)]
    assert len(demo_live.demo_live_ensure(trial, after=1, now=timezone.now())) == 3
    assert [model.objects.count() for model in (Participant, ConnectionEvent, SyncWindow)] == counts


def test_nobody_is_connected_where_no_simulator_plays_the_vendor(trial: Trial, settings: Settings) -> None:
    settings.LIVE_PROVIDERS = {"google_health": {"client_id": "real", "client_secret": "real"}}
    assert demo_live.demo_live_ensure(trial, after=1, now=timezone.now()) == []
    assert not Connection.objects.exists()
