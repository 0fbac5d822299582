"""`manage.py sync`: read what the vendors have now, in this process, and say what came of it."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from django.utils import timezone
from tqdm import tqdm

from ingestion.connections import queueing
from ingestion.models import Connection, SyncWindow
from ingestion.sync import dispatch, planning
from ingestion.sync.run_state import Outcome
from metrics.monitoring import pending
from metrics.participant_calendars import calendar_of
from participants.models import Participant
from participants.user_input import day_argument

# Longer than this a vendor's "ask again later" is not waited for: the workers go on with it.
PATIENCE = 90.0


class Command(BaseCommand):
    help = (
        "Plan a regular pass for connected participants and serve it here, with a progress bar and a summary. "
        "Exit status 1 if any window failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--trial", metavar="TRIAL", help="code of a trial (default: all)")
        parser.add_argument("--participant", metavar="STUDY_ID", help="one participant; needs --trial")
        parser.add_argument(
            "--from",
            dest="since",
            type=day_argument,
            metavar="YYYY-MM-DD",
            help="ask for everything from this local day on, whatever was answered before",
        )
        parser.add_argument("--requeue-failed", action="store_true", help="try again what was given up")
        parser.add_argument("--queue", action="store_true", help="leave the work to the workers and return at once")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.LIVE_PROVIDERS:
            raise CommandError("No live provider is set up: see CLIENT_ID in .env.example, or run simulate_google.")
        connections = list(self._connections(options))
        planned = sum(self._plan(connection, options) for connection in connections)
        self.stdout.write(f"{len(connections)} connections, {planned:,} windows planned")
        if options["queue"]:
            for connection in connections:
                queueing.queue_connection(connection.pk)
            self.stdout.write("The workers have them.")
            return
        began = timezone.now()
        whole, left = self._serve([connection.pk for connection in connections])
        self._report(whole, [connection.pk for connection in connections], began, left)

    def _connections(self, options: dict[str, Any]) -> QuerySet[Connection]:
        if options["participant"] and not options["trial"]:
            raise CommandError("A study id belongs to a trial: give --trial too.")
        connections = Connection.objects.select_related("trial", "participant__trial").filter(
            status=Connection.Status.ACTIVE
        )
        if options["trial"]:
            connections = connections.filter(trial__code=options["trial"])
        if options["participant"]:
            named = Participant.objects.filter(trial__code=options["trial"]).with_study_id(options["participant"])
            connections = connections.filter(participant__in=named)
        if not connections.exists():
            raise CommandError("Nobody who matches is connected.")
        return connections

    def _plan(self, connection: Connection, options: dict[str, Any]) -> int:
        if not connection.asks:
            return 0
        now, count = timezone.now(), 0
        if options["requeue_failed"]:
            count += planning.requeue_failed(connection, now)
        if options["since"]:
            start = calendar_of(connection.participant).midnight(options["since"])
            count += planning.plan_backfill(connection, start, now)
        return count + planning.plan_pass(connection, now, SyncWindow.Reason.MANUAL)

    def _serve(self, connection_ids: list[int]) -> tuple[Outcome, int]:
        """Serve connections in turn until nothing is due or what is left must wait too long; returns the number of
        windows too."""
        whole, waiting = Outcome(), dict.fromkeys(connection_ids, 0.0)
        due = SyncWindow.objects.filter(connection__in=connection_ids, state=SyncWindow.State.DUE)
        deadline = time.monotonic() + PATIENCE
        with tqdm(total=due.count(), unit="window", disable=None) as bar:
            while waiting:
                soonest = min(waiting.values())
                if (pause := soonest - time.monotonic()) > 0:
                    if time.monotonic() + pause > deadline:
                        break
                    time.sleep(pause)
                pk = min(waiting, key=lambda key: waiting[key])
                outcome = dispatch.serve(pk)
                whole.add(outcome)
                bar.total = bar.n + outcome.windows + outcome.failed + due.count()
                bar.update(outcome.windows + outcome.failed)
                if outcome.windows:
                    deadline = time.monotonic() + PATIENCE
                if outcome.wait is None:
                    del waiting[pk]
                else:
                    waiting[pk] = time.monotonic() + outcome.wait
        pending.settle()
        return whole, due.count()

    def _report(self, whole: Outcome, connection_ids: list[int], began: dt.datetime, left: int) -> None:
        windows = SyncWindow.objects.filter(connection__in=connection_ids)
        failed = windows.filter(state=SyncWindow.State.FAILED)
        codes = Counter(failed.values_list("error_code", flat=True))
        counts, seconds = whole.counts, (timezone.now() - began).total_seconds()
        for name, number in (
            ("windows read", whole.windows),
            ("requests", whole.requests),
            ("points", whole.points),
            ("bytes", whole.bytes),
            ("new", counts.new),
            ("changed", counts.changed),
            ("unchanged", counts.unchanged + counts.repeated),
            ("withdrawn by the vendor", counts.removed + counts.sleep_removed + counts.exercise_removed),
            ("nights, new or changed", counts.sleep_new + counts.sleep_changed),
            ("exercise, new or changed", counts.exercise_new + counts.exercise_changed),
            ("records not readable", whole.unreadable),
            ("sessions still going on", whole.unfinished),
            ("left for later", left),
            ("failed", sum(codes.values())),
        ):
            self.stdout.write(f"{name:24} {number:>14,}")
        self.stdout.write(f"{'seconds':24} {seconds:>14,.1f}")
        ended = Connection.objects.filter(pk__in=connection_ids).exclude(status=Connection.Status.ACTIVE)
        for connection in ended.select_related("participant__trial"):
            self.stdout.write(f"{connection}: {connection.get_status_display()}, {connection.status_reason}")
        for code, number in codes.most_common():
            self.stdout.write(f"  failed with {code}: {number:,}")
        if codes:
            raise CommandError(f"{sum(codes.values()):,} windows failed. Try them again with --requeue-failed.")
