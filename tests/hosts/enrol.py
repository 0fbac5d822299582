"""Enrols and connects participants of a demo trial: python -m tests.hosts.enrol PEOPLE SIMULATOR."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import django

from benchmarks.stack import Stack, connect_all
from config.embedded.processes import Child


def main(people: int, simulator: str) -> None:
    django.setup()
    nobody = Child("simulator", [], {}, None)
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    connected = connect_all(Stack(Path.cwd(), simulator, {}, nobody), people, yesterday, code="HOSTS")
    assert len(connected) == people


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
