"""Write an export into a folder from the command line: the same files as by the pages, for who runs the server."""

from __future__ import annotations

import shutil
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from metrics.exports import export_request, runner, service, store
from metrics.models import Export
from participants.models import Trial, User
from participants.s3 import StoreFault
from participants.user_input import day_argument


class Command(BaseCommand):
    help = "Export a trial's data in the name of a user: of the participants whom that user sees."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("trial")
        parser.add_argument("--user", required=True, help="e-mail address of the user who asks")
        parser.add_argument("--out", required=True, type=Path, help="a folder that does not exist yet")
        parser.add_argument("--format", choices=export_request.FORMATS, default="parquet")
        parser.add_argument("--participants", nargs="*", metavar="STUDY_ID")
        parser.add_argument("--metrics", nargs="*", metavar="CODE")
        parser.add_argument("--sources", nargs="*", type=int, metavar="ID")
        parser.add_argument("--from", dest="start_on", type=day_argument, help="first date, YYYY-MM-DD")
        parser.add_argument("--to", dest="end_on", type=day_argument, help="last date")
        parser.add_argument("--dates", dest="clock", choices=Export.Clock.values, default="local")
        parser.add_argument("--compression", choices=Export.Compression.values, default="gzip", help="of text formats")
        parser.add_argument("--plain", action="store_true", help="text formats without compression")

    def handle(self, *args: Any, **options: Any) -> None:
        out: Path = options["out"]
        if out.exists():
            raise CommandError(f"{out} exists already.")
        try:
            user = User.objects.by_address(options["user"]).get()
            trial = Trial.objects.visible_to(user).get(code=options["trial"])
        except (User.DoesNotExist, Trial.DoesNotExist):
            raise CommandError("There is no such user, or they are not a member of such a trial.") from None
        names = ("format", "participants", "metrics", "sources", "start_on", "end_on", "clock", "compression")
        try:
            request = export_request.check(
                user, trial, **{n: options[n] for n in names}, compressed=not options["plain"]
            )
            export = service.create(user, request)
        except ValidationError as refused:
            raise CommandError("; ".join(refused.messages)) from None
        try:
            runner.export_run(export.pk)
        except (StoreFault, OSError, OperationalError) as fault:
            service.export_cancel(export)  # no worker is to go on with it
            raise CommandError(runner.hindrance(fault) or str(fault)) from fault
        export.refresh_from_db()
        if export.state != Export.State.DONE:
            raise CommandError(export.error or f"The export is {export.state}.")
        service.downloaded(export, "the whole, by the command line")
        for path in export.files.values_list("path", flat=True):
            target = out / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with store.open_file(export, path) as stored, target.open("wb") as file:
                shutil.copyfileobj(stored, file)
        self.stdout.write(f"{export.rows_done:,} rows in {export.files.count():,} files: {out}")
