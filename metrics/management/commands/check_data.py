"""`manage.py check_data`: whether the stored data keep what the product promises of them."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from metrics.maintenance import data_check
from participants.models import Participant, Trial


class Command(BaseCommand):
    help = (
        "Check what must hold of every participant-day: nothing outside the collection interval, daily values as their "
        "samples say, one status in every table. Changes nothing. Exit status 1 where something does not hold."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("trial", nargs="*", help="codes of trials; none: all of them")
        parser.add_argument("--participant", help="a study id, of one trial")
        parser.add_argument("--recent", action="store_true", help="only the last days, as each night")

    def handle(self, *args: Any, **options: Any) -> None:
        people = Participant.objects.exclude(status=Participant.Status.ERASED).select_related("trial").order_by("pk")
        if options["trial"]:
            known = set(Trial.objects.filter(code__in=options["trial"]).values_list("code", flat=True))
            if unknown := sorted(set(options["trial"]) - known):
                raise CommandError(f"There is no trial {', '.join(unknown)}.")
            people = people.filter(trial__code__in=known)
        if options["participant"]:
            people = people.filter(study_id__iexact=options["participant"])
            if not people.exists():
                raise CommandError(f"There is no participant {options['participant']}.")
        since = data_check.recent(timezone.now()) if options["recent"] else None
        count, findings = people.count(), 0
        for participant in tqdm(people.iterator(chunk_size=100), total=count, unit="participant", disable=None):
            for violation in data_check.check([participant], since=since):
                findings += 1
                on = f" on {violation.date}" if violation.date else ""
                self.stdout.write(
                    f"{violation.invariant}: {participant.trial.code} {violation.study_id}{on}: {violation.what}"
                )
        if findings:
            self.stdout.write(f"{findings:,} violations among {count:,} participants.")
            sys.exit(1)
        self.stdout.write(self.style.SUCCESS(f"All holds of {count:,} participants."))
