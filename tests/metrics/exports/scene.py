"""A trial with data of two people, and exports of it that are run at once."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import numpy as np
from django.db import connection

from metrics.batch import Payload, SampleBatch, microseconds
from metrics.exports import export_request, runner, service
from metrics.models import Export
from metrics.writing.writer import store
from participants.models import Participant, Trial, User
from tests import factories
from tests.metrics.samples import CHARGE, PHONE, batch, random_day
from tests.paths import ROOT

FIRST = dt.datetime(2026, 10, 24, tzinfo=dt.UTC)
NOW = dt.datetime(2026, 11, 23, 8, 12, tzinfo=dt.UTC)


def manager_of(trial: Trial, **more: Any) -> User:
    user: User = factories.MembershipFactory.create(trial=trial, **more).user
    return user


def person(trial: Trial, study_id: str, **more: Any) -> Participant:
    found: Participant = factories.ParticipantFactory.create(
        trial=trial, study_id=study_id, monitoring_starts_on=FIRST.date(), **more
    )
    return found


def fill(someone: Participant, seed: int = 1, days: int = 3) -> None:
    """Heart rates of some days around the end of summer time, steps, and a daily value; from two sources."""
    parts: list[SampleBatch] = [
        random_day(seed * 100 + n, start=FIRST + n * dt.timedelta(days=1), rows=800) for n in range(days)
    ]
    steps = np.random.default_rng(seed).integers(0, 90, 600).astype(float)
    parts.append(batch(list(steps), start=FIRST + dt.timedelta(hours=8), step=60, metric="steps", seconds=60))
    parts.append(
        batch(list(steps[:50]), start=FIRST + dt.timedelta(hours=9), step=60, metric="steps", source=PHONE, seconds=60)
    )
    midnight = FIRST - dt.timedelta(hours=2)
    parts.append(SampleBatch("resting_heart_rate", CHARGE, np.array([microseconds(midnight)]), np.array([61.5])))
    store(someone, Payload(samples=parts), now=NOW)


def exported(user: User, trial: Trial, **filters: Any) -> Export:
    """An export, asked for and written."""
    export = service.create(user, export_request.check(user, trial, **filters))
    runner.export_run(export.pk)
    export.refresh_from_db()
    assert export.state == Export.State.DONE, export.error
    return export


SLOWLY = """
import sys, time
import django
django.setup()
from metrics.exports import runner
keep = runner.keep
def slowly(*args):
    keep(*args)
    time.sleep(0.7)
runner.keep = slowly
runner.export_run(int(sys.argv[1]))
"""


def killed_half_way(export: Export, environment: Mapping[str, str]) -> None:
    """Have a worker of its own write the export, and kill it when some files are whole. Committed rows only."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    address = urlunsplit(parts._replace(path="/" + quote(str(connection.settings_dict["NAME"]))))
    told = {"DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "config.settings", **environment}
    worker = subprocess.Popen([sys.executable, "-c", SLOWLY, str(export.pk)], env={**os.environ, **told}, cwd=ROOT)
    deadline = time.monotonic() + 30
    while export.files.count() < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
