"""Writes off exports whose files lay on a disk that is gone for good: erasures no longer wait for it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from metrics.exports import folder_store
from metrics.models import Export, ExportFile
from participants import audit


class Command(BaseCommand):
    help = "The folder with this id (folder:...), which held exports, is gone for good. Only say so if it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", help="as the log and `check --database default` name it")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        folder: str = options["folder"]
        if not folder.startswith(folder_store.SCHEME) or folder == folder_store.mark():
            raise CommandError("Name a folder that is not this host's, as in folder:1b9d6bcd-...")
        lost = Export.objects.select_for_update().filter(store=folder)
        exports = list(lost.select_related("trial"))
        ExportFile.objects.filter(export__in=exports).delete()
        for export in exports:
            audit.record("export.lost", trial=export.trial, thing=f"export:{export.uuid}", new={"store": folder})
        Export.objects.filter(pk__in=[export.pk for export in exports], state=Export.State.DONE).update(
            state=Export.State.EXPIRED, error="Its files are lost: the disk that held them is gone."
        )
        Export.objects.filter(pk__in=[export.pk for export in exports]).update(store="")
        self.stdout.write(f"{len(exports)} exports are written off.")
