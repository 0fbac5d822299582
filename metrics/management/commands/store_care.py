"""`manage.py store_care`: the nightly maintenance of the store, now, and what it did."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from metrics.maintenance import routine


class Command(BaseCommand):
    help = (
        "Fit the chunks to the number of participants, compress what waits for it, delete what trials do not keep: "
        "what the scheduler has done each night."
    )

    def handle(self, **options: Any) -> None:
        for line in routine.maintain(timezone.now()).lines():
            self.stdout.write(line)
