"""Comparison of the store with a simulator's ground truth, row for row: what is missing, extra or wrong."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from ingestion.models import Connection
from ingestion.providers.google_health.config import GoogleConfig
from ingestion.providers.google_health.data_types import DATA_TYPES
from ingestion.providers.google_health.google_type import Kind
from metrics.batch import MICROSECOND, instant, microseconds
from metrics.models import Measurement, SleepSession, Source
from metrics.registry import BY_ID

NIGHTS = "sleep"
# Adding up is not exact: values that differ by less than this part of themselves are the same.
SAME = 1e-9
Rows = tuple[NDArray[np.int64], NDArray[np.float64]]
SeriesName = tuple[str, str, str]  # metric, platform, device


@dataclass(slots=True)
class Difference:
    """Difference in rows of one metric: how many there should be, are missing, are extra, or have another value.

    `examples`: the first that differ, as text.
    """

    rows: int = 0
    missing: int = 0
    extra: int = 0
    wrong: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def none(self) -> bool:
        return not (self.missing or self.extra or self.wrong)

    def __iadd__(self, other: Difference) -> Difference:
        self.rows, self.missing = self.rows + other.rows, self.missing + other.missing
        self.extra, self.wrong = self.extra + other.extra, self.wrong + other.wrong
        self.examples = (self.examples + other.examples)[:5]
        return self


class Comparison:
    """Comparison of connections with the simulator at an address."""

    def __init__(self, http: httpx.Client, address: str) -> None:
        self._http = http
        self._address = address
        self._provider = GoogleConfig(client_id="", client_secret="", synthetic=True).origin.provider
        self._sources = {row.pk: row for row in Source.objects.filter(provider=self._provider)}

    def compare(self, connection: Connection, start: dt.datetime, end: dt.datetime) -> dict[str, Difference]:
        """Differences by metric, and of the nights; exercise is not compared. Half-open; of the data types that the
        consent covers.

        Raises httpx errors.
        """
        differences: dict[str, Difference] = defaultdict(Difference)
        allowed = [data_type for data_type in DATA_TYPES.values() if data_type.scope in connection.scopes]
        metrics = [metric for data_type in allowed for metric in data_type.metrics]
        at = start
        while at < end:
            until = min(at + dt.timedelta(days=1), end)
            ground_truth: dict[SeriesName, Rows] = {}
            for data_type in allowed:
                if data_type.metrics:
                    ground_truth |= self._ground_truth(connection, data_type.code, at, until)
            store = self._stored(connection, metrics, at, until)
            nothing = (np.empty(0, np.int64), np.empty(0))
            for name in ground_truth.keys() | store.keys():
                differences[name[0]] += _difference(name, ground_truth.get(name, nothing), store.get(name, nothing))
            at = until
        if any(data_type.kind is Kind.SLEEP for data_type in allowed):
            differences[NIGHTS] += self._nights(connection, start, end)
        return differences

    def _request(self, connection: Connection, name: str, start: dt.datetime, end: dt.datetime, **more: str) -> bytes:
        parameters = {"user": connection.external_user_id, "start": start.isoformat(), "end": end.isoformat(), **more}
        return self._http.get(f"{self._address}/_sim/{name}", params=parameters, timeout=120).raise_for_status().content

    def _ground_truth(
        self, connection: Connection, code: str, start: dt.datetime, end: dt.datetime
    ) -> dict[SeriesName, Rows]:
        table = pa.ipc.open_stream(self._request(connection, "truth", start, end, type=code, format="arrow")).read_all()
        parts: dict[SeriesName, list[Rows]] = defaultdict(list)
        for batch in table.to_batches():
            if batch.num_rows:
                name = tuple(str(batch.column(column)[0]) for column in ("metric", "platform", "device"))
                columns = [batch.column(column).to_numpy() for column in ("time", "value")]
                parts[name].append((columns[0], columns[1]))  # type: ignore[index]
        return {
            name: _one_each(
                np.concatenate([rows[0] for rows in all_rows]), np.concatenate([rows[1] for rows in all_rows])
            )
            for name, all_rows in parts.items()
        }

    def _stored(
        self, connection: Connection, metrics: list[str], start: dt.datetime, end: dt.datetime
    ) -> dict[SeriesName, Rows]:
        rows = Measurement.objects.filter(
            participant=connection.participant_id, source__in=self._sources, time__gte=start, time__lt=end
        ).values_list("metric_id", "source_id", "time", "value")
        times: dict[tuple[int, int], list[int]] = defaultdict(list)
        values: dict[tuple[int, int], list[float]] = defaultdict(list)
        for metric, source, time, value in rows.order_by("metric_id", "source_id", "time").iterator(20_000):
            times[metric, source].append(microseconds(time))
            values[metric, source].append(value)
        series = {}
        for (metric, source), instants in times.items():
            stored_source, code = self._sources[source], BY_ID[metric].code
            if code in metrics:
                # Which application passed it on is ours to add to the platform.
                platform = stored_source.platform.partition("/")[0]
                series[code, platform, stored_source.device_model] = (
                    np.array(instants),
                    np.array(values[metric, source]),
                )
        return series

    def _nights(self, connection: Connection, start: dt.datetime, end: dt.datetime) -> Difference:
        ground_truth = {}
        for night in orjson.loads(self._request(connection, "nights", start, end))["nights"]:
            stages = sorted([int(at) // MICROSECOND, seconds, stage] for at, seconds, stage in night["stages"])
            ground_truth[night["id"]] = (
                instant(night["starts_at"]),
                instant(night["ends_at"]),
                stages,
                night["processed"],
            )
        sessions = SleepSession.objects.filter(
            participant=connection.participant_id, source__in=self._sources, ends_at__gte=start, ends_at__lt=end
        )
        store = {session.external_id: session for session in sessions}
        result = Difference(
            len(ground_truth), len(ground_truth.keys() - store.keys()), len(store.keys() - ground_truth.keys())
        )
        result.examples = [f"{NIGHTS} {name}" for name in sorted(ground_truth.keys() ^ store.keys())][:5]
        for name in ground_truth.keys() & store.keys():
            session = store[name]
            began = int(session.starts_at.timestamp())
            stored = (
                session.starts_at,
                session.ends_at,
                [[began + at, n, stage] for at, n, stage in session.stages],
                session.processed,
            )
            if stored != ground_truth[name]:
                result.wrong += 1
                result.examples.append(f"{NIGHTS} {name} differs")
        return result


def _one_each(time: NDArray[np.int64], value: NDArray[np.float64]) -> Rows:
    """Rows ascending, and of several values at one instant the highest, as the provider takes them."""
    order = np.lexsort((value, time))
    time, value = time[order], value[order]
    last = np.append(time[1:] != time[:-1], True) if len(time) else np.empty(0, bool)
    return time[last], value[last]


def _difference(name: SeriesName, ground_truth: Rows, store: Rows) -> Difference:
    result = Difference(rows=len(ground_truth[0]))
    both, in_ground_truth, in_store = np.intersect1d(ground_truth[0], store[0], assume_unique=True, return_indices=True)
    result.missing, result.extra = len(ground_truth[0]) - len(both), len(store[0]) - len(both)
    off = ~np.isclose(ground_truth[1][in_ground_truth], store[1][in_store], rtol=SAME, atol=SAME)
    result.wrong = int(np.count_nonzero(off))
    result.examples = list(_examples(name, ground_truth, store, both[off]))[:5]
    return result


def _examples(name: SeriesName, ground_truth: Rows, store: Rows, off: NDArray[np.int64]) -> Iterator[str]:
    label = " ".join(part for part in name if part)
    for word, times in (
        ("missing", np.setdiff1d(ground_truth[0], store[0])),
        ("extra", np.setdiff1d(store[0], ground_truth[0])),
        ("wrong", off),
    ):
        for at in times[:2]:
            yield f"{label} {instant(int(at)).isoformat()} {word}"
