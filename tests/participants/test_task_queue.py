"""Work is handed to Celery by its task's name, with what the task is given and when it is to run."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pytest
import time_machine
from celery import current_app
from kombu.exceptions import OperationalError

from participants.task_queue import enqueue, hand_over
from tests import broker

NAME = "participants.erase"
NOW = dt.datetime(2026, 11, 23, 8, 12, tzinfo=dt.UTC)


def test_a_task_is_sent_with_what_it_is_given() -> None:
    enqueue(NAME, 7)
    enqueue(NAME, 8)
    assert broker.sent(NAME) == [(7,), (8,)]
    assert [message.at for message in broker.messages()] == [None, None]


def test_a_task_that_is_to_wait_is_sent_with_the_instant_of_its_run() -> None:
    with time_machine.travel(NOW, tick=False):
        enqueue(NAME, 7, countdown=1.5)
    assert [message.at for message in broker.messages()] == [NOW + dt.timedelta(seconds=1.5)]


@pytest.mark.usefixtures("broker_away")
def test_without_a_broker_a_task_is_refused() -> None:
    with pytest.raises(OperationalError):
        enqueue(NAME, 7)


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
