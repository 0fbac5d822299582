"""Run of `make demo` until its pages answer, then Ctrl-C: what deploy/fresh_root.sh runs in a root.

Standard library only. Ends non-zero where the demo does not start, load, answer or stop.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import IO, cast

ROOT = Path(__file__).resolve().parent.parent
COMPLETE, FAILED = "The demo trial is complete", "Loading the demo trial failed"
PORT = "8765"


def main() -> int:
    demo = subprocess.Popen(
        ["/usr/bin/make", "demo"],
        cwd=ROOT,
        env={**os.environ, "PORT": PORT},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    lines = cast("IO[str]", demo.stdout)
    complete = False
    for line in lines:
        sys.stdout.write(line)
        sys.stdout.flush()
        complete = COMPLETE in line
        if complete or FAILED in line:
            break
    if complete:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/login/", timeout=30) as page:
            complete = page.status == 200 and b"Sign in" in page.read()
    if demo.poll() is None:
        os.killpg(demo.pid, signal.SIGINT)  # Ctrl-C reaches make and the demo alike
    rest = lines.read()
    sys.stdout.write(rest)
    stopped = "Stopping. The data stay" in rest
    demo.wait()
    sys.stdout.write(f"complete and answering: {complete}; stopped in good order: {stopped}\n")
    return 0 if complete and stopped else 1


if __name__ == "__main__":
    sys.exit(main())
