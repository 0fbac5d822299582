"""Handing a task to Celery where the work is stored already: without a broker it is only done later."""

from __future__ import annotations

import logging

from celery import Task
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def hand_over(task: Task, pk: int) -> bool:
    """Queue a task for a row. False: the broker is away, and the row waits for beat to find it."""
    try:
        task.delay(pk)
    except OperationalError:
        log.warning("%s could not be queued, the broker is away: it will be found by the next tick", task.name)
        return False
    return True
