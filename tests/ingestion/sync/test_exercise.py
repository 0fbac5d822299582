"""A data type that brings sessions instead of samples goes the same way through windows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

import pytest

from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.live import DataType, Pulled
from ingestion.sync.run import run_sync
from metrics.batch import ExerciseRecord, Payload, Sessions
from metrics.local_time import LocalCalendar
from metrics.models import ExerciseSession
from tests.conftest import SetUpProviders
from tests.ingestion.sync.fake import SOURCE, FakeVendor

HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)
OUTING = DataType(code="outing", metrics=(), scope="move", window=HOUR, sessions=Sessions.EXERCISE)
MakeWindow = Callable[..., SyncWindow]


class Outings(FakeVendor):
    """A vendor of exercise alone, of ten minutes each."""

    @property
    def data_types(self) -> Mapping[str, DataType]:
        return {"outing": OUTING}

    def pull(
        self, access_token: str, data_type: str, start: dt.datetime, end: dt.datetime, calendar: LocalCalendar
    ) -> Pulled:
        begun = sorted(at for at in self.points.get(data_type, {}) if start <= at < end)
        found = [ExerciseRecord(SOURCE, at.isoformat(), at, at + 10 * MINUTE, "walk") for at in begun]
        return Pulled(Payload(exercise=found), points=len(found), requests=1)


@pytest.fixture
def vendor(vendor: FakeVendor, set_up_providers: SetUpProviders) -> FakeVendor:
    made = Outings()
    set_up_providers(made)
    return made


def test_exercise_is_stored_and_counted_in_the_window_of_its_start(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    earlier, later = window(hours=3, data_type="outing"), window(hours=2, data_type="outing")
    vendor.points["outing"] = {earlier.starts_at + 55 * MINUTE: 1, later.starts_at: 1, later.starts_at + HOUR / 2: 1}
    outcome = run_sync(connection.pk)
    assert (outcome.counts.exercise_new, ExerciseSession.objects.count()) == (3, 3)
    assert list(SyncWindow.objects.order_by("starts_at").values_list("state", "points")) == [("done", 1), ("done", 2)]


def test_exercise_read_again_changes_nothing(connection: Connection, vendor: FakeVendor, window: MakeWindow) -> None:
    vendor.points["outing"] = {window(data_type="outing").starts_at: 1}
    run_sync(connection.pk)
    SyncWindow.objects.update(state="due")
    counts = run_sync(connection.pk).counts
    assert (counts.exercise_new, counts.exercise_unchanged, counts.exercise_removed) == (0, 1, 0)


def test_exercise_that_is_no_longer_told_is_taken_away(
    connection: Connection, vendor: FakeVendor, window: MakeWindow
) -> None:
    vendor.points["outing"] = {window(data_type="outing").starts_at: 1}
    run_sync(connection.pk)
    vendor.points["outing"].clear()
    SyncWindow.objects.update(state="due")
    assert run_sync(connection.pk).counts.exercise_removed == 1
    assert not ExerciseSession.objects.exists()
