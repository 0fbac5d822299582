"""`manage.py subject_export`: writes everything that is kept about one participant, for their right of access."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from participants.models import Participant
from participants.privacy.subject_access import FolderTaken, subject_archive, subject_export


class Command(BaseCommand):
    help = "Write everything that is kept about one participant into a folder, name and health data included."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("trial", help="the trial's code")
        parser.add_argument("study_id")
        parser.add_argument("--out", required=True, type=Path, help="folder in which the participant's is made")
        parser.add_argument("--zip", action="store_true", help="one ZIP file in place of a folder")
        parser.add_argument("--reason", default="", help="for the audit trail, e.g. their request of a date; no names")

    def handle(self, *args: Any, **options: Any) -> None:
        participants = Participant.objects.filter(trial__code=options["trial"]).with_study_id(options["study_id"])
        participant = participants.exclude(status=Participant.Status.ERASED).select_related("trial").first()
        if participant is None:
            raise CommandError(f"There is no participant {options['study_id']} in a trial {options['trial']}.")
        try:
            if options["zip"]:
                self.stdout.write(str(subject_archive(participant, options["out"], reason=options["reason"])))
                return
            written = subject_export(participant, options["out"], reason=options["reason"])
        except (FolderTaken, OSError) as error:
            raise CommandError(str(error)) from None
        for name, rows in written.rows.items():
            self.stdout.write(f"{rows:>12,}  {name}")
        self.stdout.write(str(written.folder))
