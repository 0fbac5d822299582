"""Start of each benchmark in its smallest size: whether it still runs, not how fast it is.

    python -m benchmarks.smoke [NAME ...]

Each runs in a process of its own; what it prints is shown only where it fails. Ends non-zero if any failed.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT_SECONDS = 300

# By name the module's arguments. What plays outages and loads for minutes has tests of its own parts and is not here.
SMALLEST: dict[str, str] = {
    "ingest": "--people 2 --days 3 --sizes 1 3 --inserts 20 --writer 'python -m benchmarks.ingest.example_writer'",
    "read": "--participants 2 --days 3 --requests 2",
    "pages": "--sizes 30x30 --requests 1",
    "beat": "--sizes 20x30 --minutes 1 --hours 1",
    "requests": "--days 10",
    "series": "--requests 1 --million 0.05",
    "exports": "--rows 30000 --participants 2 --runs 1",
    "store": "--participants 2 --days 2",
    "import_memory": "--megabytes 1 --participants 2",
    "decode": "",
    "sync": "--participants 2 --workers 1",
    "storm": "--participants 2 --days 1 --minutes 0.1",
    "processes": "--participants 1 --clients 2",
    "backup": "--rows 20000",
}


def run(name: str) -> tuple[bool, float, str]:
    """Whether a benchmark ended well, the seconds it took, and what it printed."""
    began = time.perf_counter()
    command = [sys.executable, "-m", f"benchmarks.{name}", *shlex.split(SMALLEST[name])]
    try:
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    except subprocess.TimeoutExpired as fault:
        printed = (fault.stdout or b"").decode()
        return False, time.perf_counter() - began, f"{printed}\nNot done after {LIMIT_SECONDS} s."
    return ended.returncode == 0, time.perf_counter() - began, ended.stdout + ended.stderr


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*SMALLEST, []], help=", ".join(SMALLEST))
    failed = []
    for name in parser.parse_args().names or SMALLEST:
        ended_well, seconds, printed = run(name)
        print(f"{name:14} {'runs' if ended_well else 'FAILED'} {seconds:6.1f} s", flush=True)
        if not ended_well:
            failed.append(name)
            print(printed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
