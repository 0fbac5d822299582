"""Child of `benchmarks.beat`: a trial of so many connected participants, whose clock it moves at its parent's word.

python -m benchmarks.beat.child PARTICIPANTS DAYS
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import bench, checkouts

MINUTE = "a minute"
HOUR = "an hour's evaluation"
WATCH = "dashboards.watch"
EVALUATION = "metrics.judge_days"
EACH_MINUTE = 2_000  # participants, metrics.monitoring.due


def main() -> None:
    answer = checkouts.channel()
    people, days = map(int, sys.argv[1:])
    began = time.perf_counter()
    with bench.database() as tier:
        from benchmarks.pages import scene
        from config.celery import app

        # What a task queues is done by it, in this process: it is a part of its price.
        app.conf.task_always_eager = True
        app.loader.import_default_modules()
        scene.made(people, days)
        each_minute = sorted(entry["task"] for entry in app.conf.beat_schedule.values() if entry["schedule"] == 60.0)

        def task(name: str) -> dict[str, Any]:
            app.tasks[name].apply(throw=True)
            return {}

        def minute() -> dict[str, Any]:
            for name in each_minute:
                task(name)
            return {}

        def work(name: str, number: int) -> Callable[[], dict[str, Any]]:
            if name == MINUTE:
                return minute
            return lambda: task(EVALUATION if name == HOUR else name)

        # What the invented days differ in from what the rules say is settled, and what that raises.
        for _ in range(2):
            task(EVALUATION)
        # Those of whom it is not known when their time comes are evaluated so many a minute.
        for _ in range(2 + people // EACH_MINUTE):
            minute()
        said = {"server": tier, "seconds": time.perf_counter() - began, "each_minute": each_minute}
        checkouts.serve(answer, said, work)


if __name__ == "__main__":
    main()
