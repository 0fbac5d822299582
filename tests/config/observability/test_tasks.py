"""Tasks are counted and timed, by names that are ours."""

from __future__ import annotations

from celery import Task

from config.celery import app
from config.observability.tasks import name_of
from tests.config.observability.growth import Growth


@app.task(name="tests.counted")  # type: ignore[untyped-decorator]
def counted(fails: bool) -> None:
    if fails:
        raise ZeroDivisionError


@app.task(name="tests.again", bind=True)  # type: ignore[untyped-decorator]
def again(self: Task) -> None:
    if not self.request.retries:
        raise self.retry(countdown=0)


def outcome(name: str, task: str = "tests.counted") -> Growth:
    return Growth("wearable_tasks_total", task=task, outcome=name)


def test_a_task_that_ends_well() -> None:
    succeeded, seconds = outcome("succeeded"), Growth("wearable_task_seconds_count", task="tests.counted")
    counted.apply((False,))
    assert (succeeded(), seconds()) == (1, 1)


def test_a_task_that_fails() -> None:
    failed, succeeded = outcome("failed"), outcome("succeeded")
    counted.apply((True,))
    assert (failed(), succeeded()) == (1, 0)


def test_a_task_that_tries_again() -> None:
    retried = outcome("retried", "tests.again")
    again.apply()
    assert retried() == 1


def test_a_task_of_a_name_that_is_not_ours_makes_no_series() -> None:
    assert name_of("somebody.invented.this") == "other"
