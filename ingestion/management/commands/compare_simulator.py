"""`manage.py compare_simulator`: compare what is stored with what the simulator has, row for row."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from ingestion.management.commands._comparison import Comparison, Difference
from ingestion.models import Connection
from ingestion.providers.google_health.client import GoogleHealth
from ingestion.sync import planning


class Command(BaseCommand):
    help = (
        "Compare the store with the simulator's ground truth for every connected participant: by source, metric, time "
        "and value, nights by their id. Exit status 1 on any difference."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--trial", metavar="TRIAL", help="code of a trial (default: all)")
        parser.add_argument("--until", type=dt.datetime.fromisoformat, help="an instant (default: now)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.GOOGLE_SIMULATOR_URL:
            raise CommandError("GOOGLE_SIMULATOR_URL is not set: there is nothing to compare with.")
        now = options["until"] or timezone.now()
        connected = Connection.objects.filter(provider=GoogleHealth.slug).exclude(external_user_id="")
        if options["trial"]:
            connected = connected.filter(trial__code=options["trial"])
        differences: dict[str, Difference] = defaultdict(Difference)
        with httpx.Client() as http:
            comparison = Comparison(http, settings.GOOGLE_SIMULATOR_URL)
            for connection in tqdm(connected.select_related("participant__trial"), unit="participant", disable=None):
                try:
                    for interval in planning.collectable(connection, now):
                        for metric, difference in comparison.compare(connection, *interval).items():
                            differences[metric] += difference
                except httpx.HTTPError as error:
                    raise CommandError(f"The simulator does not answer: {type(error).__name__}.") from error
        if self._report(connected.count(), differences):
            raise CommandError("The store differs from the simulator's ground truth.")

    def _report(self, participants: int, differences: dict[str, Difference]) -> bool:
        """Print the table; returns whether anything differs."""
        total = Difference()
        line = "{:28} {:>14} {:>10} {:>10} {:>10}"
        self.stdout.write(line.format(f"{participants} participants", "rows", "missing", "extra", "wrong"))
        for metric, difference in [*sorted(differences.items()), ("in all", total)]:
            self.stdout.write(
                line.format(
                    metric,
                    *(f"{n:,}" for n in (difference.rows, difference.missing, difference.extra, difference.wrong)),
                )
            )
            if difference is not total:
                total += difference
        for metric, difference in sorted(differences.items()):
            for example in difference.examples:
                self.stdout.write(f"  {metric}: {example}")
        return not total.none
