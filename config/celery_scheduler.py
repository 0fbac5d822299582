"""Celery scheduler that keeps its lease in PostgreSQL: of any number, one sends what is due; another follows it.

The lease is a row in PostgreSQL (ingestion.heartbeats), renewed several times before it runs out. Who cannot renew it
stops sending before another may take it: its own clock is started before the question is sent. Beat's sends are no
more than wishes that the tasks read the database anyhow, so that one that was on its way at that moment does no harm.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import socket
import time
import uuid
from typing import Any

from celery.beat import ScheduleEntry, Scheduler, SchedulingError
from django.conf import settings
from django.db import Error, connection
from kombu.exceptions import OperationalError

from ingestion import heartbeats

log = logging.getLogger(__name__)

# In a lease's length: how often it is renewed and, by who waits, asked for.
RENEWALS = 6
# Seconds until a broker that is away is tried again.
BROKER_PAUSE = 2.0


def let_go() -> None:
    """Close the connection: it is needed now and then, and one that broke must not be used again."""
    connection.close()


class Lease:
    """Lease of this process on the schedule."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.pause = seconds / RENEWALS
        self._until = 0.0  # of the monotonic clock
        self._asked = float("-inf")
        self._held = False

    @property
    def certain(self) -> bool:
        """Whether nobody else can have it. A renewal that is due is not waited for."""
        return time.monotonic() < self._until

    def hold(self) -> dt.datetime | None:
        """Renew it or try to take it, as often as is needed.

        Returns the instant of the last holder's last renewal where it was taken just now, None otherwise.
        """
        now = time.monotonic()
        if now - self._asked < self.pause:
            return None
        self._asked = now
        try:
            before = heartbeats.lease_take(self.holder, dt.timedelta(seconds=self.seconds))
        except Error as error:
            log.warning("the scheduler's lease could not be asked for: %s", type(error).__name__)
            return None
        finally:
            let_go()
        if before is None:
            if self._held:
                log.warning("another scheduler has taken over")
            self._until, self._held = 0.0, False
            return None
        taken = before if not self.certain else None
        # From before the question was asked: the database's own count began later.
        self._until, self._held = now + self.seconds, True
        return taken

    def release(self) -> None:
        """Leave it to another at once, as far as the database can be told."""
        self._until = 0.0
        if self._held:
            self._held = False
            try:
                heartbeats.lease_release(self.holder)
            except Error as error:
                log.warning("the scheduler's lease runs out by itself: %s", type(error).__name__)
            finally:
                let_go()


class LeasedScheduler(Scheduler):  # type: ignore[misc]  # Celery has no types
    """The schedule in memory, as before: what is due stands in PostgreSQL."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.lease = Lease(settings.SCHEDULER_LEASE_SECONDS)
        self._ticking = False
        self._unsent = False
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Seconds until the next."""
        self._ticking = True
        try:
            return self._tick(*args, **kwargs)
        finally:
            self._ticking = False

    def _tick(self, *args: Any, **kwargs: Any) -> float:
        taken = self.lease.hold()
        if not self.lease.certain:
            return self.lease.pause
        if taken:
            self._follow(taken)
        self._unsent = False
        try:
            self.producer  # noqa: B018  connects: once an entry is taken from the heap, a fault would lose it
            pause = float(super().tick(*args, **kwargs))
        except OperationalError:
            self._unsent = True
        if self._unsent:
            log.warning("nothing can be sent, the broker is away")
            pause = BROKER_PAUSE
        return min(pause, self.lease.pause)

    def _follow(self, since: dt.datetime) -> None:
        """Go on where the last one stopped: what came due since its last renewal is sent, and nothing twice."""
        log.info("this scheduler sends what is due, from %s on", since.isoformat(timespec="seconds"))
        for entry in self.schedule.values():
            entry.last_run_at = since
        self._heap = None

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Send; what could not be sent stays due, so that an hour's or a day's entry is not left out."""
        if not self.lease.certain:
            log.warning("%s is left to another scheduler: the lease ran out", entry.name)
            return
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as fault:
            log.warning("%s stays due: %s", entry.name, type(fault.__cause__ or fault).__name__)
            self.schedule[entry.name] = entry
            self._heap, self._unsent = None, True

    def _ensure_connected(self) -> Any:
        """Connect to the broker with one attempt: who waits for the broker here loses the lease."""
        return self.connection.ensure_connection(max_retries=1, interval_start=0, timeout=1)

    def close(self) -> None:
        """Celery calls it from a signal's handler, which may have stopped a question to the database; then again."""
        try:
            super().close()
        finally:
            if not self._ticking:
                self.lease.release()
