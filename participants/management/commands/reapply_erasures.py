"""`manage.py reapply_erasures`: makes a restored backup forget those erased since, and the audit trail go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from participants import audit
from participants.audit import hash_chain
from participants.models import Participant
from participants.privacy import erasure as privacy_erasure
from participants.privacy import erasure_journal
from participants.s3 import StoreFault


class Command(BaseCommand):
    help = "After a restore: erase again everybody whom the erasure journal names and the backup still knows."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--journal",
            nargs="+",
            default=[settings.ERASURE_JOURNAL],
            help="the journal: a file, s3://bucket/prefix, or the files of all hosts",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._restored()
        erasures: list[erasure_journal.Line] = []
        for journal in options["journal"]:
            if not erasure_journal.is_bucket(journal) and not Path(journal).is_file():
                raise CommandError(f"There is no erasure journal at {journal}.")
            try:
                erasures += erasure_journal.lines(journal)
            except (ValueError, StoreFault) as error:
                raise CommandError(str(error)) from None
        again = 0
        for line in erasures:
            participant = Participant.objects.filter(pk=line.participant, trial__code=line.trial).first()
            if participant is not None and participant.status != Participant.Status.ERASED:
                privacy_erasure.remove(participant, line.erasure)
                again += 1
        self.stdout.write(f"{len(erasures)} erasures in the journal, {again} carried out again.")

    def _restored(self) -> None:
        """The audit trail ends earlier than its head that is kept outside tells: say so in the trail, and go on."""
        if (heads := hash_chain.restored()) is None:
            return
        before, now = heads
        old = {"position": before[0], "mac": before[1]} if before else {}
        new = {"position": now[0], "mac": now[1]}
        audit.record("audit.restore", old=old, new=new, reason="restored from a backup")
        lost = f" Checkpoints {now[0] + 1} to {before[0]} are not in it." if before else ""
        self.stdout.write(f"The audit trail goes on from position {now[0]}.{lost}")
