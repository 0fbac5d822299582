"""Example of another writer for `make bench-ingest ARGS="--writer COMMAND"`: rows by psycopg's `executemany`, each
inserted or, where its time is stored already, updated. That is the common way of storing samples; no rollups.

    make bench-ingest ARGS="--writer 'python -m benchmarks.ingest.example_writer'"
"""

from __future__ import annotations

import csv
import os
import sys
from typing import Any

import psycopg

TABLE = """
CREATE TABLE sample (
    participant integer, time timestamptz, value double precision, PRIMARY KEY (participant, time)
)
"""
UPSERT = """
INSERT INTO sample VALUES (%s, %s, %s) ON CONFLICT (participant, time) DO UPDATE SET value = excluded.value
"""


def say(line: object) -> None:
    print(line, flush=True)


def main() -> None:
    rows: list[Any] = []
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute(TABLE)
        connection.commit()
        say("ready")
        for line in sys.stdin:
            word, _, path = line.strip().partition(" ")
            if word == "read":
                with open(path, newline="") as file:
                    rows = list(csv.reader(file))[1:]
                say("ready")
            elif word == "store":
                with connection.cursor() as cursor:
                    cursor.executemany(UPSERT, rows)
                connection.commit()
                say(len(rows))


if __name__ == "__main__":
    main()
