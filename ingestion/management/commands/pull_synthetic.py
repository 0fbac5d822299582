"""`manage.py pull_synthetic TRIAL STUDY_ID --device NAME --start DAY --end DAY`: a synthetic device for a demo."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from ingestion import synthetic
from ingestion.models import SyntheticDevice
from ingestion.providers.base.synthetic import SyntheticUnavailable
from metrics.monitoring import pending
from metrics.writing.writer import Counts, Frozen, SyntheticRefused
from participants.models import Participant
from participants.user_input import day_argument


class Command(BaseCommand):
    help = "Give a participant of a demo trial a synthetic device and take in its data. Needs SYNTHETIC=True."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("trial", metavar="TRIAL", help="code of a demo trial")
        parser.add_argument("study_id", metavar="STUDY_ID")
        parser.add_argument("--device", required=True, help="e.g. fitbit_sense; an unknown name lists them all")
        parser.add_argument("--start", required=True, type=day_argument, metavar="YYYY-MM-DD")
        parser.add_argument(
            "--end", required=True, type=day_argument, metavar="YYYY-MM-DD", help="the last day, included"
        )
        parser.add_argument("--seed", type=int, default=0, help="another seed is another participant (default 0)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.SYNTHETIC:
            raise CommandError("Synthetic data is switched off. Set SYNTHETIC=True to use it in demo trials.")
        if options["end"] < options["start"] or options["seed"] < 0:
            raise CommandError("--end must not lie before --start, nor --seed below 0.")
        now = timezone.now()
        try:
            device = self._device(options)
            participant, provider = synthetic.synthetic_participant_of(device), synthetic.provider_of(device.provider)
            until = provider.day_starts_at(participant, options["end"] + dt.timedelta(days=1))
            total = Counts()
            for step in tqdm(synthetic.device_pull(device.pk, now=now, until=until), unit="week", disable=None):
                total += step.counts
            pending.settle([device.participant_id])
        except (SyntheticUnavailable, Frozen, SyntheticRefused, synthetic.DeviceBusy, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{device}: {total.new:,} new measurements, {total.unchanged:,} unchanged, {total.sleep_new:,} new nights, "
            f"{sum(total.skipped.values()):,} markers of no value skipped"
        )

    def _device(self, options: dict[str, Any]) -> SyntheticDevice:
        participant = (
            Participant.objects.select_related("trial")
            .filter(trial__code=options["trial"])
            .with_study_id(options["study_id"])
            .first()
        )
        if participant is None:
            raise CommandError(f"There is no participant {options['study_id']} in a trial {options['trial']}.")
        try:
            provider = synthetic.provider_for(options["device"])
        except KeyError as error:
            raise CommandError(str(error.args[0])) from error
        provider.check()
        return synthetic.device_assign(
            participant=participant,
            provider=provider,
            device=options["device"],
            seed=options["seed"],
            number=1,
            starts_on=options["start"],
        )
