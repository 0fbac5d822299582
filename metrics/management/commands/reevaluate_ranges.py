"""`manage.py reevaluate_ranges`: count trials anew by the plausible ranges in force. Only looks, unless told to."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from metrics.models import DayStatus, Recompute
from metrics.monitoring.day_codes import status_of
from metrics.reevaluation import range_change, recompute
from metrics.reevaluation.range_change import Reevaluated
from metrics.registry import RANGES_SINCE, RANGES_VERSION
from participants.models import Trial

LINES = 10  # days of a participant that are listed one by one


class Command(BaseCommand):
    help = (
        "Say which days change where a trial's values are counted anew by the plausible ranges in force: by "
        "participant, with status and adherence before and after. Changes nothing without --apply. Applied, it "
        "rebuilds what is made of these values, keeps the reason in the days' history, and raises no alert."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("trial", nargs="+", help="codes of trials")
        parser.add_argument("--apply", action="store_true", help="do it; an entry of the audit trail a trial")
        parser.add_argument("--all-days", action="store_true", help=f"list every day, not {LINES} a participant")

    def handle(self, *args: Any, **options: Any) -> None:
        trials = {trial.code: trial for trial in Trial.objects.filter(code__in=options["trial"])}
        if unknown := [code for code in options["trial"] if code not in trials]:
            raise CommandError(f"There is no trial {', '.join(unknown)}.")
        for code in dict.fromkeys(options["trial"]):
            self.stdout.write(f"{code}: plausible ranges, version {RANGES_VERSION} of {RANGES_SINCE}.")
            if options["apply"]:
                self._apply(trials[code])
            else:
                self._preview(trials[code], every=options["all_days"])
        if not options["apply"]:
            self.stdout.write("Nothing was changed. To do it: --apply.")

    def _preview(self, trial: Trial, *, every: bool) -> None:
        people = recompute.participants_of(trial).order_by("study_id")
        previews: list[Reevaluated] = []
        for participant in tqdm(
            people.iterator(chunk_size=100), total=people.count(), unit="participant", disable=None
        ):
            preview = range_change.preview(participant)
            if preview.any or preview.kept:
                previews.append(preview)
                self._write_preview(preview, every=every)
        self._sum_up(trial, previews)

    def _write_preview(self, preview: Reevaluated, *, every: bool) -> None:
        before, after = percent(preview.adherence_before), percent(preview.adherence_after)
        self.stdout.write(
            f"  {preview.participant.study_id}: {days(len(preview.dates))}, adherence {before} -> {after}"
        )
        status = {
            change.date: f"{status_label(change.before)} -> {status_label(change.after)}" for change in preview.changes
        }
        listed = sorted({*preview.dates, *status})
        for date in listed if every else listed[:LINES]:
            self.stdout.write(f"    {date}  {status.get(date, 'status stays, values change')}")
        if not every and len(listed) > LINES:
            self.stdout.write(f"    and {len(listed) - LINES:,} more (--all-days)")
        if preview.kept:
            self.stdout.write(f"    {days(preview.kept)} more stay as they are: their samples are deleted")

    def _sum_up(self, trial: Trial, previews: list[Reevaluated]) -> None:
        changed = [preview for preview in previews if preview.any]
        statuses = Counter(
            f"{status_label(c.before)} -> {status_label(c.after)}" for preview in changed for c in preview.changes
        )
        changes_text = "".join(f"; {n:,} {change}" for change, n in sorted(statuses.items()))
        n = sum(len(preview.dates) for preview in changed)
        self.stdout.write(f"{trial.code}: {len(changed):,} participants, {days(n)}{changes_text}.")

    def _apply(self, trial: Trial) -> None:
        run = recompute.ranges_start(trial)
        with tqdm(total=run.total, unit="participant", disable=None) as bar:
            while run.finished_at is None:
                # A worker may have taken it up: then it is waited for.
                if not recompute.recompute_step(run.pk):
                    time.sleep(0.2)
                run = Recompute.objects.get(pk=run.pk)
                bar.update(run.done - bar.n)
        for study_id, (n, before, after) in sorted(run.people.items()):
            self.stdout.write(f"  {study_id}: {days(n)}, adherence {percent(before)} -> {percent(after)}")
        pairs = (key.split(">", 1) for key in sorted(run.changed))
        changes_text = "".join(
            f"; {run.changed[f'{a}>{b}']:,} {status_label(a)} -> {status_label(b)}" for a, b in pairs
        )
        n = sum(participant[0] for participant in run.people.values())
        self.stdout.write(
            self.style.SUCCESS(f"{trial.code}: {len(run.people):,} participants, {days(n)}{changes_text}. Done.")
        )


def status_label(code: str) -> str:
    return str(DayStatus(status_of(code)).label)


def days(n: int) -> str:
    return f"{n:,} day" if n == 1 else f"{n:,} days"


def percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"
