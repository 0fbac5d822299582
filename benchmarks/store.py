"""Benchmark of the store, rows and compressed chunks: bytes before and after, late data, reads again, an erasure.

    python -m benchmarks.store [--participants 10] [--days 14] [--fitabase FOLDER]

Heart rates of synthetic participants every 5 s and every 2 s, steps each minute; with --fitabase also those of a folder
of real exports. Where the server cannot compress, what needs it is left out, and that is said.
"""

from __future__ import annotations

import argparse
import datetime as dt
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management import call_command
from django.db import connection

from benchmarks import bench
from metrics.batch import MICROSECOND, Payload, SampleBatch, joined

LENGTHS = {"heart rate, 5 s": 5, "heart rate, 2 s": 2}
MAIN = ("metrics_measurement", "metrics_minuterollup", "metrics_hourrollup")
# A copy of one trial's one metric in a table of its own: chunks are shared, bytes are told of whole tables.
COPY = """
INSERT INTO {copy} SELECT m.* FROM {table} m WHERE m.metric_id = %s AND m.participant_id IN
    (SELECT p.id FROM participants_participant p JOIN participants_trial t ON t.id = p.trial_id WHERE t.code = %s)
"""


def execute(statement: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall()) if cursor.description else []


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def day_of(participant: int, day: int, step: int) -> list[SampleBatch]:
    """Heart rates of a day at an even step, and steps each minute."""
    from ingestion.providers.synthetic.physiology import heart_rate_day

    on = bench.FIRST_DAY.date() + dt.timedelta(days=day)
    at, value = heart_rate_day(1, participant, on, step)
    rng = np.random.default_rng([participant, day])
    minute = at[0] + np.arange(1440) * 60 * MICROSECOND
    walked = np.where(rng.random(1440) < 0.2, rng.poisson(40, 1440), 0).astype(float)
    lengths = np.full(1440, 60, dtype=np.int32)
    return [
        SampleBatch("heart_rate", bench.SOURCE, at, value),
        SampleBatch("steps", bench.SOURCE, minute, walked, lengths),
    ]


def fill(code: str, participants: int, days: int, step: int) -> list[Any]:
    """A trial of its own; returns its participants."""
    from metrics.writing.writer import store
    from participants.services import participant_enrol, trial_create

    trial = trial_create(code=code, title=code, is_demo=True, status="running")
    people = [participant_enrol(trial=trial, study_id=f"P-{i:03d}", status="active") for i in range(participants)]
    for participant in people:
        for day in range(days):
            store(participant, Payload(samples=day_of(participant.pk, day, step)))
    return people


def weigh(name: str, code: str, metric: int) -> list[list[str]]:
    """Bytes a row of one trial's one metric, by table, before and after compression; and of all a sample."""
    from metrics.storage.timescale import SEGMENTS, Tier, compression_statements, hypertables, tier

    lines, totals, samples = [], [0.0, 0.0], 0
    for table in MAIN:
        column = "time" if table == MAIN[0] else "bucket"
        execute("DROP TABLE IF EXISTS weighed")
        execute(f"CREATE TABLE weighed (LIKE {table} INCLUDING ALL)")
        if table in hypertables():
            days = 28 if table == MAIN[2] else 7
            execute(
                f"SELECT create_hypertable('weighed', '{column}', chunk_time_interval => interval '{days} days',"
                " create_default_indexes => false)"
            )
        execute(COPY.format(copy="weighed", table=table), [metric, code])
        rows = execute("SELECT count(*) FROM weighed")[0][0]
        if not rows:
            continue
        samples = samples or rows
        before = weight()
        after = None
        if tier() is Tier.COMMUNITY:
            statements = compression_statements()
            execute(statements.layout.format(table="weighed", segments=SEGMENTS, order=column))
            for (chunk,) in execute(
                "SELECT format('%I.%I', chunk_schema, chunk_name) FROM"
                " timescaledb_information.chunks WHERE hypertable_name = 'weighed'"
            ):
                execute(statements.compress, [chunk])
            after = weight()
        totals = [totals[0] + before, totals[1] + (after or 0)]
        lines.append([f"{name}: {table}", f"{rows:,}", f"{before / rows:.1f}", per(after, rows), ratio(before, after)])
    after = totals[1] or None
    whole = [f"{name}: with rollups, a sample", f"{samples:,}", f"{totals[0] / samples:.1f}", per(after, samples)]
    return [*lines, [*whole, ratio(totals[0], after)]]


def per(value: float | None, rows: int) -> str:
    return "skipped" if value is None else f"{value / rows:.2f}"


def ratio(before: float, after: float | None) -> str:
    return "" if after is None else f"{before / after:.0f}"


def weight() -> float:
    """Bytes of the table `weighed`, with its indexes."""
    from metrics.storage.timescale import Tier, hypertables, tier

    if tier() is Tier.PLAIN or "weighed" not in hypertables():
        return float(execute("SELECT pg_total_relation_size('weighed')")[0][0])
    return float(execute("SELECT total_bytes FROM hypertable_detailed_size('weighed')")[0][0])


def rate(participant: Any, samples: list[SampleBatch]) -> float:
    """Rows/s of one payload."""
    from metrics.writing.writer import store

    return sum(map(len, samples)) / seconds(partial(store, participant, Payload(samples=samples)))


def late(people: list[Any], days: int, step: int, name: str) -> list[list[str]]:
    """Reading again, corrections, days that come late: rows/s, into chunks as they are now."""
    from participants.services import participant_enrol

    again, changed, new = [], [], []
    for participant in people:
        samples = day_of(participant.pk, days // 2, step)
        again.append(rate(participant, samples))
        for batch in samples:
            batch.value[::50] += 1
        changed.append(rate(participant, samples))
        newcomer = participant_enrol(
            trial=participant.trial, study_id=f"{participant.study_id}-{name}", status="active"
        )
        whole = joined(Payload(samples=day_of(newcomer.pk, day, step)) for day in range(min(days, 10)))
        new.append(rate(newcomer, whole.samples))
    return [
        [f"a day read again, {name}", f"{bench.median(again):,.0f}"],
        [f"a day with 2 % corrected, {name}", f"{bench.median(changed):,.0f}"],
        [f"ten days that come late, {name}", f"{bench.median(new):,.0f}"],
    ]


def run(participants: int, days: int, fitabase: Path | None) -> None:
    from metrics import erasure as metrics_erasure
    from metrics.maintenance.routine import maintain
    from metrics.storage.timescale import Tier, tier
    from participants.services import trial_create

    began = time.perf_counter()
    groups = {name: fill(f"STEP-{step}", participants, days, step) for name, step in LENGTHS.items()}
    print(f"Filled in {time.perf_counter() - began:.0f} s")
    weighed = [line for name, step in LENGTHS.items() for line in weigh(name, f"STEP-{step}", 1)]
    weighed += weigh("steps a minute", "STEP-5", 2)
    if fitabase:
        trial_create(code="REAL", title="Real exports", status="running", time_zone="America/New_York")
        call_command("import_data", "REAL", *map(str, sorted(fitabase.glob("heartrate*.gz"))), verbosity=0)
        call_command("import_data", "REAL", *map(str, fitabase.glob("minuteStepsNarrow*")), verbosity=0)
        weighed += weigh("real heart rate", "REAL", 1) + weigh("real steps a minute", "REAL", 2)
    bench.table("Bytes a row, indexes included", ["", "rows", "before", "compressed", "ratio"], weighed)

    five = groups["heart rate, 5 s"]
    half = len(five) // 2
    rates = late(five[:half], days, 5, "uncompressed")
    if tier() is not Tier.COMMUNITY:
        print(f"\nSkipped on {tier().value}: compressed chunks.")
    else:
        now = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
        took = seconds(lambda: maintain(now))
        rates += late(five[half:-1], days, 5, "compressed")
        again = seconds(lambda: maintain(now))
        rates += [
            ["maintenance: all chunks compressed, s", f"{took:.1f}"],
            ["maintenance: those touched, anew, s", f"{again:.1f}"],
        ]
    bench.table("Late data, rows/s (medians)", ["", ""], rates)
    rows = execute("SELECT count(*) FROM metrics_measurement WHERE participant_id = %s", [five[-1].pk])[0][0]
    took = seconds(lambda: metrics_erasure.erase(five[-1]))
    bench.table("An erasure", ["samples", "s"], [[f"{rows:,}", f"{took:.2f}"]])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--participants", type=int, default=10)
    arguments.add_argument("--days", type=int, default=14)
    arguments.add_argument("--fitabase", type=Path)
    given = arguments.parse_args()
    with bench.database() as tier:
        print(f"Server: {tier}")
        run(given.participants, given.days, given.fitabase)


if __name__ == "__main__":
    main()
