"""Lint: every check that needs no test run, one after the other; ends non-zero when any of them objected.

Run by `make lint`. Django's deployment checks see settings like a real deployment's, so they need no database; what
looks at the migrations' SQL is lent one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# Enough for the settings to load: nothing is connected to.
BARE = {"SECRET_KEY": "for-checks-only", "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
DEPLOYED = {
    **BARE,
    "SECRET_KEY": "a-long-key-of-many-different-characters-0123456789-ABCDEFGHIJ-for-checks-only",
    "DEBUG": "False",
    "HTTPS": "True",
    "SYNTHETIC": "False",
    "ALLOWED_HOSTS": "trials.example.org",
    "AUDIT_KEYS": "another-long-key-for-checks-only",
}
CHECKS: tuple[tuple[str, Mapping[str, str], tuple[str, ...]], ...] = (
    ("ruff format", {}, ("-m", "ruff", "format", "--check", ".")),
    ("ruff", {}, ("-m", "ruff", "check", ".")),
    ("mypy", BARE, ("-m", "mypy", ".")),
    ("structure", {}, ("-m", "deploy.structure")),
    ("catalogues", BARE, ("-W", "ignore", "manage.py", "makemessages", "--check")),
    ("djLint", {}, ("-m", "djlint", "--lint", "--quiet", "templates")),
    ("check --deploy", DEPLOYED, ("manage.py", "check", "--deploy", "--fail-level", "WARNING")),
    ("migrations' SQL", {}, ("-m", "config.embedded", "bench", "deploy.migrations")),
    ("makemigrations --check", BARE, ("-W", "ignore", "manage.py", "makemigrations", "--check", "--dry-run")),
)


def tracked_and_ignored() -> list[str]:
    """Files that were committed though they belong to one machine: in a clone it is in the way of the set-up."""
    if not Path(".git").exists():
        return []
    command = ["git", "ls-files", "-z", "--cached", "--ignored", "--exclude-standard"]
    return [name for name in subprocess.check_output(command, text=True).split("\0") if name]


def main() -> int:
    failed = []
    for name, extra, command in CHECKS:
        sys.stdout.write(f"== {name}\n")
        sys.stdout.flush()
        if subprocess.call([sys.executable, *command], env={**os.environ, **extra}) != 0:
            failed.append(name)
    if kept := tracked_and_ignored():
        sys.stdout.write(f"== git\nIgnored by .gitignore, and committed all the same: {', '.join(kept)}\n")
        failed.append("git")
    sys.stdout.write(f"Objections from: {', '.join(failed)}\n" if failed else "No objections.\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
