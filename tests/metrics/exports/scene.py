"""A trial with data of two people, and exports of it that are run at once."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from metrics.batch import Payload, SampleBatch, microseconds
from metrics.exports import export_request, runner, service
from metrics.models import Export
from metrics.writing.writer import store
from participants.models import Participant, Trial, User
from tests import factories
from tests.metrics.samples import CHARGE, PHONE, batch, random_day

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
