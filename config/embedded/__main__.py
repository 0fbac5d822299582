"""Command line of the embedded servers; the package's docstring describes it."""

from __future__ import annotations

import argparse
import os
import sys

from django.core.exceptions import ImproperlyConfigured

import config.embedded
from config.embedded import backups, environment, test_server
from config.embedded.postgres import PostgresFault
from config.embedded.processes import say
from config.embedded.redis_server import RedisFault
from config.embedded.setup import SetupError
from config.embedded.supervisor import Failed, Supervisor
from config.embedded.test_server import run_with_postgres

MODES_OF_BACKUPS = {"backup": backups.backup, "restore": backups.restore}


def main() -> int:  # noqa: PLR0911  one return a mode
    description = config.embedded.__doc__
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("demo", "run", "test", "bench", *MODES_OF_BACKUPS))
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    try:
        if given.mode == "test":
            shared = test_server.pytest_options(given.arguments, os.environ, environment.ROOT)
            return run_with_postgres("test-postgres", ["-m", "pytest", *shared, *given.arguments], safe=False)
        if given.mode == "bench":
            return run_with_postgres("bench-postgres", ["-m", *given.arguments], safe=True)
        if given.mode in MODES_OF_BACKUPS:
            return MODES_OF_BACKUPS[given.mode](given.arguments)
        Supervisor(demo=given.mode == "demo").run()
    except (Failed, ImproperlyConfigured, PostgresFault, RedisFault, SetupError) as fault:
        say(f"\n{fault}")
        return 1
    except PermissionError as fault:
        say(f"\n{fault}. Files of var/ belong to another user: start as that user, or move var/ out of the way.")
        return 1
    except KeyboardInterrupt:
        say("\nStopped.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
