"""`manage.py take_bounce`: read a bounce on standard input and mark the e-mail and the address. For a server's pipe."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from dashboards.messaging import bounces

DATA_ERROR = 65  # EX_DATAERR: a mail server does not try again


class Command(BaseCommand):
    help = "Read one delivery-status notification on standard input; mark the e-mail as bounced, and the address."

    def handle(self, *args: Any, **options: Any) -> None:
        raw = sys.stdin.buffer.read(bounces.LARGEST + 1)
        try:
            notification = bounces.parse(raw)
            row = bounces.take(notification, timezone.now())
        except bounces.NoNotification as fault:
            raise CommandError(str(fault), returncode=DATA_ERROR) from fault
        if row is None:
            self.stdout.write(f"Nothing to do: {notification.action} {notification.status}.")
        else:
            self.stdout.write(self.style.SUCCESS(f"E-mail {row.pk} has bounced: {notification.status}."))
