"""Head of the hash chain, kept outside the database too: who rolls the database back does not reach it.

A small file, or an object of a bucket (settings.AUDIT_HEAD), with the last position and its mac for each
database: by the cluster's identifier and the database's number, which a restore of the whole cluster keeps. Of files,
each host has its own, with the checkpoint it made last.
"""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from participants import sql
from participants.s3 import SCHEME, Bucket, Missing, StoreFault

NAME = "audit_head.json"  # in a bucket
Head = tuple[int, str]


class Unreadable(Exception):
    """Error: the kept head is there and cannot be read. The message says where, and why."""


def kept() -> Head | None:
    """Position and mac that were kept of this database; None where there are none yet. Raises Unreadable."""
    row = _all().get(_database())
    return (int(row["position"]), str(row["mac"])) if row else None


def keep(head: Head, *, instead: bool = False) -> None:
    """Keep a head, on the disk when this returns. An earlier one than is kept is not: only `instead`, after a restore.

    Raises Unreadable, OSError, StoreFault.
    """
    database, heads = _database(), {} if instead and not _readable() else _all()
    if not instead and database in heads and int(heads[database]["position"]) >= head[0]:
        return
    at = timezone.now().isoformat(timespec="seconds")
    heads[database] = {"position": head[0], "mac": head[1], "at": at}
    content = json.dumps(heads, indent=1).encode()
    if _is_bucket():
        Bucket(settings.AUDIT_HEAD).put(NAME, content)
        return
    path = Path(settings.AUDIT_HEAD)
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    making.replace(path)


def _is_bucket() -> bool:
    return str(settings.AUDIT_HEAD).startswith(f"{SCHEME}://")


def _readable() -> bool:
    try:
        _all()
    except Unreadable:
        return False
    return True


def _all() -> dict[str, Any]:
    """The kept heads, by database."""
    try:
        if _is_bucket():
            with closing(Bucket(settings.AUDIT_HEAD).open(NAME)) as file:
                text = file.read().decode()
        else:
            text = Path(settings.AUDIT_HEAD).read_text()
        heads = json.loads(text)
        for head in heads.values():
            int(head["position"]), str(head["mac"])
    except (FileNotFoundError, Missing):
        return {}
    except (OSError, StoreFault, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise Unreadable(f"{settings.AUDIT_HEAD}: {fault}") from fault
    return dict(heads)


def _database() -> str:
    """Which database this is: not by its name, which can be given to another."""
    with connection.cursor() as cursor:
        cursor.execute(sql.DATABASE)
        number = cursor.fetchone()[0]
        cursor.execute(sql.MAY_KNOW_CLUSTER)
        cluster = "unknown"
        if cursor.fetchone()[0]:
            cursor.execute(sql.CLUSTER)
            cluster = cursor.fetchone()[0]
    return f"{cluster}/{number}"
