"""/metrics/state: what stands in the database and in Redis, and what it says when they are away."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from config.health import checks, probes
from config.health.probes import Part, Probe
from config.observability import collectors, sql
from dashboards.models import Alert, Outreach
from ingestion.models import Connection, Heartbeat, SyncWindow, WebhookDelivery
from participants.models import Participant, Trial
from tests import database
from tests.factories import ParticipantFactory

HOUR = dt.timedelta(hours=1)
Sample = tuple[str, tuple[tuple[str, str], ...]]


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Nothing is kept from another test; and Redis is away."""
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    parts = {"database": Part(True, 1.0), "redis": Part(False, 1.0, "Redis cannot be reached.")}
    monkeypatch.setattr(probes, "PROBES", (Probe(lambda: list(parts), lambda: parts),))
    collectors.COLLECTOR.forget()


@pytest.fixture
def same_transaction(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector sees what the test has not committed."""

    class Borrowed:
        def __enter__(self) -> Any:
            connection.ensure_connection()
            return connection.connection

        def __exit__(self, *_: object) -> None:
            """It stays the test's."""

    monkeypatch.setattr(checks, "connect", Borrowed)


def read(prometheus: Client) -> dict[Sample, float]:
    answer = prometheus.get("/metrics/state")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.content.decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(found: dict[Sample, float], name: str, **labels: str) -> float:
    return found[(f"wearable_{name}", tuple(sorted(labels.items())))]


def connect(status: str = "active", **fields: Any) -> Connection:
    who = fields.pop("participant", None) or ParticipantFactory()
    return Connection.objects.create(participant=who, trial=who.trial, provider="fake", status=status, **fields)


def window(of: Connection, hours: float = 1, **fields: Any) -> None:
    at = timezone.now() - dt.timedelta(hours=hours)
    given = {"starts_at": at, "ends_at": at + HOUR, "due_at": at, "reason": "scheduled", **fields}
    SyncWindow.objects.create(connection=of, data_type="pulse", **given)


@pytest.mark.usefixtures("same_transaction")
def test_syncing_by_its_rows(prometheus: Client) -> None:
    now = timezone.now()
    late = connect(next_due_at=now - 2 * HOUR, last_pull_at=now - 5 * HOUR)
    fresh = connect(next_due_at=now + HOUR, last_pull_at=now - HOUR)
    lost = connect("reconnect", last_pull_at=now - 99 * HOUR)
    window(late, 3)
    window(late, 30, reason="backfill")
    window(fresh, 1, state="claimed", claimed_at=now)
    window(fresh, 2, state="failed")
    window(fresh, 3, state="done")
    window(lost, 90)  # it waits until the participant reconnects
    found = read(prometheus)
    assert value(found, "connections", status="active") == 2
    assert value(found, "connections", status="revoked") == 0
    assert value(found, "connections_overdue") == 1
    assert value(found, "sync_lag_seconds", quantile="1") == pytest.approx(5 * 3600, abs=30)
    assert value(found, "sync_lag_seconds", quantile="0.5") == pytest.approx(3 * 3600, abs=30)
    assert [value(found, "sync_windows", state=one) for one in ("due", "claimed", "failed")] == [2, 1, 1]
    assert value(found, "sync_oldest_due_seconds") == pytest.approx(3 * 3600, abs=30)


@pytest.mark.usefixtures("same_transaction")
def test_who_may_not_be_asked_is_no_delay(prometheus: Client) -> None:
    gone = connect(
        participant=ParticipantFactory(status=Participant.Status.WITHDRAWN), next_due_at=timezone.now() - 9 * HOUR
    )
    window(gone, 9)
    found = read(prometheus)
    assert value(found, "connections_overdue") == 0
    assert (value(found, "sync_windows", state="due"), value(found, "sync_oldest_due_seconds")) == (0, 0)


@pytest.mark.usefixtures("same_transaction")
def test_people_s_work_by_its_rows(prometheus: Client) -> None:
    now = timezone.now()
    who = ParticipantFactory()
    Alert.objects.create(participant=who, rule="no_upload", level=2, raised_at=now, updated_at=now)
    Alert.objects.create(participant=who, rule="low_wear", level=1, raised_at=now, updated_at=now, resolved_at=now)
    for state_, due in (("held", now - HOUR), ("held", now + HOUR), ("failed", now), ("sent", now)):
        Outreach.objects.create(
            participant=who, title="a", reason="b", created_at=now, send_after=due, state=state_, state_at=now
        )
    WebhookDelivery.objects.create(provider="fake", body=b"", received_at=now)
    found = read(prometheus)
    code = Trial.objects.get(pk=who.trial_id).code
    assert value(found, "trial_alerts", trial=code, severity="critical") == 1
    assert value(found, "trial_alerts", trial=code, severity="warning") == 0
    assert (value(found, "emails", state="held"), value(found, "emails", state="failed")) == (2, 1)
    assert value(found, "email_oldest_due_seconds") == pytest.approx(3600, abs=30)
    assert value(found, "webhooks_unhandled") == 1


@pytest.mark.usefixtures("same_transaction")
def test_programs_by_their_heartbeats(prometheus: Client, settings: Settings) -> None:
    now = timezone.now()
    stale = now - dt.timedelta(seconds=settings.HEARTBEAT_STALE_SECONDS + 60)
    for name, kind, at in (("a", "sync", now), ("b", "sync", stale), ("c", "scheduler", now)):
        Heartbeat.objects.create(name=name, kind=kind, holder="h", beaten_at=at)
    found = read(prometheus)
    assert value(found, "worker_heartbeats", kind="sync") == 1
    assert value(found, "worker_heartbeats", kind="exports") == 0
    assert value(found, "scheduler_heartbeat_timestamp_seconds") == pytest.approx(now.timestamp(), abs=1)
    assert value(found, "database_bytes") > 1_000_000
    assert value(found, "database_connections") >= 1


@pytest.mark.usefixtures("same_transaction")
def test_without_redis_the_rest_is_there(prometheus: Client) -> None:
    found = read(prometheus)
    assert value(found, "ready", part="redis") == 0
    assert (value(found, "state_read", what="queues"), value(found, "state_read", what="windows")) == (0, 1)
    assert not [name for name, _ in found if name == "wearable_queue_messages"]


def test_without_the_database_it_answers(prometheus: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    database.unreachable(monkeypatch)
    found = read(prometheus)
    assert value(found, "state_read", what="windows") == 0
    assert not [name for name, _ in found if name == "wearable_connections"]


@pytest.mark.usefixtures("same_transaction")
def test_a_query_that_fails_leaves_the_others(prometheus: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    webhooks = next(one for one in collectors.COLLECTOR._queries if one.name == "webhooks")
    monkeypatch.setattr(webhooks, "sql", "SELECT no_such_column FROM ingestion_webhookdelivery")
    found = read(prometheus)
    assert (value(found, "state_read", what="webhooks"), value(found, "state_read", what="size")) == (0, 1)


@pytest.mark.usefixtures("same_transaction")
def test_the_database_is_asked_once_in_some_seconds(prometheus: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    read(prometheus)
    monkeypatch.setattr(checks, "connect", lambda: pytest.fail("asked again"))
    assert value(read(prometheus), "webhooks_unhandled") == 0


@pytest.mark.usefixtures("same_transaction")
def test_no_series_names_a_person(prometheus: Client) -> None:
    connect(participant=ParticipantFactory(study_id="P-SECRET-7"))
    found = read(prometheus)
    assert {label for _, labels in found for label, _ in labels} <= {
        "part", "status", "state", "quantile", "queue", "trial", "severity", "kind", "what"
    }  # fmt: skip
    assert "P-SECRET-7" not in str(found)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["WINDOWS", "WEBHOOKS", "EMAILS", "EMAIL_DUE"])
def test_what_is_done_is_never_read(name: str, settings: Settings) -> None:
    given: dict[str, Any] = {"taking_part": ["active"], "quantiles": [0.5], "stale": 180}
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {getattr(sql, name)}", given if "%(" in getattr(sql, name) else {})
        plan = "\n".join(row[0] for row in cursor.fetchall())
    for table in ("ingestion_syncwindow", "ingestion_webhookdelivery", "dashboards_outreach"):
        assert f"Seq Scan on {table}" not in plan
    assert "Index" in plan
