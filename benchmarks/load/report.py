"""The tables of a load: what each kind of request took, quiet and while a day comes in, and who used the processor."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path

from benchmarks import bench

TARGET_MS = 300  # that 95 of 100 requests for any page may take, while a day comes in
TARGETED = "trial page"
FAULTS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `began`: seconds since 1970; `fault`: empty where it went well."""

    began: float
    name: str
    ms: float
    status: int
    size: int
    fault: str


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the run: from and below, seconds since 1970."""

    name: str
    begins: float
    ends: float

    def of(self, requests: list[Request]) -> list[Request]:
        return [request for request in requests if self.begins <= request.began < self.ends]

    @property
    def seconds(self) -> float:
        return self.ends - self.begins


def read(path: Path) -> list[Request]:
    """Requests that locust noted; a line that it was writing when it was stopped is left out."""
    requests = []
    for line in path.read_text().splitlines():
        parts = line.split("\t")
        if len(parts) == 6:
            began, name, ms, status, size, fault = parts
            requests.append(Request(float(began), name, float(ms), int(status), int(size), fault))
    return requests


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]


def requests_table(phase: Phase, requests: list[Request]) -> None:
    rows = []
    names = sorted({request.name for request in requests}, key=lambda name: (not name.startswith(TARGETED), name))
    for name in [*names, "all"]:
        named = [request for request in requests if name in (request.name, "all")]
        times = [request.ms for request in named]
        rows.append(
            [
                name,
                f"{len(named):,}",
                f"{len(named) / phase.seconds:.1f}",
                str(sum(bool(request.fault) for request in named)),
                f"{statistics.median(times):.0f}",
                f"{percentile(times, 0.95):.0f}",
                f"{percentile(times, 0.99):.0f}",
                f"{max(times):.0f}",
                f"{statistics.mean(request.size for request in named) / 1024:.0f}",
            ]
        )
    heads = ["number", "a second", "errors", "median", "p95", "p99", "max", "kB"]
    bench.table(f"{phase.name}, {phase.seconds:.0f} s: milliseconds", ["request", *heads], rows)
    for request in [request for request in requests if request.fault][:FAULTS_SHOWN]:
        print(f"  error: {request.name}: {request.fault}")


def ratio_table(quiet: list[Request], busy: list[Request]) -> None:
    rows = []
    for name in sorted({request.name for request in busy} & {request.name for request in quiet}):
        values = []
        for share in (0.5, 0.95):
            before, after = (
                percentile([request.ms for request in part if request.name == name], share) for part in (quiet, busy)
            )
            values += [f"{before:.0f}", f"{after:.0f}", f"{after / before:.1f}"]
        rows.append([name, *values])
    heads = ["median: quiet", "sync", "ratio", "p95: quiet", "sync", "ratio"]
    bench.table("The day's part in it: milliseconds", ["request", *heads], rows)


def target_table(busy: list[Request], done: str) -> None:
    """The targets beside what was reached, the slowest pages first."""
    times: dict[str, list[float]] = {}
    for request in busy:
        times.setdefault(request.name, []).append(request.ms)
    reached = sorted(((percentile(ms, 0.95), name) for name, ms in times.items()), reverse=True)
    faults = sum(bool(request.fault) for request in busy)
    rows = [
        [f"{name}, p95", f"below {TARGET_MS} ms", f"{ms:.0f} ms", "yes" if ms < TARGET_MS else "MISSED"]
        for ms, name in reached
    ]
    rows += [
        ["errors of all requests", "0", f"{faults:,} of {len(busy):,}", "yes" if faults == 0 else "MISSED"],
        ["the day", "complete", done, "yes" if done.startswith("complete") else "MISSED"],
    ]
    bench.table("Target", ["", "may be", "was", "met"], rows)
