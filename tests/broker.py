"""Celery's broker of the tests: kombu's own, in memory. What was sent waits in it, and no worker takes it."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kombu.transport.memory import Channel

from config.celery import app

IN_MEMORY = "memory://localhost"
# Nothing listens there, so that a connection is refused at once.
NOBODY = "redis://127.0.0.1:1/0"


@dataclass(frozen=True, slots=True)
class Message:
    """Message of a task: its name, what it is given, the queue it waits in, and not before when it is to run."""

    task: str
    args: tuple[Any, ...]
    queue: str
    at: dt.datetime | None


def connect(url: str) -> None:
    """Have the application send to the broker at this address from now on."""
    app.conf.broker_url = url
    app._after_fork()  # forgets its pools of connections


@contextmanager
def away() -> Iterator[None]:
    """The broker is away: what is sent is refused."""
    connect(NOBODY)
    try:
        yield
    finally:
        connect(IN_MEMORY)


@contextmanager
def tasks_run_at_once(at_once: bool = True) -> Iterator[None]:
    """What is sent is run by the sender, as if a worker had taken it at once; or waits again, where it did."""
    before, app.conf.task_always_eager = app.conf.task_always_eager, at_once
    try:
        yield
    finally:
        app.conf.task_always_eager = before


def messages() -> list[Message]:
    """Messages that wait, in the order in which they were sent to each queue."""
    found = []
    for name, queue in Channel.queues.items():
        for message in list(queue.queue):
            headers, (args, _, _) = message["headers"], json.loads(base64.b64decode(message["body"]))
            at = dt.datetime.fromisoformat(headers["eta"]) if headers["eta"] else None
            found.append(Message(headers["task"], tuple(args), name, at))
    return found


def sent(task: str) -> list[tuple[Any, ...]]:
    """What the task with this name was given, each time that it was sent."""
    return [message.args for message in messages() if message.task == task]


def clear() -> None:
    for queue in Channel.queues.values():
        queue.queue.clear()
