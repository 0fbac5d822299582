"""Handing work to Celery that is stored already: without a broker it is only done later."""

from __future__ import annotations

import logging
from collections.abc import Callable

from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def hand_over(send: Callable[[int], object], pk: int) -> bool:
    """Send the message for a row. False: the broker is away, and the row waits for beat to find it."""
    try:
        send(pk)
    except OperationalError:
        log.warning("row %s could not be queued, the broker is away: a later tick will find it", pk)
        return False
    return True
