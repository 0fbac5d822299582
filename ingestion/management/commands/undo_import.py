"""`manage.py undo_import TRIAL [IMPORT...]`: undo imports of files. See docs/importing.md."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from ingestion.file_imports.undo import CannotUndo, check, stored_by, undo_begin, undo_run
from ingestion.models import ImportFile
from participants.models import Trial

LISTED = 40


class Command(BaseCommand):
    help = "Undo imports: what they stored goes, what they changed comes back. Says what would go unless told to do it."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("trial", help="code of the trial")
        parser.add_argument(
            "imports", nargs="*", type=int, metavar="IMPORT", help="numbers of imports; none: list the latest"
        )
        parser.add_argument("--reason", default="", help="for the audit trail: no names, no diagnoses")
        parser.add_argument("--confirm", action="store_true", help="do it; without this nothing is changed")

    def handle(self, *args: Any, **options: Any) -> None:
        trial = Trial.objects.filter(code=options["trial"]).first()
        if trial is None:
            raise CommandError(f"There is no trial {options['trial']!r}.")
        if not options["imports"]:
            self._list(trial)
            return
        if options["confirm"] and not options["reason"].strip():
            raise CommandError("--reason: say why, for the audit trail.")
        files = ImportFile.objects.filter(trial=trial).in_bulk(options["imports"])
        if unknown := [str(pk) for pk in options["imports"] if pk not in files]:
            raise CommandError(f"There is no import {', '.join(unknown)} in {trial}.")
        records = [files[pk] for pk in dict.fromkeys(options["imports"])]
        try:
            for record in records:
                check(record)
                self._tell(record)
            if not options["confirm"]:
                self.stdout.write("Nothing was changed: this is what --confirm would undo.")
                return
            for record in records:
                self._undo(record, options["reason"])
        except CannotUndo as refused:
            raise CommandError(f"Import {record.pk} ({record.name}): {refused}") from refused

    def _list(self, trial: Trial) -> None:
        for record in ImportFile.objects.filter(trial=trial)[:LISTED]:
            when = timezone.localtime(record.started_at)
            self.stdout.write(f"{record.pk:>8}  {when:%Y-%m-%d %H:%M}  {record.get_status_display():16}  {record.name}")

    def _tell(self, record: ImportFile) -> None:
        self.stdout.write(f"Import {record.pk}: {record.name}")
        for stored in stored_by(record):
            self.stdout.write(f"  {stored}")

    def _undo(self, record: ImportFile, reason: str) -> None:
        undo_begin(record, reason=reason)
        with tqdm(
            total=record.parts.count(), unit="part", file=sys.stderr, desc=f"Undoing {record.pk}", disable=None
        ) as bar:
            done = undo_run(record.pk, bar.update)
        self.stdout.write(
            f"Import {record.pk} is undone: {done.removed:,} rows removed, {done.restored:,} have their old value "
            f"again, {done.left:,} stay, for something else has changed them since."
        )
