"""Settings of gunicorn. The address, the workers and the threads come from the environment where they are set.

A page is some dozens of short queries with Python between them, and after each query a thread must win the
interpreter back from the others of its process. Few threads in more processes than cores, and short turns, keep that
wait small: `make bench-load` says by how much (docs/capacity.md).
"""

import os
import sys
import threading
from pathlib import Path
from typing import Any

from gunicorn.http import wsgi  # type: ignore[import-untyped]  # it brings no types

# The Server header: whose software it is helps nobody but who looks for its faults.
wsgi.SERVER = "web"
# A fifth of Python's own.
SWITCH_SECONDS = 0.001
bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT') or '8000'}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "4"))
threads = int(os.environ.get("WEB_THREADS", "4"))
timeout = 60
SIGN_OF_LIFE_SECONDS = 5
# Seconds that running requests have when it is told to stop.
graceful_timeout = int(os.environ.get("WEB_GRACE_SECONDS", "5"))
keepalive = 5
# A worker is renewed now and then, so that a leak stays small; not all at the same moment.
max_requests = 20_000
max_requests_jitter = 2_000
accesslog = "-"
errorlog = "-"
# Our own form, without people's addresses, questions and links.
logger_class = "config.observability.gunicorn_log.RequestLog"
# The heartbeat file must not lie on a disk that can stall.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  a heartbeat without content
control_socket_disable = True


def on_starting(server: Any) -> None:
    """Make the folder of counters before the workers fork."""
    from config.observability import multiprocess

    multiprocess.begin()


def post_fork(server: Any, worker: Any) -> None:
    """Set the thread switch interval: how long a busy thread keeps the others of its process waiting.

    A worker that is still loading the product on a busy machine is not one that hangs: it is not ended at `timeout`.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    worker.loaded = threading.Event()
    threading.Thread(target=_loading, args=(worker,), daemon=True).start()


def _loading(worker: Any) -> None:
    while not worker.loaded.wait(SIGN_OF_LIFE_SECONDS):
        worker.notify()


def post_worker_init(worker: Any) -> None:
    """Start the worker's own signs of life."""
    worker.loaded.set()


def child_exit(server: Any, worker: Any) -> None:
    """Drop the gauges that only living processes count."""
    from config.observability import multiprocess

    multiprocess.ended(worker.pid)
