"""Task metrics: counts what Celery runs, and serves what its processes counted."""

from __future__ import annotations

import time
from contextvars import Token
from typing import Any

from celery import current_app
from celery.signals import (
    after_task_publish,
    beat_init,
    before_task_publish,
    setup_logging,
    task_failure,
    task_postrun,
    task_prerun,
    task_retry,
    task_success,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
)
from django.conf import settings
from prometheus_client import Counter, Histogram

from config.observability import context, exposition, logs, multiprocess, tracing

# The longest are exports and re-computations, of an hour.
BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
SECONDS = Histogram("wearable_task_seconds", "Seconds that a task ran, whatever came of it.", ["task"], buckets=BUCKETS)
TASKS = Counter("wearable_tasks", "Tasks that ended, by what came of them.", ["task", "outcome"])
SENT = Counter("wearable_tasks_sent", "Tasks handed to the queue by this program.", ["task"])

_began: dict[str, float] = {}
_ids: dict[str, tuple[Token[str], Token[tuple[str, str]]]] = {}
_handed_out: list[object] = []


def name_of(task: Any) -> str:
    """The name of one of our tasks; of what is none of ours, one word: a message may name anything."""
    name = str(getattr(task, "name", task))
    return name if name in current_app.tasks else "other"


setup_logging.connect(logs.of_celery, weak=False)
worker_process_init.connect(tracing.begin, weak=False)  # after the fork
beat_init.connect(tracing.begin, weak=False)


@before_task_publish.connect(weak=False)  # type: ignore[untyped-decorator]
def passed_on(headers: dict[str, Any], **_: Any) -> None:
    """Which request started a task, for the worker's log lines."""
    if request_id := context.REQUEST.get():
        headers["request_id"] = request_id


@task_prerun.connect(weak=False)  # type: ignore[untyped-decorator]
def began(task_id: str, task: Any, **_: Any) -> None:
    request_id = str(task.request.get("request_id") or context.REQUEST.get())
    _ids[task_id] = context.REQUEST.set(request_id), context.TASK.set((task_id, task.name))
    _began[task_id] = time.perf_counter()


@task_postrun.connect(weak=False)  # type: ignore[untyped-decorator]
def ended(task_id: str, task: Any, **_: Any) -> None:
    if (at := _began.pop(task_id, None)) is not None:
        SECONDS.labels(name_of(task)).observe(time.perf_counter() - at)
    if tokens := _ids.pop(task_id, None):
        context.REQUEST.reset(tokens[0])
        context.TASK.reset(tokens[1])


@task_success.connect(weak=False)  # type: ignore[untyped-decorator]
def succeeded(sender: Any, **_: Any) -> None:
    TASKS.labels(name_of(sender), "succeeded").inc()


@task_failure.connect(weak=False)  # type: ignore[untyped-decorator]
def failed(sender: Any, **_: Any) -> None:
    TASKS.labels(name_of(sender), "failed").inc()


@task_retry.connect(weak=False)  # type: ignore[untyped-decorator]
def retried(sender: Any, **_: Any) -> None:
    TASKS.labels(name_of(sender), "retried").inc()


@after_task_publish.connect(weak=False)  # type: ignore[untyped-decorator]
def sent(sender: Any, **_: Any) -> None:
    SENT.labels(name_of(sender)).inc()


@worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
@beat_init.connect(weak=False)  # type: ignore[untyped-decorator]
def hand_out(**_: Any) -> None:
    """Serve the metrics, in a worker's parent process for all its children, and in beat."""
    if settings.WORKER_METRICS_PORT and not _handed_out:  # a worker is ready again when its broker came back
        _handed_out.append(exposition.serve(settings.WORKER_METRICS_HOST, settings.WORKER_METRICS_PORT))


@worker_process_shutdown.connect(weak=False)  # type: ignore[untyped-decorator]
def child_ended(pid: int, **_: Any) -> None:
    tracing.end()
    multiprocess.ended(pid)
