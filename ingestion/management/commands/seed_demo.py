"""`manage.py seed_demo`: make the demo trial, or bring it up to date. Safe to run at every start."""

from __future__ import annotations

import datetime as dt
import time
from itertools import groupby
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from ingestion.demo import live as demo_live
from ingestion.demo import trial as demo_trial
from ingestion.models import SyntheticDevice
from ingestion.providers.base.synthetic import SyntheticUnavailable
from participants.models import Trial
from participants.privacy.demo_contacts import demo_contacts_ensure


class Command(BaseCommand):
    help = "Make the demo trial with synthetic participants, or complete and extend the one there is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--password", help=f"for the demo's users; those made without one get {demo_trial.PASSWORD}"
        )
        parser.add_argument("--participants", type=int, default=24)
        parser.add_argument("--days", type=int, default=30, help="how far back a new demo begins (default 30)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["participants"] < 1 or options["days"] < 1:
            raise CommandError("--participants and --days must be 1 or more.")
        now = timezone.now()
        try:
            trial = demo_trial.demo_ensure(
                now=now,
                password=options["password"],
                participants=options["participants"],
                days=options["days"],
            )
            if settings.LIVE_PROVIDERS:
                demo_trial.demo_to_invite_ensure(trial, after=options["participants"])
            demo_contacts_ensure(trial)
            self.stdout.write(f"{trial.code}: {trial.participants.count()} participants since {trial.starts_on}")
            total = self._feed(trial, now)
            self._tell(trial, now, after=options["participants"] + demo_trial.TO_INVITE)
        except (demo_trial.DemoRefused, SyntheticUnavailable) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(self.style.SUCCESS(f"{trial.code} is up to date: {total:,} new measurements"))

    def _tell(self, trial: Trial, now: dt.datetime, *, after: int) -> None:
        """Report what the devices do not show: who is paused, who has left, who is connected to the live vendor."""
        began = time.monotonic()
        connected = demo_live.demo_live_ensure(trial, after=after, now=now)
        demo_trial.demo_stories_ensure(trial, now=now)
        if connected:
            took = time.monotonic() - began
            self.stdout.write(f"  live sync: {', '.join(connected)} through the simulator in {took:.1f} s")

    def _feed(self, trial: Trial, now: dt.datetime) -> int:
        """Feed the demo, a line for each week of everybody; on a terminal a bar as well, of the participants in it."""
        total, people = 0, SyntheticDevice.objects.filter(participant__trial=trial).count()
        for turn, steps in groupby(demo_trial.demo_feed(trial, now=now), key=lambda progress: progress.round):
            began, new, fed, busy = time.monotonic(), 0, 0, 0
            name = f"week {turn}, counted back" if turn > 1 else "newest week"
            for progress in tqdm(steps, desc=name, total=people, unit="participant", leave=False, disable=None):
                busy += progress.busy
                if progress.step is not None:
                    fed, new = fed + 1, new + progress.step.counts.new
            total += new
            if fed or busy:
                left = f", {busy} left to a worker that is at them" if busy else ""
                took = time.monotonic() - began
                self.stdout.write(f"  {name}: {fed} participants, {new:,} measurements in {took:.1f} s{left}")
                self.stdout.flush()
        return total
