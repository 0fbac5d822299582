"""A benchmark of this checkout on its own product and on another checkout's, in turns: A B A B.

    python -m config.embedded bench benchmarks.against FOLDER [--rounds 2] NAME [ARGUMENTS]

For benchmarks that have no --against of their own, such as `ingest` and `sync`: each runs as a whole, in a process and
a database of its own, and prints its tables; both measure by the same code, on the same server.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks import checkouts


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path, help="another checkout of the product")
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument("name", help="the benchmark")
    arguments.add_argument("arguments", nargs=argparse.REMAINDER)
    given = arguments.parse_args()
    command = [sys.executable, "-P", "-m", f"benchmarks.{given.name}", *given.arguments]
    for number in range(1, given.rounds + 1):
        for checkout in (checkouts.ROOT, given.folder):
            print(f"\n=== {given.name} on {checkout}, run {number}", flush=True)
            with checkouts.environment_of(checkout) as environment:
                ended = subprocess.run(command, cwd=checkout, env=environment, check=False)
            if ended.returncode:
                return ended.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
