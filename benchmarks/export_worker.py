"""Work of an export worker, alone in a process: benchmarks.exports starts it, in this checkout or another.

    python benchmarks/export_worker.py EXPORT [MODULE]

MODULE: where `export_run` stands in that checkout. Prints the seconds, CPU seconds and peak MB that the work took,
without the process's start, which a worker has behind it.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time

import django

RUNNER = "metrics.exports.runner"


def main() -> None:
    os.environ.setdefault("SECRET_KEY", "benchmarks-only")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    pk, module = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else RUNNER
    runner = importlib.import_module(module)
    began, cpu = time.perf_counter(), time.process_time()
    runner.export_run(pk)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak}))


if __name__ == "__main__":
    main()
