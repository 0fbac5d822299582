"""Health checks of each part. Each returns a sentence that says what is wrong, or nothing.

No sentence holds a host's name, an address or anything about a person: the response is read by whoever asks.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from config.health import sql

Cursor = psycopg.Cursor[Any]
PATIENCE = 2.0  # seconds for a server's answer
# A connection of its own: none of a pool that hangs, and a server that takes no more connections is noticed.
CONNECTING = {
    "connect_timeout": int(PATIENCE),
    "tcp_user_timeout": int(2_000 * PATIENCE),
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
}
# Set in Redis once, when it is empty.
MARK = "wearable:since"
# Less room than this for exports, and the next may not fit.
LEAST_BYTES = 500 * 2**20
# An e-mail that has been due for so long is stuck: beat asks for them each minute.
MAIL_MINUTES = 15
# From this share of the connections that have something to ask, it is the vendor and not somebody's account.
VENDOR_SHARE = 0.5
# Who was served so many beats ago (ten minutes) says nothing about the vendor any more.
VENDOR_BEATS = 20


def connect() -> psycopg.Connection[Any]:
    """A connection that nothing else uses. Raises psycopg.OperationalError within some seconds."""
    return psycopg.connect(**{**connection.get_connection_params(), **CONNECTING}, autocommit=True)


def database(cursor: Cursor) -> str:
    cursor.execute(sql.ALIVE)
    return ""


@cache
def newest_migrations() -> frozenset[tuple[str, str]]:
    """The last migration of each app, as the program's files have them."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def migrations(cursor: Cursor) -> str:
    cursor.execute(sql.MIGRATIONS)
    if newest_migrations() <= {(app, name) for app, name in cursor}:
        return ""
    return "The database's tables are older than the program: run `manage.py migrate`."


def storage(cursor: Cursor) -> str:
    """Writes a row, and a megabyte that a full disk would not take: the row may fit where no table can grow."""
    cursor.execute(sql.STANDBY)
    if (cursor.fetchone() or [True])[0]:
        return "The database takes no writes: it is a standby."
    cursor.execute(sql.BEAT)
    cursor.execute(sql.LITTLE_MEMORY)
    cursor.execute(sql.FILL)
    return ""


def beats(kind: str, who: str) -> Callable[[Cursor], str]:
    """Whether somebody of that kind was heard of lately."""

    def check(cursor: Cursor) -> str:
        cursor.execute(sql.SINCE_BEAT, [kind])
        seconds = (cursor.fetchone() or [None])[0]
        if seconds is None:
            return f"No {who} has been heard of."
        if seconds > settings.HEARTBEAT_STALE_SECONDS:
            return f"No {who} has been heard of for {_span(seconds)}."
        return ""

    return check


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"


def vendor(cursor: Cursor) -> str:
    """Share of the lately served connections that the vendor put off or did not answer."""
    cursor.execute(sql.VENDOR, [VENDOR_BEATS * settings.HEARTBEAT_SECONDS])
    troubled, total = cursor.fetchone() or (0, 0)
    if total and troubled / total >= VENDOR_SHARE:
        return f"{troubled} of {total} connections get no answer of their vendor; they are asked again by themselves."
    return ""


def mail(cursor: Cursor) -> str:
    cursor.execute(sql.STUCK_EMAILS, [MAIL_MINUTES])
    stuck = (cursor.fetchone() or [0])[0]
    return f"{stuck} e-mails should have left more than {MAIL_MINUTES} minutes ago." if stuck else ""


def redis_answers() -> str:
    """Whether it answers, and whether it still holds what it did: a mark in it that is new says that it began empty.

    Raises redis.RedisError.
    """
    url = settings.REDIS_URL.replace("redis+socket://", "unix://")
    with redis.Redis.from_url(url, socket_connect_timeout=PATIENCE / 2, socket_timeout=PATIENCE / 2) as client:
        now = time.time()
        marked = now if client.set(MARK, now, nx=True) else float(client.get(MARK) or now)
    if now - marked < settings.HEARTBEAT_STALE_SECONDS:
        return f"Redis began empty {_span(now - marked)} ago: what was queued before is queued again by itself."
    return ""


def disk() -> str:
    """Room where this process keeps exports. Raises OSError."""
    folder = Path(settings.EXPORT_FOLDER)
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        return "The folder of exports cannot be written to."
    free = shutil.disk_usage(folder).free
    return f"Only {free / 2**20:.0f} MB are left for exports." if free < LEAST_BYTES else ""
