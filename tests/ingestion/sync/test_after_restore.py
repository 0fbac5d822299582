"""After a restore the windows and cursors are those of then, so that what is missing is asked for by itself."""

from __future__ import annotations

import datetime as dt

import time_machine
from django.core.management import call_command
from django.db import transaction
from pytest_django import Settings

from ingestion.models import Connection
from metrics.models import DayRollup, HourRollup, Measurement
from tests.ingestion.sync.fake import FakeVendor

HOUR = dt.timedelta(hours=1)


def stored() -> list[list[tuple[object, ...]]]:
    return [
        list(Measurement.objects.order_by("time").values_list("time", "value")),
        list(HourRollup.objects.order_by("bucket").values_list("bucket", "n", "total")),
        list(DayRollup.objects.order_by("date").values_list("date", "n", "total")),
    ]


def test_after_a_restore_to_the_day_before_the_next_pass_reads_what_is_missing(
    connection: Connection, vendor: FakeVendor, now: dt.datetime, settings: Settings
) -> None:
    settings.LIVE_PROVIDERS = {"fake": {}}
    pulse = vendor.points["pulse"]
    yesterday = now - 24 * HOUR
    pulse.update({yesterday - hours * HOUR: 60.0 + hours for hours in range(1, 48)})
    with time_machine.travel(yesterday, tick=False):
        call_command("sync")
    then = stored()
    backup = transaction.savepoint()
    # A day's samples come, and an hour of the day before is restated: late, as uploads are.
    pulse.update({now - hours * HOUR: 70.0 + hours for hours in range(1, 24)})
    pulse[yesterday - 3 * HOUR] = 99.0
    call_command("sync")
    lost = stored()
    transaction.savepoint_rollback(backup)
    assert stored() == then != lost
    call_command("sync")
    assert stored() == lost
    assert len(stored()[0]) == len(pulse)
