"""Several workers at once, each with a connection to the database of its own."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import transaction

from ingestion.connections import services as connections_services
from ingestion.models import SyncWindow
from ingestion.sync import claims
from ingestion.sync.run import run_sync
from metrics.models import Measurement
from tests.actors import another_user, at_once
from tests.ingestion.sync.conftest import connect
from tests.ingestion.sync.fake import FakeVendor

pytestmark = pytest.mark.django_db(transaction=True)


def test_twenty_workers_with_an_expired_token_refresh_once(vendor: FakeVendor, now: dt.datetime) -> None:
    mine = connect(now, token_hours=-1)
    tokens = at_once(20, lambda: connections_services.fresh_token(mine, vendor))
    assert (vendor.refreshes, set(tokens)) == (1, {"access-1"})


def test_twenty_workers_whose_token_is_refused_refresh_once(vendor: FakeVendor, now: dt.datetime) -> None:
    mine = connect(now)
    at_once(20, lambda: connections_services.fresh_token(mine, vendor, refused="access-0"))
    assert vendor.refreshes == 1


def hours(connection_id: int, now: dt.datetime, count: int) -> None:
    first = now.replace(minute=0) - dt.timedelta(hours=count)
    for n in range(count):
        start = first + dt.timedelta(hours=n)
        SyncWindow.objects.create(
            connection_id=connection_id, data_type="pulse", starts_at=start, ends_at=start + dt.timedelta(hours=1),
            due_at=now, reason="scheduled",
        )  # fmt: skip


def test_two_workers_never_hold_the_same_window(vendor: FakeVendor, now: dt.datetime) -> None:
    mine = connect(now)
    hours(mine.pk, now, 30)
    held = at_once(4, lambda: {window.pk for window in claims.claim(mine, now, 10)})
    assert sum(len(one) for one in held) == len(set().union(*held)) == 30


def test_a_worker_passes_over_what_another_is_about_to_claim_without_waiting(
    vendor: FakeVendor, now: dt.datetime
) -> None:
    mine = connect(now)
    hours(mine.pk, now, 5)
    with transaction.atomic():
        first = claims.claim(mine, now, 2)
        second = another_user(lambda: claims.claim(mine, now, 2))
        third = another_user(lambda: claims.claim(mine, now, 10))
    taken = [window.starts_at for window in [*first, *second, *third]]
    assert taken == sorted(taken, reverse=True)
    assert [len(first), len(second), len(third)] == [2, 2, 1]


def test_four_workers_on_one_connection_read_each_window_once(vendor: FakeVendor, now: dt.datetime) -> None:
    mine = connect(now)
    hours(mine.pk, now, 30)
    for n in range(30):
        vendor.points["pulse"][now.replace(minute=0) - dt.timedelta(hours=n + 1)] = 60.0 + n
    at_once(4, lambda: run_sync(mine.pk))
    while run_sync(mine.pk).windows:
        pass
    assert (len(vendor.requested), Measurement.objects.count()) == (30, 30)
