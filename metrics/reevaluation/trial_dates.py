"""Re-evaluation of a trial's days after its dates or its status changed."""

from __future__ import annotations

import logging

from kombu.exceptions import OperationalError

from participants.task_queue import enqueue

log = logging.getLogger(__name__)


def trial_changed(trial_id: int) -> None:
    """Have a trial re-evaluated. Without a broker it comes with the hour."""
    try:
        enqueue("metrics.judge_trial", trial_id)
    except OperationalError:
        log.warning(
            "trial %s could not be queued to be evaluated, the broker is away: it comes with the hour", trial_id
        )
