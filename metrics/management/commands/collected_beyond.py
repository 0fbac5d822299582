"""`manage.py collected_beyond`: what trials have stored of participants outside what they may have."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from metrics.corrections.outside_collection import Beyond, find, total
from metrics.corrections.removal_requests import RemovalRefused, removal_request
from metrics.models.removals import counts_text
from participants.models import Trial, User


class Command(BaseCommand):
    help = (
        "List what is stored outside participants' collection intervals: who, which dates, how much of what. Deletes "
        "nothing. With --ask its removal is asked for; another person approves it in the administration."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("trials", nargs="*", metavar="TRIAL", help="codes (default: all)")
        parser.add_argument("--ask", metavar="EMAIL", help="ask for the removal in the name of this member of staff")
        parser.add_argument("--reason", default="", help="why, for the audit trail; with --ask")

    def handle(self, *args: Any, **options: Any) -> None:
        trials = Trial.objects.order_by("code")
        if codes := options["trials"]:
            trials = trials.filter(code__in=codes)
            if missing := sorted(set(codes) - set(trials.values_list("code", flat=True))):
                raise CommandError(f"There is no trial {', '.join(missing)}.")
        by = self._by(options)
        everything = 0
        for trial in trials:
            outside = list(map(self._described, find(trial)))
            self.stdout.write(f"{trial}: {counts_text(total(outside))} outside")
            everything += len(outside)
            if by and outside:
                self._request_removal(trial, by, options["reason"])
        if everything and not by:
            self.stdout.write("Nothing was deleted. Ask for the removal with --ask EMAIL --reason WHY.")

    def _by(self, options: dict[str, Any]) -> User | None:
        if options["ask"] is None:
            return None
        if not options["reason"].strip():
            raise CommandError("Say why, with --reason.")
        user: User | None = User.objects.by_address(options["ask"]).filter(is_active=True).first()
        if user is None or not user.has_perm("metrics.add_removal"):
            raise CommandError(f"{options['ask']} is nobody who may ask for a removal in the administration.")
        return user

    def _described(self, beyond: Beyond) -> Beyond:
        what = [f"{count:,} {metric}" for metric, count in sorted(beyond.samples.items())]
        rest = (("nights", beyond.nights), ("exercise", beyond.exercise), ("old values", beyond.old_values))
        what += [f"{count:,} {name}" for name, count in rest if count]
        dates = f"{beyond.dates[0]} to {beyond.dates[-1]}, {len(beyond.dates)} days" if beyond.dates else "no days"
        self.stdout.write(f"  {beyond.participant.study_id}: {dates}: {', '.join(what) or 'sums of deleted samples'}")
        return beyond

    def _request_removal(self, trial: Trial, by: User, reason: str) -> None:
        try:
            removal_request(trial, by=by, reason=reason)
        except ValidationError as refused:
            raise CommandError("; ".join(refused.messages)) from None
        except RemovalRefused as refused:
            self.stdout.write(f"  {refused}")
        else:
            self.stdout.write("  Asked for. Another person must approve it in the administration, under Removals.")
