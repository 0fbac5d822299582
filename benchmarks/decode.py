"""Decoding a day of heart rate as Google Health sends it, beside `json.loads` of the same bytes.

    python -m benchmarks.decode

37,000 points in pages of 5,000, some 640 bytes a point as the vendor writes it, and again with the mask of fields
that we ask for. Prints CPU time (medians of alternating rounds) and the largest memory, measured apart, each in a
process of its own.
"""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
import tempfile
import time
import zoneinfo
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.bench import median, table
from ingestion.providers.google_health.assembly import assemble
from ingestion.providers.google_health.data_types import DATA_TYPES
from ingestion.providers.google_health.decode import Origin, page
from metrics.local_time import LocalCalendar

POINTS, PAGE = 37_000, 5_000
ROUNDS = 9
HEART_RATE = DATA_TYPES["heart-rate"]
CALENDAR = LocalCalendar(zoneinfo.ZoneInfo("Europe/Berlin"))


def pages(masked: bool) -> list[bytes]:
    """A day, newest first. Unmasked: indented, with civil times and metadata, as Google answers when not asked to
    leave them out."""
    rng = np.random.default_rng(7)
    seconds = np.sort(rng.choice(86_400, POINTS, replace=False))[::-1]
    rates = rng.integers(45, 160, POINTS)
    points = [point(int(second), int(rate), masked) for second, rate in zip(seconds, rates, strict=True)]
    return [
        json.dumps(
            {"dataPoints": points[start : start + PAGE], "nextPageToken": "opaque"}, indent=None if masked else 2
        ).encode()
        for start in range(0, POINTS, PAGE)
    ]


def point(second: int, rate: int, masked: bool) -> dict[str, object]:
    at = dt.datetime(2026, 11, 20, tzinfo=dt.UTC) + dt.timedelta(seconds=second)
    local = at + dt.timedelta(hours=1)
    sample: dict[str, object] = {"physicalTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "utcOffset": "3600s"}
    source: dict[str, object] = {"device": {"displayName": "Charge 6"}, "platform": "FITBIT"}
    if not masked:
        source["recordingMethod"] = "PASSIVELY_MEASURED"
        sample["civilTime"] = {
            "date": {"year": local.year, "month": local.month, "day": local.day},
            "time": {"hours": local.hour, "minutes": local.minute, "seconds": local.second},
        }
    return {"dataSource": source, "heartRate": {"beatsPerMinute": str(rate), "sampleTime": sample}}


def ours(bodies: list[bytes]) -> int:
    """A day from bytes to batches, as one pull of a whole day would do it."""
    decoded = [page(HEART_RATE, body, Origin("google_health")) for body in bodies]
    return len(assemble(HEART_RATE, decoded, CALENDAR).payload.samples[0])


def loads(bodies: list[bytes]) -> int:
    return sum(len(json.loads(body)["dataPoints"]) for body in bodies)


def cpu(work: Callable[[list[bytes]], int], bodies: list[bytes]) -> float:
    """Milliseconds of CPU time."""
    before = time.process_time()
    if work(bodies) != POINTS:
        raise SystemExit("points were lost")
    return (time.process_time() - before) * 1000


def memory(name: str, bodies: list[bytes]) -> tuple[float, float]:
    """MiB by which the largest memory of a fresh process grows beyond holding the pages, and that largest memory."""
    with tempfile.TemporaryDirectory() as folder, multiprocessing.get_context("spawn").Pool(1) as pool:
        for index, body in enumerate(bodies):
            (Path(folder) / f"{index}.json").write_bytes(body)
        before, after = pool.apply(largest, (name, Path(folder)))
    return after - before, after


def largest(name: str, folder: Path) -> tuple[float, float]:
    bodies = [path.read_bytes() for path in sorted(folder.iterdir())]
    before = peak_memory()
    WORK[name](bodies)
    return before, peak_memory()


def peak_memory() -> float:
    """MiB. From the kernel's account of this program: getrusage's would count its parent's, from before the exec."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


WORK: dict[str, Callable[[list[bytes]], int]] = {"ours": ours, "json.loads": loads}


def main() -> None:
    rows = []
    for label, masked in (("as Google writes it", False), ("with our mask of fields", True)):
        bodies = pages(masked)
        times: dict[str, list[float]] = {name: [] for name in WORK}
        for _ in range(ROUNDS):
            for name, work in WORK.items():
                times[name].append(cpu(work, bodies))
        base = median(times["json.loads"])
        for name in WORK:
            middle = median(times[name])
            grown, peak = memory(name, bodies)
            rows.append(
                [
                    f"{name}, {label}",
                    f"{sum(map(len, bodies)) / 1e6:.1f}",
                    f"{middle:.0f}",
                    f"{base / middle:.2f}",
                    f"{POINTS / middle * 1000:,.0f}",
                    f"{grown:.0f}",
                    f"{peak:.0f}",
                ]
            )
    head = ["", "MB", "CPU ms", "x json.loads", "points/s", "MiB more", "MiB peak"]
    table(f"A day of heart rate, {POINTS:,} points, medians of {ROUNDS}", head, rows)


if __name__ == "__main__":
    main()
