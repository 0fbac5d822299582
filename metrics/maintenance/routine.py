"""Nightly maintenance of the store: what makes it small and quick again after the day's writing.

The database's own policy compresses chunks that have become old. What it leaves is done here: chunks that late data
touched are compressed anew, those that the policy did not get to are compressed, and both are vacuumed and analysed.
Before that the chunks' length is fitted to the number of participants, and what a trial does not keep is deleted.

Safe while data come in: one chunk a transaction, a lock that is not had soon is left for the next night, and who wants
to write into the chunk meanwhile waits for that chunk alone.
"""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass, field

from django.conf import settings
from django.db import OperationalError, ProgrammingError, connection, transaction

from metrics.maintenance.retention import Removed, retain
from metrics.storage import sql as storage_sql
from metrics.storage.hypertables import SIZED, Chunk, chunks, resize, sending
from metrics.storage.timescale import Tier, compression_statements, tier

log = logging.getLogger(__name__)

# The policy runs twice a day: a chunk is left to it for so long.
GRACE = dt.timedelta(days=1)
# Chunks are begun for so long; the rest is done in the next night.
BUDGET = dt.timedelta(minutes=45)


@dataclass(slots=True)
class MaintenanceReport:
    """Report of what was done. `resized`: days a chunk before and now, by table; `left`: chunks locked or not reached.

    `removed`: samples that trials do not keep, by trial.
    """

    resized: dict[str, tuple[int, int]] = field(default_factory=dict)
    compressed: list[str] = field(default_factory=list)
    recompressed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    removed: list[Removed] = field(default_factory=list)

    def lines(self) -> list[str]:
        """In plain words, for a terminal and the log."""
        lines = [f"{table}: new chunks of {days} days, not {before}." for table, (before, days) in self.resized.items()]
        lines += [
            f"{removed.trial}: {removed.rows:,} samples from before {removed.cutoff:%Y-%m-%d} deleted, "
            f"{removed.chunks} whole chunks."
            for removed in self.removed
        ]
        lines += [f"Compressed {name}." for name in self.compressed]
        lines += [f"Compressed anew {name}." for name in self.recompressed]
        return [*lines, *(f"Left for the next time: {name}." for name in self.left)] or ["Nothing to do."]


def waiting(stored: list[Chunk], now: dt.datetime) -> list[Chunk]:
    """Chunks to compress anew, then those to compress that the policy should have had, each the oldest first."""
    old = now - dt.timedelta(days=settings.COMPRESS_AFTER_DAYS) - GRACE
    touched = [chunk for chunk in stored if chunk.partial]
    return [*touched, *(chunk for chunk in stored if not chunk.compressed and chunk.ends_at <= old)]


def maintain(now: dt.datetime, *, budget: dt.timedelta = BUDGET) -> MaintenanceReport:
    """Maintain the store: retention, chunk lengths, compression.

    Not inside a transaction: VACUUM is its own. Done twice at once it only takes longer.
    """
    done = MaintenanceReport(removed=retain(now))
    if settings.CHUNKS_BY_TRIAL_SIZE:
        done.resized = resize(sending())
    if tier() is not Tier.COMMUNITY:
        return done
    until = dt.datetime.now(dt.UTC) + budget
    for chunk in waiting(chunks(SIZED), now):
        if dt.datetime.now(dt.UTC) >= until or not compress(chunk):
            done.left.append(chunk.name)
            continue
        (done.recompressed if chunk.partial else done.compressed).append(chunk.name)
    return done


def compress(chunk: Chunk) -> bool:
    """Compress a chunk, or what came into it since, and have it vacuumed; False where somebody holds it."""
    statements = compression_statements()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(storage_sql.SHORT_LOCK)
            cursor.execute(statements.compress, [chunk.name])
    except (OperationalError, ProgrammingError) as fault:
        # A lock that was not had, or a deadlock, or the policy was quicker, which is no OperationalError: the next
        # night finds the chunk as it is now.
        if isinstance(fault, ProgrammingError) and "already" not in str(fault):
            raise
        log.warning("Chunk %s stays as it is: %s", chunk.name, str(fault).strip().splitlines()[0])
        return False
    tidy(chunk)
    return True


def tidy(chunk: Chunk) -> None:
    """Have a chunk vacuumed and analysed, and its index made anew where it is much larger than what it leads to."""
    with connection.cursor() as cursor:
        cursor.execute(storage_sql.VACUUM.format(chunk=chunk.name))
        cursor.execute(storage_sql.SWOLLEN, [chunk.name, chunk.name])
        swollen = cursor.fetchone()[0]
    if not swollen:
        return
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(storage_sql.SHORT_LOCK)
            cursor.execute(storage_sql.REINDEX.format(chunk=chunk.name))
    except OperationalError as fault:
        log.warning("The index of %s stays as it is: %s", chunk.name, str(fault).strip().splitlines()[0])
