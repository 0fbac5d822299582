"""Benchmark of the writer: how fast measurements are stored, beside a bare binary COPY of the same rows into an
identical empty table.

    python -m benchmarks.ingest [--participants 20] [--days 3] [--inserts 2000]

Arrays in, committed rows and rollups out; one participant-day a transaction, one connection. What is compared
runs in turns, day by day, and the ratios are medians over the days.
"""

from __future__ import annotations

import argparse
import struct
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from django.db import connection

from benchmarks import bench
from metrics.batch import Payload, SampleBatch

PG_EPOCH = 946_684_800_000_000
BARE_COPY = "COPY bare (participant_id, metric_id, source_id, time, value) FROM STDIN (FORMAT BINARY)"
INSERT = "INSERT INTO seed (participant_id, metric_id, source_id, time, value) VALUES (%s, 1, 1, to_timestamp(%s), %s)"


def wire(participant: int, batch: SampleBatch) -> bytes:
    """The yardstick's bytes, made beforehand: its time is the server's alone."""
    rows = [
        struct.pack(">hiiihihiqid", 5, 4, participant, 2, 1, 2, 1, 8, at - PG_EPOCH, 8, value)
        for at, value in zip(batch.time.tolist(), batch.value.tolist(), strict=True)
    ]
    return b"".join((b"PGCOPY\n\xff\r\n\0" + b"\0" * 8, *rows, b"\xff\xff"))


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def bare_copy(data: bytes) -> None:
    with connection.cursor() as cursor, cursor.copy(BARE_COPY) as copy:
        copy.write(data)


def insert_rows(participant: int, batch: SampleBatch, n: int) -> None:
    with connection.cursor() as cursor:
        for at, value in zip(batch.time[:n].tolist(), batch.value[:n].tolist(), strict=True):
            cursor.execute(INSERT, [participant, at / 1e6, value])


def twin(name: str) -> None:
    """An empty table identical to the measurements': same columns, same unique index, hypertable if that is one."""
    from metrics.storage.timescale import hypertables

    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {name} (LIKE metrics_measurement INCLUDING ALL)")
        if "metrics_measurement" in hypertables():
            cursor.execute(
                "SELECT create_hypertable(%s, 'time', chunk_time_interval => interval '7 days',"
                " create_default_indexes => false)",
                [name],
            )


def run(participants: int, days: int, inserts: int) -> None:
    from metrics.writing.writer import store
    from participants.models import Participant
    from participants.services import participant_enrol, trial_create

    trial = trial_create(code="BENCH", title="Benchmark", is_demo=True, status="running")
    people: list[Participant] = [
        participant_enrol(trial=trial, study_id=f"B-{i:03d}", status="active") for i in range(participants)
    ]
    twin("bare")
    twin("seed")
    rates: dict[str, list[float]] = {"bare": [], "new": [], "again": []}
    for day in range(days):
        for participant in people:
            batch = bench.heart_rate_day(participant.pk, day)
            data, payload, n = wire(participant.pk, batch), Payload(samples=[batch]), len(batch)
            works: list[tuple[str, partial[Any]]] = [
                ("bare", partial(bare_copy, data)),
                ("new", partial(store, participant, payload)),
            ]
            for name, work in works if (day + participant.pk) % 2 else reversed(works):
                rates[name].append(n / seconds(work))
            rates["again"].append(n / seconds(partial(store, participant, payload)))
    batch = bench.heart_rate_day(0, 0)
    insert = inserts / seconds(lambda: insert_rows(0, batch, inserts))
    report(rates, insert)


def report(rates: dict[str, list[float]], insert: float) -> None:
    bare = bench.median(rates["bare"])

    def line(name: str, key: str) -> list[str]:
        ratios = np.array(rates[key]) / np.array(rates["bare"])
        low, high = np.quantile(ratios, (0.1, 0.9))
        rate = bench.median(rates[key])
        return [name, f"{rate:,.0f}", f"{np.median(ratios):.2f}", f"{low:.2f}-{high:.2f}", f"{rate / insert:,.0f}"]

    bench.table(
        f"{len(rates['bare'])} participant-days of about 14,800 heart rates",
        ["", "rows/s, median", "ratio to COPY", "10-90 %", "ratio to INSERT"],
        [
            line("bare binary COPY (the yardstick)", "bare"),
            line("store: new data, with rollups", "new"),
            line("store: the same data again", "again"),
            ["one autocommit INSERT a row", f"{insert:,.0f}", f"{insert / bare:.3f}", "", "1"],
        ],
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--participants", type=int, default=20)
    arguments.add_argument("--days", type=int, default=3)
    arguments.add_argument("--inserts", type=int, default=2000, help="rows of the INSERT comparison")
    given = arguments.parse_args()
    with bench.database() as tier:
        print(f"Server: {tier}")
        run(given.participants, given.days, given.inserts)


if __name__ == "__main__":
    main()
