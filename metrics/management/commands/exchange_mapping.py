"""Prints what becomes of each metric in FHIR and Open mHealth, as the table of docs/fhir-and-openmhealth.md."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from metrics.exchange.mappings import table


class Command(BaseCommand):
    help = "Print the table of metrics, codes, units and schemas for docs/fhir-and-openmhealth.md, in Markdown."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(table())
