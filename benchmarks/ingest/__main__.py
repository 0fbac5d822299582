"""Benchmark of the writer, by processor time of program and server: real days beside a bare binary COPY of the same
rows, one INSERT a row, and any other writer that is given as a command.

    python -m benchmarks.ingest [--rounds 1] [--sizes 1 5 30] [--writer COMMAND] [--fitabase FOLDER]

Arrays in; committed rows, rollups and statuses out; one payload a transaction, one connection. Each payload is stored
as new and then once more ("again"); COPY of its rows into an identical table comes before both or after both, in turns.
A ratio is COPY's processor time to the writer's for the same payload (1: as cheap as COPY), and the table shows medians
of these pairs. First each person's days come one by one, then, for other participants, several in one payload.
The price a payload and the price a row come from the line through days of all sizes (benchmarks/ingest/prices.py).
How another writer is spoken to: benchmarks/ingest/other_writer.py.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import bench, processor_time
from benchmarks.ingest import report
from benchmarks.ingest.days import FITABASE, ZONE, Day, days
from benchmarks.ingest.other_writer import OtherWriter, started
from benchmarks.ingest.report import Pair
from benchmarks.ingest.yardsticks import bare_copy, insert_rows, twin, wire
from benchmarks.processor_time import Cpu, measured
from metrics.batch import Payload, Replaced, SampleBatch, instant, joined

LATER = dt.timedelta(hours=2)  # from a payload's newest heart rate to its arrival


class Run:
    """One run: the participants it makes, one after the other, and what each payload of theirs cost."""

    def __init__(self, trial: Any, other: OtherWriter | None, *, replaces: bool) -> None:
        self._trial, self._other, self._replaces = trial, other, replaces
        self._backend = processor_time.own_backend()
        self._people = 0

    @property
    def sees_server(self) -> bool:
        return self._backend is not None

    def enrol(self, first: dt.date) -> Any:
        from participants.services import participant_enrol

        self._people += 1
        return participant_enrol(
            trial=self._trial, study_id=f"B-{self._people:04d}", status="active", monitoring_starts_on=first
        )

    def person(self, person: list[Day], days_a_payload: int) -> list[Pair]:
        """What each payload of a new participant with these days costs; one with few days left is left out."""
        participant = self.enrol(person[0].date)
        parts = [person[at : at + days_a_payload] for at in range(0, len(person), days_a_payload)]
        whole = [part for part in parts if 3 * len(part) >= 2 * days_a_payload]
        return [self._pair(participant, part, bool(number % 2)) for number, part in enumerate(whole)]

    def _pair(self, participant: Any, part: list[Day], bare_first: bool) -> Pair:
        from metrics.writing.writer import store

        payload = joined(Payload(samples=[day.samples]) for day in part)
        samples = payload.samples[0]
        if self._replaces:
            payload.replaces = [replaced(samples)]
        storing = partial(store, participant, payload, now=instant(samples.time[-1]) + LATER)
        data, cpu = wire(participant.pk, samples), dict[str, Cpu]()
        if bare_first:
            cpu["bare"] = self._measured(partial(bare_copy, data))
        cpu["new"] = self._measured(storing)
        cpu["again"] = self._measured(storing)
        if not bare_first:
            cpu["bare"] = self._measured(partial(bare_copy, data))
        if self._other:
            self._other.read(participant.pk, samples)
            cpu["other new"] = self._other.store()
            cpu["other again"] = self._other.store()
        return Pair(len(samples), len(part), cpu)

    def _measured(self, work: Callable[[], Any]) -> Cpu:
        return measured(work, self._backend)

    def insert(self, samples: SampleBatch, rows: int) -> Cpu:
        """What so many rows cost, each in a statement and a transaction of its own."""
        return self._measured(partial(insert_rows, 0, samples, rows))

    def warm(self, people: list[list[Day]]) -> None:
        """Fill caches, and on TimescaleDB make the chunks: a heart rate of each day, and a few whole days."""
        from metrics.writing.writer import store

        for person in people:
            participant = self.enrol(person[0].date)
            firsts = joined(Payload(samples=[first_row(day.samples)]) for day in person)
            store(participant, firsts)
            bare_copy(wire(participant.pk, firsts.samples[0]))
            self.person(person[:3], 1)


def first_row(samples: SampleBatch) -> SampleBatch:
    return SampleBatch(samples.metric, samples.source, samples.time[:1], samples.value[:1])


def replaced(samples: SampleBatch) -> Replaced:
    """That the payload holds all there is from its first heart rate to its last, as the live sync says of its own."""
    end = instant(samples.time[-1]) + dt.timedelta(seconds=1)
    return Replaced(samples.source.provider, samples.metric, instant(samples.time[0]), end)


def run(given: argparse.Namespace) -> None:
    from participants.services import trial_create

    origin, people = days(given.fitabase)
    people = [person[: given.days] for person in people[: given.people]]
    print(f"{origin}: {sum(map(len, people))} days of {len(people)} people, {report.spread(people)}")
    trial = trial_create(code="BENCH", title="Benchmark", is_demo=True, status="running", time_zone=ZONE.key)
    twin("bare")
    twin("seed")
    with contextlib.ExitStack() as ending:
        other = None
        if given.writer:
            folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="wearable-bench-")))
            other = ending.enter_context(started(given.writer, folder))
        measuring = Run(trial, other, replaces=given.replaces)
        if not measuring.sees_server:
            print("THE SERVER IS NOT ON THIS MACHINE: only the program's processor time is counted.")
        measuring.warm(people)
        began = time.perf_counter()
        pairs = {
            size: [pair for _ in range(given.rounds) for person in people for pair in measuring.person(person, size)]
            for size in given.sizes
        }
        samples = max((day.samples for person in people for day in person), key=len)
        insert = measuring.insert(samples, given.inserts)
        print(f"{sum(map(len, pairs.values()))} payloads in {time.perf_counter() - began:.0f} s")
    report.show(pairs, insert.all / given.inserts)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--fitabase", type=Path, default=FITABASE, help="folder of real heart rates")
    arguments.add_argument("--people", type=int, help="at most so many people of those that are there")
    arguments.add_argument("--days", type=int, help="at most so many days of each")
    arguments.add_argument("--rounds", type=int, default=1, help="how often, each time for new participants")
    arguments.add_argument("--sizes", type=int, nargs="+", default=[1, 5, 30], help="days in one payload; first 1")
    arguments.add_argument("--inserts", type=int, default=2000, help="rows of the INSERT comparison")
    arguments.add_argument("--replaces", action="store_true", help="payloads say that they replace what is stored")
    arguments.add_argument("--writer", default="", metavar="COMMAND", help="another writer, to stand beside ours")
    given = arguments.parse_args()
    with bench.database() as tier:
        print(f"Server: {tier}")
        run(given)


if __name__ == "__main__":
    main()
