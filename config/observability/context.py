"""Log context: the request or Celery task that code runs for, also passed on to the tasks that it starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

REQUEST: ContextVar[str] = ContextVar("request_id", default="")
TASK: ContextVar[tuple[str, str]] = ContextVar("task", default=("", ""))  # its id and its name


@contextmanager
def request(request_id: str) -> Iterator[None]:
    token = REQUEST.set(request_id)
    try:
        yield
    finally:
        REQUEST.reset(token)


def current() -> dict[str, str]:
    """The ids that there are, by the names under which logs give them."""
    task_id, task = TASK.get()
    ids = {"request_id": REQUEST.get(), "task_id": task_id, "task": task}
    return {name: value for name, value in ids.items() if value}
