"""Benchmark of a large file import, its memory and time: makes one, imports it with the command, prints peak RSS and
rows/s.

    DATABASE_URL=... SECRET_KEY=... python benchmarks/import_memory.py [--megabytes 1000] [--participants 50]

Runs in a trial of its own on the configured database, whose rows it deletes again. Aim: under 400 MB at 1 GB.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
CODE = "BENCH-MEMORY"
STEP = 5  # seconds between samples
DAY_ROWS = 86_400 // STEP


def make(path: Path, size: int, participants: int) -> int:
    """Write a heart-rate file of about `size` bytes, participant after participant; returns its rows."""
    random = np.random.default_rng(20160412)
    days = max(1, round(size / (36 * DAY_ROWS * participants)))
    clock = np.arange(0, 86_400, STEP)
    hours, minutes, seconds = clock // 3600, clock // 60 % 60, clock % 60
    times = [
        f"{h % 12 or 12}:{m:02}:{s:02} {'AM' if h < 12 else 'PM'}"
        for h, m, s in zip(hours, minutes, seconds, strict=True)
    ]
    with path.open("w", newline="") as file:
        file.write("Id,Time,Value\r\n")
        for participant in range(participants):
            for day in np.datetime64("2022-01-01") + np.arange(days):
                year, month, date = str(day).split("-")
                prefix = f"{7_000_000_000 + participant},{int(month)}/{int(date)}/{year} "
                beats = 70 + random.integers(-10, 30, len(times))
                rows = (f"{prefix}{at},{bpm}\r\n" for at, bpm in zip(times, beats, strict=True))
                file.write("".join(rows))
    return participants * days * DAY_ROWS


def manage(*arguments: str) -> None:
    subprocess.run([sys.executable, str(ROOT / "manage.py"), *arguments], check=True, cwd=ROOT, env=os.environ)


TRIAL = f"""
from participants.models import Trial
from participants.services import trial_create
Trial.objects.filter(code="{CODE}").exists() or trial_create(code="{CODE}", title="Benchmark", status="running")
"""
CLEAN = f"""
from ingestion.models import ImportFile
from metrics import models as m
from participants.models import Participant, Trial
ids = list(Participant.objects.filter(trial__code="{CODE}").values_list("pk", flat=True))
for table in (m.Measurement, m.MinuteRollup, m.HourRollup, m.DayRollup, m.ParticipantDay):
    table.objects.filter(participant_id__in=ids)._raw_delete("default")
ImportFile.objects.filter(trial__code="{CODE}").delete()
Participant.objects.filter(pk__in=ids).delete()
Trial.objects.filter(code="{CODE}").delete()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--participants", type=int, default=50)
    parser.add_argument("--dry-run", action="store_true", help="read only: how fast is the reading?")
    options = parser.parse_args()
    manage("migrate", "--verbosity", "0")
    manage("shell", "--verbosity", "0", "--command", TRIAL)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "heartrate_seconds_merged.csv"
        rows = make(path, options.megabytes * 1_000_000, options.participants)
        size = path.stat().st_size
        more = ["--dry-run"] if options.dry_run else []
        # Peak memory of children is the largest of all: nothing larger may have run before the import.
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        begin = time.monotonic()
        manage("import_data", CODE, str(path), "--timezone", "Europe/Amsterdam", *more)
        seconds = time.monotonic() - begin
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    manage("shell", "--verbosity", "0", "--command", CLEAN)
    print(f"file      {size / 1e6:12,.0f} MB\nrows      {rows:12,}\ntime      {seconds:12,.1f} s")
    print(f"speed     {rows / seconds:12,.0f} rows/s")
    print(f"peak RSS  {peak / 1024:12,.0f} MB (the largest before it: {before / 1024:,.0f} MB)")


if __name__ == "__main__":
    main()
