"""`manage.py delete_measurements TRIAL STUDY_ID --source N`: delete what one source brought of a participant."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from ingestion.source_deletion import delete_of_source, would_come_again
from metrics.corrections.data_deletion import DeletionRefused, Selection, deletion_run, going, sources_of
from participants.models import Participant
from participants.user_input import day_argument


class Command(BaseCommand):
    help = (
        "Delete a participant's measurements of one source: for what is wrong and cannot be put right otherwise. Says "
        "what would go unless told to do it."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("trial", help="code of the trial")
        parser.add_argument("study_id", metavar="STUDY_ID")
        parser.add_argument("--source", type=int, metavar="N", help="number of the source; without it: list them")
        parser.add_argument("--metric", default="", metavar="CODE", help="one metric, sleep or exercise; without: all")
        parser.add_argument("--from", dest="first", type=day_argument, metavar="DATE", help="first local date")
        parser.add_argument("--to", dest="last", type=day_argument, metavar="DATE", help="last local date")
        parser.add_argument("--reason", default="", help="for the audit trail: no names, no diagnoses")
        parser.add_argument("--confirm", action="store_true", help="do it; without this nothing is changed")

    def handle(self, *args: Any, **options: Any) -> None:
        people = Participant.objects.select_related("trial").filter(trial__code=options["trial"])
        participant: Participant | None = people.with_study_id(options["study_id"]).first()
        if participant is None:
            raise CommandError(f"There is no participant {options['study_id']} in a trial {options['trial']}.")
        sources = {source.pk: source for source in sources_of(participant)}
        if options["source"] is None:
            for pk, source in sorted(sources.items()):
                self.stdout.write(f"{pk:>6}  {source}")
            return
        if options["source"] not in sources:
            raise CommandError(f"Nothing of {participant} is stored from a source {options['source']}.")
        if options["confirm"] and not options["reason"].strip():
            raise CommandError("--reason: say why, for the audit trail.")
        source = sources[options["source"]]
        selection = Selection(participant, source, options["metric"], options["first"], options["last"])
        try:
            self._tell(selection)
            if options["confirm"]:
                self._delete(selection, options["reason"])
        except DeletionRefused as refused:
            raise CommandError(str(refused)) from None
        except ValidationError as refused:
            raise CommandError("; ".join(refused.messages)) from None

    def _tell(self, selection: Selection) -> None:
        self.stdout.write(f"{selection.participant}, {selection.source}:")
        for affected in going(selection):
            self.stdout.write(f"  {affected.name}: {affected.rows:,} rows, {affected.first} to {affected.last}")
        if why := would_come_again(selection):
            self.stdout.write(self.style.WARNING(why))
        self.stdout.write("Nothing was changed yet: this is what --confirm deletes.")

    def _delete(self, selection: Selection, reason: str) -> None:
        row = delete_of_source(selection, by=None, reason=reason)
        total = sum(affected.rows for affected in going(selection))
        with tqdm(total=total, unit="row", unit_scale=True, file=sys.stderr, desc="Deleting", disable=None) as bar:
            deletion_run(row.pk, bar.update)
        row.refresh_from_db()
        more = "" if row.finished_at else " A worker goes on with the rest."
        self.stdout.write(f"{row.rows:,} rows were deleted.{more}")
