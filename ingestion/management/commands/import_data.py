"""`manage.py import_data TRIAL PATH...`: import files of device data into a trial. See docs/importing.md."""

from __future__ import annotations

import argparse
import sys
import zoneinfo
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError
from tqdm import tqdm

from ingestion.file_imports.archives import Offered
from ingestion.file_imports.export_clock import parse_clocks
from ingestion.file_imports.import_records import zone_named
from ingestion.file_imports.import_reports import Report, Result
from ingestion.file_imports.label_mapping import Roster
from ingestion.file_imports.services import Import
from ingestion.management.commands._import_table import MOST_LINES, table
from ingestion.providers.base.files import Clock
from participants.models import CODE, Trial

# Exit statuses beside 0, every row was taken, and 1, something failed.
TURNED_AWAY = 3


class Command(BaseCommand):
    help = "Import files of device data (folders, .csv, .json, .gz, .zip) into a trial."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("trial", help="code of the trial")
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file, folder or .zip")
        parser.add_argument(
            "--timezone", metavar="ZONE", help="zone of the files' wall-clock times, e.g. Europe/Amsterdam"
        )
        parser.add_argument("--participant", metavar="STUDY_ID", help="whose files these are, where they do not say")
        parser.add_argument("--no-enrol", action="store_true", help="reject rows of people who are not in the trial")
        parser.add_argument("--dry-run", action="store_true", help="read and check everything, store nothing")
        parser.add_argument(
            "--takeout-clock",
            metavar="CLOCK",
            help="clock of a Takeout's JSON files that do not say theirs and are not in UTC as usual: local or utc, or "
            "by kind of file (calories=local,steps=utc)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._import(options)
        except DatabaseError as error:
            raise CommandError(
                f"The database gave up: {' '.join(str(error).split())}. Run the import again."
            ) from error
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted. What was stored stays; run it again for the rest.", returncode=130
            ) from None

    def _import(self, options: dict[str, Any]) -> None:
        trial = Trial.objects.filter(code=options["trial"]).first()
        if trial is None:
            known = ", ".join(Trial.objects.values_list("code", flat=True)[:20]) or "none yet"
            raise CommandError(f"There is no trial {options['trial']!r}. Trials: {known}.")
        roster = self._roster(trial, options)
        with _Bar(quiet=options["verbosity"] == 0) as bar:
            run = Import(
                trial,
                roster,
                dry=options["dry_run"],
                clocks=self._clocks(options["takeout_clock"] or ""),
                progress=bar.advance,
            )
            reports = list(map(bar.seen, run.run(options["paths"], started=bar.start)))
        self._summary(reports, roster, dry=options["dry_run"])
        for warning in run.warnings:
            self.stdout.write(self.style.WARNING(warning))
        if failed := sum(report.result == Result.FAILED for report in reports):
            raise CommandError(
                f"{failed} of {len(reports)} file{'s' * (len(reports) != 1)} failed.{_turned_away(reports)}"
            )
        if not reports:
            raise CommandError("No files found there.")
        if rejected := _turned_away(reports):
            raise CommandError(rejected.strip(), returncode=TURNED_AWAY)

    def _clocks(self, text: str) -> dict[str, Clock]:
        try:
            return parse_clocks(text)
        except ValueError as error:
            raise CommandError(f"--takeout-clock: {error}.") from error

    def _roster(self, trial: Trial, options: dict[str, Any]) -> Roster:
        study_id = options["participant"]
        try:
            zone = zone_named(options["timezone"]) if options["timezone"] else None
        except ValueError as error:
            raise CommandError(f"--timezone: {error}") from error
        if study_id is not None and not CODE.regex.match(study_id):  # type: ignore[union-attr]
            raise CommandError(f"--participant: {study_id!r} is no study id. {CODE.message}")
        if study_id is not None and options["no_enrol"] and not trial.participants.with_study_id(study_id).exists():
            raise CommandError(f"--participant: {study_id} is not enrolled in {trial}.")
        return Roster(
            trial,
            zone=zone,
            new_zone=lambda: self._prompt_zone(trial),
            default_study_id=study_id,
            enrol=not options["no_enrol"],
            dry=options["dry_run"],
        )

    def _prompt_zone(self, trial: Trial) -> tuple[zoneinfo.ZoneInfo, str]:
        """Time zone of participants who are new to the trial: asked once on a terminal, else the trial's."""
        default = zone_named(trial.time_zone)
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return default, "the trial's, for people new to it"
        while True:
            sys.stderr.write(f"\nThe files hold local times of people who are new here. Time zone [{default.key}]: ")
            sys.stderr.flush()
            answer = sys.stdin.readline().strip()
            if not answer:
                return default, "the trial's, for people new to it"
            try:
                return zone_named(answer), "answered at the import"
            except ValueError as error:
                sys.stderr.write(f"{error}\n")

    # --- the summary -------------------------------------------------------------------------------------------

    def _summary(self, reports: list[Report], roster: Roster, *, dry: bool) -> None:
        for line in table(reports):
            self.stdout.write(line)
        for report in reports:
            for what, reasons in (("rejected", report.rejected), ("skipped", report.skipped), ("noted", report.noted)):
                for reason, count in reasons.most_common(8):
                    if count:
                        self.stdout.write(f"  {what} {count:,}: {reason} ({report.name})")
        self._assumptions(reports)
        if roster.enrolled:
            verb = "Would enrol" if dry else "ENROLLED"
            news = f"{verb} {len(roster.enrolled)} new participants: {_some(roster.enrolled)}"
            self.stdout.write(self.style.WARNING(news))
        for study_id, why in list(roster.refused.items())[:MOST_LINES]:
            self.stdout.write(self.style.WARNING(f"Rows of {study_id[:64]!r} were rejected: the participant {why}."))
        self._numbers(reports)
        failures = [report for report in reports if report.result == Result.FAILED]
        for report in failures[:MOST_LINES]:
            self.stderr.write(self.style.ERROR(f"FAILED {report.name}: {report.message}"))
        if len(failures) > MOST_LINES:
            self.stderr.write(self.style.ERROR(f"... and {len(failures) - MOST_LINES} more, listed in the admin."))

    def _numbers(self, reports: list[Report]) -> None:
        numbers = [str(report.number) for report in reports if report.number and report.result == Result.IMPORTED]
        if numbers:
            more = f" and {len(numbers) - MOST_LINES} more" if len(numbers) > MOST_LINES else ""
            self.stdout.write(f"Import numbers, to undo them by: {' '.join(numbers[:MOST_LINES])}{more}")

    def _assumptions(self, reports: list[Report]) -> None:
        assumptions: dict[str, set[str]] = {}
        for report in reports:
            for subject, taken in report.assumptions.items():
                if isinstance(taken, dict):
                    for value, study_ids in taken.items():
                        assumptions.setdefault(f"{subject}: {value}", set()).update(study_ids)
                else:
                    assumptions.setdefault(f"{subject}: {taken}", set())
        for line, study_ids in assumptions.items():
            self.stdout.write(f"Assumed {line}" + (f" ({_some(sorted(study_ids))})" if study_ids else ""))


class _Bar:
    """Progress on stderr: a bar on a terminal, a plain line a file for a log."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty() and not quiet
        self._bar: Any = None
        self._files = self._done = 0

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def start(self, files: list[Offered]) -> None:
        self._files = len(files)
        if self._live:
            total = sum(file.size for file in files)
            self._bar = tqdm(
                total=total, unit="B", unit_scale=True, unit_divisor=1024, file=sys.stderr, desc="Importing"
            )

    def advance(self, count: int) -> None:
        if self._bar is not None:
            self._bar.update(count)

    def seen(self, report: Report) -> Report:
        self._done += 1
        if self._bar is None and not self._quiet and report.result != Result.LEFT_OUT:
            sys.stderr.write(f"[{self._done}/{self._files}] {report.name}: {report.result}, {report.rows:,} rows\n")
        return report


def _turned_away(reports: list[Report]) -> str:
    """Summary of rejected rows and what to do; empty where none was."""
    rejected = sum(sum(report.rejected.values()) for report in reports)
    can_pass = sum(report.can_pass for report in reports)
    if not rejected:
        return ""
    summary = f" {rejected:,} row{'s were' if rejected != 1 else ' was'} turned away"
    if not can_pass:
        return f"{summary} for good."
    rest = f", {rejected - can_pass:,} of them for good" if rejected != can_pass else ""
    return (
        f"{summary}{rest}. Offer the same files again when the reasons have passed: they are read again for these rows."
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
