"""Which request, or which task of Celery's, the code runs for: for its log lines, and passed on with what it starts."""

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
    found = {"request_id": REQUEST.get(), "task_id": task_id, "task": task}
    return {name: value for name, value in found.items() if value}
