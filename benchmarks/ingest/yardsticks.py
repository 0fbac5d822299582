"""What the writer is measured by: a bare binary COPY of the same rows, and one INSERT a row, into identical tables."""

from __future__ import annotations

import numpy as np
from django.db import connection

from metrics.batch import SampleBatch

PG_EPOCH = 946_684_800_000_000
BARE_COPY = "COPY bare (participant_id, metric_id, source_id, time, value) FROM STDIN (FORMAT BINARY)"
INSERT = "INSERT INTO seed (participant_id, metric_id, source_id, time, value) VALUES (%s, 1, 1, to_timestamp(%s), %s)"
ROW = np.dtype(
    [
        *(("fields", ">i2"), ("l1", ">i4"), ("participant", ">i4"), ("l2", ">i4"), ("metric", ">i2"), ("l3", ">i4")),
        *(("source", ">i2"), ("l4", ">i4"), ("time", ">i8"), ("l5", ">i4"), ("value", ">f8")),
    ]
)


def wire(participant: int, samples: SampleBatch) -> bytes:
    """COPY's bytes, made beforehand: what is measured is the server's work, and handing them over."""
    rows = np.empty(len(samples), ROW)
    rows["fields"], rows["participant"], rows["metric"], rows["source"] = 5, participant, 1, 1
    rows["l1"], rows["l2"], rows["l3"], rows["l4"], rows["l5"] = 4, 2, 2, 8, 8
    rows["time"], rows["value"] = samples.time - PG_EPOCH, samples.value
    return b"".join((b"PGCOPY\n\xff\r\n\0" + b"\0" * 8, rows.tobytes(), b"\xff\xff"))


def bare_copy(data: bytes) -> None:
    with connection.cursor() as cursor, cursor.copy(BARE_COPY) as copy:
        copy.write(data)


def insert_rows(participant: int, samples: SampleBatch, n: int) -> None:
    with connection.cursor() as cursor:
        for at, value in zip(samples.time[:n].tolist(), samples.value[:n].tolist(), strict=True):
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
