"""Compiles the catalogues; Django's own needs the gettext programs."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []  # noqa: RUF012  Django's own way

    def handle(self, *args: Any, **options: Any) -> None:
        from config import catalogues  # needs Babel, which is not where pages are served

        for path in catalogues.compile_messages():
            self.stdout.write(str(path.relative_to(catalogues.LOCALE.parent)))
