"""Benchmark of a large import, its memory and time: makes files of one kind, imports them with the command, prints peak
RSS and rows/s.

    DATABASE_URL=... SECRET_KEY=... python -m benchmarks.import_memory [--megabytes 1000] [--participants 50]
                                                                       [--kind heart-rate]

Kinds: heart-rate, one CSV file of all participants, by seconds; heart-rate.gz and heart-rate.zip, the same packed;
sleep, one CSV file of nights by half minutes; account, a zip archive of an account export's JSON files, one a day, of
one participant. `--megabytes` is their size unpacked.

Runs in a trial of its own on the configured database, whose rows it deletes again. Aim: under 300 MB at any size.
"""

from __future__ import annotations

import argparse
import gzip
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
CODE = "BENCH-MEMORY"
STEP = 5  # seconds between samples
DAY_ROWS = 86_400 // STEP
FIRST_DAY = np.datetime64("2022-01-01")
NIGHT_ROWS = 960  # half minutes
KINDS = ("heart-rate", "heart-rate.gz", "heart-rate.zip", "sleep", "account")


def make(folder: Path, kind: str, size: int, participants: int) -> tuple[Path, int]:
    """Write files of a kind, about `size` bytes unpacked; returns what to import and the rows."""
    if kind == "account":
        return _account(folder / "takeout.zip", size)
    plain = folder / ("30secondSleepStages_merged.csv" if kind == "sleep" else "heartrate_seconds_merged.csv")
    with plain.open("w", newline="") as file:
        rows = 0
        for text, lines in (_nights if kind == "sleep" else _heart_rates)(size, participants):
            file.write(text)
            rows += lines
    packed = folder / f"{plain.name}{Path(kind).suffix}"
    if kind.endswith(".gz"):
        with plain.open("rb") as whole, gzip.open(packed, "wb", 1) as out:
            shutil.copyfileobj(whole, out)
    elif kind.endswith(".zip"):
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.write(plain, plain.name)
    if packed != plain:
        plain.unlink()
    return packed, rows


def _heart_rates(size: int, participants: int) -> Iterator[tuple[str, int]]:
    """A day's text and rows at a time, participant after participant."""
    random = np.random.default_rng(20160412)
    days = max(1, round(size / (36 * DAY_ROWS * participants)))
    times = [_clock(second) for second in range(0, 86_400, STEP)]
    yield "Id,Time,Value\r\n", 0
    for participant in range(participants):
        for day in FIRST_DAY + np.arange(days):
            prefix = f"{7_000_000_000 + participant},{_date(day)} "
            beats = 70 + random.integers(-10, 30, len(times))
            rows = (f"{prefix}{at},{bpm}\r\n" for at, bpm in zip(times, beats, strict=True))
            yield "".join(rows), DAY_ROWS


def _nights(size: int, participants: int) -> Iterator[tuple[str, int]]:
    """A night's text and rows at a time, participant after participant; stages last some ten minutes."""
    random = np.random.default_rng(20160412)
    nights = min(1_400, max(1, round(size / (56 * NIGHT_ROWS * participants))))
    yield "Id,LogId,Time,Level,ShortWakes,SleepStage\r\n", 0
    for participant in range(participants):
        for night, day in enumerate(FIRST_DAY + np.arange(nights)):
            log = 40_000_000_000 + participant * 10_000 + night
            stages = np.repeat(random.choice(["wake", "light", "deep", "rem"], NIGHT_ROWS // 20), 20)
            times = (_clock(row * 30) for row in range(NIGHT_ROWS))
            rows = (
                f"{7_000_000_000 + participant},{log},{_date(day)} {at},{stage},,{stage}\r\n"
                for at, stage in zip(times, stages, strict=True)
            )
            yield "".join(rows), NIGHT_ROWS


def _account(path: Path, size: int) -> tuple[Path, int]:
    random = np.random.default_rng(20160412)
    days = max(1, round(size / (91 * DAY_ROWS)))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for day in FIRST_DAY + np.arange(days):
            year, month, date = str(day).split("-")
            records = ",".join(
                f'{{"dateTime":"{month}/{date}/{year[2:]} {s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}",'
                f'"value":{{"bpm":{bpm},"confidence":3}}}}\n'
                for s, bpm in zip(range(0, 86_400, STEP), 70 + random.integers(-10, 30, DAY_ROWS), strict=True)
            )
            name = f"Takeout/Fitbit/Global Export Data/heart_rate-{day}.json"
            archive.writestr(name, f"[{records}]")
    return path, days * DAY_ROWS


def _clock(second: int) -> str:
    hours, minutes, seconds = second // 3600, second // 60 % 60, second % 60
    return f"{hours % 12 or 12}:{minutes:02}:{seconds:02} {'AM' if hours < 12 else 'PM'}"


def _date(day: np.datetime64) -> str:
    year, month, date = str(day).split("-")
    return f"{int(month)}/{int(date)}/{year}"


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
tables = (m.Measurement, m.MinuteRollup, m.HourRollup, m.DayRollup, m.ParticipantDay, m.SleepSession)
for table in tables:
    table.objects.filter(participant_id__in=ids)._raw_delete("default")
ImportFile.objects.filter(trial__code="{CODE}").delete()
Participant.objects.filter(pk__in=ids).delete()
Trial.objects.filter(code="{CODE}").delete()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--participants", type=int, default=50)
    parser.add_argument("--kind", choices=KINDS, default=KINDS[0])
    parser.add_argument("--dry-run", action="store_true", help="read only: how fast is the reading?")
    options = parser.parse_args()
    manage("migrate", "--verbosity", "0")
    manage("shell", "--verbosity", "0", "--command", TRIAL)
    with tempfile.TemporaryDirectory() as folder:
        path, rows = make(Path(folder), options.kind, options.megabytes * 1_000_000, options.participants)
        size = path.stat().st_size
        more = ["--dry-run"] if options.dry_run else []
        more += ["--participant", "P-001", "--takeout-clock", "local"] if options.kind == "account" else []
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
