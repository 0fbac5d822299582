"""Brings the catalogues up to date with marked texts and compiles them; Django's own needs the gettext programs."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []  # noqa: RUF012  Django's own way

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where something is wrong")
        parser.add_argument(
            "--team", action="append", default=[], metavar="LANGUAGE", help="begin the team's catalogue"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from config import catalogues  # needs Babel, which is not where pages are served

        if not options["check"]:
            for path in (*catalogues.make_messages(options["team"]), *catalogues.compile_messages()):
                self.stdout.write(str(path.relative_to(catalogues.LOCALE.parent)))
        if faults := catalogues.objections():
            raise CommandError("\n".join(faults))
