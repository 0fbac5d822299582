"""The report on the store, on each kind of server."""

from __future__ import annotations

import datetime as dt
import json
from io import StringIO

import pytest
from django.core.management import call_command

from metrics.maintenance.routine import maintain
from metrics.maintenance.store_report import report
from metrics.storage import timescale
from metrics.storage.hypertables import SIZED
from metrics.storage.timescale import Tier
from metrics.writing.writer import store
from tests.factories import ParticipantFactory, TrialFactory
from tests.metrics.samples import NOON, NOW, batch, deliver, random_day

pytestmark = pytest.mark.django_db


def test_rows_bytes_and_the_largest_participants_are_told() -> None:
    person, other = ParticipantFactory(trial__code="WALK", study_id="P-1"), ParticipantFactory()
    store(person, deliver(random_day(1, rows=500)), now=NOW)
    store(other, deliver(batch([60])), now=NOW)
    found = report(NOW, exact=True)
    raw = found.tables[0]
    assert (raw.name, raw.rows) == ("metrics_measurement", sum(one.samples for one in found.largest))
    assert raw.bytes >= raw.table_bytes + raw.index_bytes > 0
    assert raw.bytes_a_row is not None
    assert found.largest[0].participant == "WALK/P-1"
    assert found.tier == timescale.tier().value
    assert {one.table for one in found.chunks} >= (set() if timescale.tier() is Tier.PLAIN else set(SIZED))


def test_it_reads_well_on_a_terminal_and_as_json() -> None:
    TrialFactory(code="SHORT", retain_raw_days=120)
    store(ParticipantFactory(), deliver(batch([60])), now=NOW)
    out = StringIO()
    call_command("store_report", stdout=out)
    assert out.getvalue().startswith(timescale.tier().value)
    assert "metrics_minuterollup" in out.getvalue()
    assert "SHORT keeps samples for 120 days." in out.getvalue()
    out = StringIO()
    call_command("store_report", "--json", "--exact", stdout=out)
    assert json.loads(out.getvalue())["tables"][0]["rows"] == 1


@pytest.mark.django_db(transaction=True)
def test_it_says_how_far_compression_went_and_what_waits() -> None:
    if timescale.tier() is not Tier.COMMUNITY:
        pytest.skip("needs TimescaleDB's Community edition")
    person = ParticipantFactory()
    store(person, deliver(random_day(1)), now=NOW)
    assert any("wait to be compressed." in line for line in report(NOW).next)
    maintain(NOW)
    found = report(NOW)
    assert found.tables[0].ratio is not None
    assert found.next == ["Nothing waits to be done."]
    store(person, deliver(batch([60], start=NOON - dt.timedelta(hours=2))), now=NOW)
    assert any("compressed anew" in line for line in report(NOW).next)
    assert found.chunks[0].compressed >= 1
