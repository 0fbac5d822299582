"""`manage.py store_hypertables`: after a move from plain PostgreSQL to TimescaleDB."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from metrics.storage.hypertables import NoTimescale, convert


class Command(BaseCommand):
    help = (
        "Make hypertables of large tables that were loaded before TimescaleDB came, with their rows. Stop the workers "
        "first: each table is locked while its rows move, and needs its size on the disk once more."
    )

    def handle(self, **options: Any) -> None:
        begun = time.monotonic()
        done = 0
        try:
            for table in convert():
                self.stdout.write(f"{table} is a hypertable now ({time.monotonic() - begun:.0f} s).")
                done += 1
        except NoTimescale as fault:
            raise CommandError(str(fault)) from None
        except OperationalError as fault:
            raise CommandError(f"Stopped, and the table is as it was: {fault} Do workers still run?") from fault
        if not done:
            self.stdout.write("Nothing to do: the large tables are hypertables.")
