"""Task queue: hands work to Celery by the task's name, so that the caller need not import it.

What is handed over is stored already: without a broker it is only done later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from celery import current_app
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def enqueue(name: str, *args: object, countdown: float | None = None) -> None:
    """Send the message of a task; `countdown`: to be run after so many seconds.

    Raises kombu's OperationalError where the broker is away, KeyError where there is no such task.
    """
    task = current_app.tasks[name]  # each app's tasks are imported when Django starts (its apps.py)
    if countdown is None:
        task.delay(*args)
    else:
        task.apply_async(args, countdown=countdown)


def hand_over(send: Callable[[int], object], pk: int) -> bool:
    """Send the message for a row. False: the broker is away, and the row waits for beat to find it."""
    try:
        send(pk)
    except OperationalError:
        log.warning("row %s could not be queued, the broker is away: a later tick will find it", pk)
        return False
    return True
