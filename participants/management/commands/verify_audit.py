"""`manage.py verify_audit`: verifies the audit trail: no entry was changed, deleted or put in between."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from participants.audit import chain_head, hash_chain
from participants.models import AuditEntry


class Command(BaseCommand):
    help = "Verify the audit trail. Ends with 1 if anything is wrong. Note the head that it prints in a safe place."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--noted", help="a head that was noted earlier, as this command prints it: POSITION:MAC")

    def handle(self, *args: Any, **options: Any) -> None:
        noted = _noted(options["noted"]) if options["noted"] else None
        hash_chain.checkpoint()
        faults = 0
        with transaction.atomic():  # a long trail is read through a cursor of the server's
            for fault in hash_chain.faults(noted=noted):
                faults += 1
                self.stderr.write(fault)
        if faults:
            raise CommandError(f"The audit trail does not hold: {faults} fault{'s' if faults > 1 else ''}.")
        position, mac = hash_chain.head()
        self.stdout.write(f"The audit trail holds: {AuditEntry.objects.count()} entries. Head: {position}:{mac}")
        if settings.AUDIT_HEAD and position and chain_head.kept() is None:
            self.stdout.write(f"{settings.AUDIT_HEAD} keeps no head of this database yet: the next checkpoint sets it.")
        for entry in AuditEntry.objects.filter(action="audit.restore").order_by("pk"):
            self.stdout.write(f"Restored from a backup, as entry {entry.pk} tells: {entry.at:%Y-%m-%d %H:%M} UTC.")


def _noted(text: str) -> tuple[int, str]:
    position, _, mac = text.partition(":")
    if not position.isdecimal() or not mac:
        raise CommandError("--noted is POSITION:MAC, as this command prints it.")
    return int(position), mac
