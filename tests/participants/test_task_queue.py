"""Work is handed to Celery by its task's name, with what the task is given and when it is to run."""

from __future__ import annotations

import subprocess
import sys

import pytest
from celery import current_app
from kombu.exceptions import OperationalError

from participants import tasks
from participants.task_queue import enqueue, hand_over

NAME = "participants.erase"
Sent = list[tuple[tuple[object, ...], dict[str, object]]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What the task was sent with: its arguments and its options."""
    found: Sent = []
    monkeypatch.setattr(tasks.erase, "delay", lambda *given: found.append((given, {})))
    monkeypatch.setattr(tasks.erase, "apply_async", lambda given, **options: found.append((given, options)))
    return found


def test_a_task_is_sent_with_what_it_is_given(sent: Sent) -> None:
    enqueue(NAME, 7)
    enqueue(NAME, 8, "x")
    assert sent == [((7,), {}), ((8, "x"), {})]


def test_a_task_that_is_to_wait_is_sent_with_its_seconds(sent: Sent) -> None:
    enqueue(NAME, 7, countdown=1.5)
    assert sent == [((7,), {"countdown": 1.5})]


def test_a_name_of_no_task_is_refused() -> None:
    with pytest.raises(KeyError):
        enqueue("participants.nothing", 7)


def test_a_program_that_only_started_django_finds_every_app_s_tasks() -> None:
    code = "import django; django.setup(); from celery import current_app; print(*current_app.tasks)"
    environment = {"DJANGO_SETTINGS_MODULE": "config.settings", "SECRET_KEY": "x"} | {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"
    }
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    known = {"participants.erase", "metrics.export_run", "ingestion.sync_connection", "dashboards.send_due"}
    assert known <= set(ran.stdout.split()), ran.stderr


def test_a_broker_that_is_away_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def away(pk: int) -> None:
        raise OperationalError("connection refused")

    assert not hand_over(away, 7)
    assert "row 7 could not be queued, the broker is away" in caplog.text


def test_what_the_broker_took_is_handed_over() -> None:
    found: list[int] = []
    assert hand_over(found.append, 7)
    assert found == [7]


def test_every_task_of_ours_has_a_name_that_does_not_hang_on_its_module() -> None:
    ours = [name for name in current_app.tasks if not name.startswith("celery.")]
    assert ours
    assert not [name for name in ours if ".tasks." in name]
