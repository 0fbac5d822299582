"""Django's `migrate`, one at a time in a database: of hosts that start together the second waits, and finds it done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import OutputWrapper
from django.core.management.commands.migrate import Command as Migrate
from django.db import connections, transaction

from config.db.base import LOCK_DATABASE, TRY_LOCK_DATABASE

# Ours among advisory locks of one number.
LOCK = 1463_0007
KEEPER = "migration_lock"


class Command(Migrate):
    def handle(self, *args: Any, **options: Any) -> None:
        if options.get("plan") or options.get("check_unapplied"):
            super().handle(*args, **options)
            return
        with alone(str(options["database"]), self.stdout):
            super().handle(*args, **options)


@contextmanager
def alone(alias: str, out: OutputWrapper) -> Iterator[None]:
    """Hold the lock while migrations run. It belongs to a transaction of a connection of its own and not to a session:
    behind PgBouncer a session is not ours. That transaction sees nothing and so holds up nothing.
    """
    keeper = connections[alias].copy(KEEPER)
    connections[KEEPER] = keeper
    try:
        with transaction.atomic(using=KEEPER), keeper.cursor() as cursor:
            cursor.execute(TRY_LOCK_DATABASE, [LOCK])
            if not cursor.fetchone()[0]:
                out.write("Another host migrates this database: waiting for it.")
                cursor.execute(LOCK_DATABASE, [LOCK])
            yield
    finally:
        keeper.close()
        del connections[KEEPER]
