"""Benchmark of backups: cost of a base backup and a restore beside pg_dump and pg_restore of the same database, on the
embedded server.

    python -m benchmarks.backup [--rows 20_000_000]

A base backup is read back and compared file by file, and a restore is proven by a server that starts on it; a dump is
neither. Both times are in the table for what they are.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.bench import database, heart_rate_day, table
from config.embedded.backups import PROGRAM
from config.embedded.environment import LOGS, VAR
from config.embedded.postgres import Postgres, programs

DAYS = 30


def fill(rows: int) -> int:
    """About so many heart rates with their rollups, by the product's writer; returns how many there are."""
    from metrics.batch import Payload
    from metrics.models import Measurement
    from metrics.writing.writer import store
    from participants.models import Participant, Protocol, Trial

    trial = Trial.objects.create(code="BENCH", title="Backup", status=Trial.Status.RUNNING, is_demo=True)
    Protocol.objects.create(trial=trial, effective_on="2000-01-01")
    for number in range(max(1, rows // (DAYS * 14_800))):
        participant = Participant.objects.create(trial=trial, study_id=f"P-{number}", status="active", time_zone="UTC")
        store(participant, Payload(samples=[heart_rate_day(participant.pk, day) for day in range(DAYS)]))
    return Measurement.objects.count()


def timed(work: Callable[[], int]) -> float:
    begun = time.monotonic()
    status = work()
    if status != 0:
        raise SystemExit(f"It ended with status {status}.")
    return time.monotonic() - begun


def megabytes(path: Path) -> float:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_size for each in files) / 1e6


def run(rows: int) -> None:
    from django.db import connection

    server = Postgres(VAR / "bench-postgres", LOGS / "bench-postgres.log")
    home = VAR / "bench-backup"
    shutil.rmtree(home, ignore_errors=True)
    settings = {"BACKUP_FOLDER": str(home / "store"), "BACKUP_DATABASE_URL": server.url()}
    with database() as what:
        name = connection.settings_dict["NAME"]
        held = fill(rows)
        with connection.cursor() as cursor:
            cursor.execute("CHECKPOINT")
            cursor.execute("SELECT pg_database_size(current_database())")
            size = cursor.fetchone()[0] / 1e6
        measured = measure(server, home, settings, name)
    table(
        f"{held:,} heart rates with rollups, {size:,.0f} MB; {what}",
        ["", "seconds", "MB", "of the database's size"],
        [[what_for, f"{seconds:.1f}", f"{mb:,.0f}", f"{mb / size:.2f}"] for what_for, seconds, mb in measured],
    )
    shutil.rmtree(home)


def measure(server: Postgres, home: Path, settings: Mapping[str, str], name: str) -> list[tuple[str, float, float]]:
    dump, restored = home / "database.dump", home / "restored"
    program = {each: str(programs() / each) for each in ("pg_dump", "pg_restore", "createdb", "dropdb")}
    of = ["--host", str(server.socket_folder), "--username", "postgres"]

    def lend(*command: str) -> int:
        return server.lend(command, settings, [home])

    rows = []
    seconds = timed(lambda: lend(str(PROGRAM), "base"))
    rows.append(("base backup, verified", seconds, megabytes(home / "store")))
    seconds = timed(lambda: lend(str(PROGRAM), "restore", "--into", str(restored)))
    rows.append(("restore, verified and started", seconds, megabytes(restored)))
    flags = ["--format=custom", "--compress=gzip:1", f"--file={dump}"]
    rows.append(("pg_dump", timed(lambda: lend(program["pg_dump"], *of, *flags, name)), megabytes(dump)))
    lend(program["createdb"], *of, "bench_restored")
    flags = ["--jobs=2", "--dbname=bench_restored", str(dump)]
    seconds = timed(lambda: lend(program["pg_restore"], *of, *flags))
    rows.append(("pg_restore with two jobs", seconds, size_of(server, "bench_restored")))
    lend(program["dropdb"], *of, "bench_restored")
    return rows


def size_of(server: Postgres, name: str) -> float:
    options = ["-XAtq", "--host", str(server.socket_folder), "--username", "postgres", "-d", name]
    query = "SELECT pg_database_size(current_database())"
    done = subprocess.run([programs() / "psql", *options, "-c", query], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000, help="heart rates to store")
    given = parser.parse_args()
    if "bench-postgres" not in os.environ.get("DATABASE_URL", ""):
        raise SystemExit("This measures the embedded server alone: make bench-backup, without DATABASE_URL.")
    run(given.rows)


if __name__ == "__main__":
    main()
