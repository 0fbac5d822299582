"""Audit context of Celery tasks: what a task does is recorded as a task's, with the task's id."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from celery.signals import task_postrun, task_prerun

from participants.audit import acting

_open: dict[str, AbstractContextManager[None]] = {}


@task_prerun.connect(weak=False)  # type: ignore[untyped-decorator]
def begin(task_id: str, **_: Any) -> None:
    _open[task_id] = acting(via="task", request_id=task_id)
    _open[task_id].__enter__()


@task_postrun.connect(weak=False)  # type: ignore[untyped-decorator]
def end(task_id: str, **_: Any) -> None:
    if context := _open.pop(task_id, None):
        context.__exit__(None, None, None)
