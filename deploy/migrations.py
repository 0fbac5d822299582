"""Looks at the SQL of each new migration: would it hold up people's work on a loaded database, or break old code?

Run by `make lint`, with a throw-away PostgreSQL, since Django asks a server what it writes for it. Migrations newer
than the baseline of deploy/migrations.toml are rendered as `sqlmigrate` does it and read by squawk; rules of our own
see what it does not. Ends non-zero where one objects and no exception with a reason says otherwise.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django
from django.db import connection, migrations
from django.db.migrations.loader import MigrationLoader

CONFIG = Path(__file__).with_suffix(".toml")
# What a statement of a migration is about: its table.
TABLE = re.compile(
    r'(?:CREATE TABLE|ALTER TABLE|UPDATE|DELETE FROM|INSERT INTO| ON) (?:ONLY )?"?(\w+)"?', re.IGNORECASE
)
CREATED = re.compile(r'CREATE TABLE "?(\w+)"?', re.IGNORECASE)
INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX", re.IGNORECASE)
ROWS = re.compile(r"^\s*(?:UPDATE|DELETE FROM|INSERT INTO)\s", re.IGNORECASE)
NOT_NULL = re.compile(r"ADD COLUMN .* NOT NULL", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Objection:
    migration: str
    rule: str
    says: str

    def __str__(self) -> str:
        return f"{self.migration}: {self.rule}: {self.says}"


def main() -> int:
    os.environ.setdefault("SECRET_KEY", "for-checks-only")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    config = tomllib.loads(CONFIG.read_text())
    loader = MigrationLoader(connection, replace_migrations=False)
    looked_at = newer(loader, config["baseline"])
    all_objections = [objection for key in looked_at for objection in objections(loader, key, config)]
    for objection in all_objections:
        sys.stderr.write(f"{objection}\n")
    sys.stdout.write(f"{len(looked_at)} migrations newer than the baseline, {len(all_objections)} objections.\n")
    return 1 if all_objections else 0


def newer(loader: MigrationLoader, baseline: dict[str, str]) -> list[tuple[str, str]]:
    """Migrations of our apps behind the baseline, by app and name: names begin with their number."""
    return sorted(key for key in loader.disk_migrations if key[0] in baseline and key[1] > baseline[key[0]])


def objections(loader: MigrationLoader, key: tuple[str, str], config: dict[str, Any]) -> list[Objection]:
    """Objections of squawk and our rules to a migration, without those that an exception allows."""
    migration = loader.graph.nodes[key]
    statements: list[str] = loader.collect_sql([(migration, False)])
    name = ".".join(key)
    raised = [
        *squawk(name, statements, config, in_transaction=migration.atomic),
        *our_rules(name, statements, migration, config),
    ]
    allowed = {(entry["migration"], entry["rule"]) for entry in config.get("exception", []) if entry["why"].strip()}
    return [entry for entry in dict.fromkeys(raised) if (entry.migration, entry.rule) not in allowed]


def squawk(name: str, statements: list[str], config: dict[str, Any], *, in_transaction: bool) -> Iterator[Objection]:
    """Objections of squawk to statements on tables that were there before: one just made is empty."""
    lines = "\n".join(statements).splitlines()
    program = Path(sys.executable).with_name("squawk")
    command = [str(program), "--reporter", "json", "--pg-version", config["server"]["postgresql"]]
    command += [f"--exclude={rule}" for rule in config["unused"]]
    command += ["--assume-in-transaction"] if in_transaction else []
    ran = subprocess.run(  # noqa: S603  a program of the environment, on text of ours
        command, input="\n".join(lines), capture_output=True, text=True, check=False
    )
    if ran.returncode not in (0, 1) or not ran.stdout.strip().startswith("["):
        raise RuntimeError(f"squawk failed on {name}: {ran.stdout}{ran.stderr}")
    made = set(CREATED.findall("\n".join(lines)))
    for report in json.loads(ran.stdout):
        line = next((text for text in lines[report["line"] :] if text.strip()), "")
        table = TABLE.search(line)
        if not (table and table.group(1) in made):
            says = f"{report['message']} {report.get('help') or ''}".strip()
            yield Objection(name, report["rule_name"], f"{says} In: {line[:120]}")


def our_rules(
    name: str, statements: list[str], migration: migrations.Migration, config: dict[str, Any]
) -> Iterator[Objection]:
    """Objections by what squawk cannot know: which tables are loaded, which are hypertables, what a function of Python
    does.
    """
    loaded, hypertables = set(config["loaded"]["tables"]), set(config["loaded"]["hypertables"])
    made = set(CREATED.findall("\n".join(statements)))
    for line in statements:
        table = TABLE.search(line)
        of = table.group(1) if table else ""
        if of in made:
            continue
        if INDEX.search(line) and of in hypertables and "transaction_per_chunk" not in line:
            yield Objection(name, "hypertable-index", f"{of}: WITH (timescaledb.transaction_per_chunk), not atomic.")
        if ROWS.match(line) and of in loaded:
            yield Objection(name, "rows-of-loaded-table", f"{of}: change its rows in a task, in bounded transactions.")
        if NOT_NULL.search(line) and f'ALTER TABLE "{of}" ALTER COLUMN' in "\n".join(statements):
            yield Objection(name, "old-code-inserts", f"{of}: use db_default, or old code fails to insert: {line[:90]}")
    if any(isinstance(operation, migrations.RunPython) for operation in migration.operations):
        yield Objection(name, "run-python", "What Python changes is not seen here: say how many rows it touches.")


if __name__ == "__main__":
    sys.exit(main())
