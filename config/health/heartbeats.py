"""Heartbeats of workers, from a thread of their own: neither a long task nor a full queue silences them."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from celery.signals import worker_ready, worker_shutting_down
from django.conf import settings
from django.db import Error, connection

from ingestion import heartbeats
from ingestion.models import Heartbeat

log = logging.getLogger(__name__)

# By the queue that a worker serves.
KINDS = {"celery": Heartbeat.Kind.SYNC, "exports": Heartbeat.Kind.EXPORTS}


class Beats:
    """The thread of one worker, which may serve several kinds of queue."""

    def __init__(self, node: str, queues: set[str]) -> None:
        self.node = node
        self.names = {kind: f"{kind}:{node}:{os.getpid()}" for queue, kind in KINDS.items() if queue in queues}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="heartbeat")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Asked to end: nobody need miss this one. Waits a moment for the database to be told."""
        self._stop.set()
        self._thread.join(2)

    def _run(self) -> None:
        while True:
            self._tell(stopping=self._stop.is_set())
            if self._stop.is_set():
                return
            self._stop.wait(settings.HEARTBEAT_SECONDS)

    def _tell(self, *, stopping: bool) -> None:
        try:
            for kind, name in self.names.items():
                if stopping:
                    heartbeats.gone(name)
                else:
                    heartbeats.beat(name, kind, self.node)
        except Error as error:
            log.warning("the heartbeat could not be written: %s", type(error).__name__)
        finally:
            connection.close()  # rarely used, and children that are forked later must not inherit it


_beats: list[Beats] = []


@worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
def begin(sender: Any, **_: Any) -> None:
    if _beats:  # the broker came back
        return
    beats = Beats(str(sender.hostname), {queue.name for queue in sender.task_consumer.queues})
    _beats.append(beats)
    beats.start()


@worker_shutting_down.connect(weak=False)  # type: ignore[untyped-decorator]
def end(**_: Any) -> None:
    while _beats:
        _beats.pop().stop()
