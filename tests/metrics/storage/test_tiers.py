"""The same migrations on plain PostgreSQL and on both editions of TimescaleDB."""

from __future__ import annotations

import datetime as dt
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from metrics.models import Measurement, Metric, Revision
from metrics.registry import METRICS
from metrics.storage import timescale
from metrics.storage.timescale import Tier
from metrics.writing.writer import Counts, store
from tests.factories import ParticipantFactory
from tests.metrics.samples import NOON, NOW, batch, deliver

pytestmark = pytest.mark.django_db


def fetch(statement: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def test_check_names_the_tier_in_use() -> None:
    out = StringIO()
    call_command("check", stdout=out, stderr=StringIO())
    assert timescale.tier().value in out.getvalue()


def test_the_big_tables_are_hypertables_where_there_is_timescaledb() -> None:
    expected = {f"metrics_{name}" for name in ("measurement", "minuterollup", "hourrollup", "revision")}
    assert timescale.hypertables() == (set() if timescale.tier() is Tier.PLAIN else expected)


def test_measurements_have_one_index_their_natural_key() -> None:
    assert fetch("SELECT indexname FROM pg_indexes WHERE tablename = 'metrics_measurement'") == [
        ("measurement_natural_key",)
    ]


def test_the_metric_table_holds_the_registry() -> None:
    assert list(Metric.objects.values_list("id", "code", "unit")) == [(m.id, m.code, m.unit) for m in METRICS]


def test_metric_ids_and_codes_are_unique() -> None:
    assert len({m.id for m in METRICS}) == len({m.code for m in METRICS}) == len(METRICS)


def test_a_measurement_can_be_had_by_its_composite_key() -> None:
    person = ParticipantFactory()
    store(person, deliver(batch([60])), now=NOW)
    found = Measurement.objects.get(participant=person)
    assert Measurement.objects.get(pk=found.pk).value == 60


@pytest.mark.django_db(transaction=True)
def test_compressed_chunks_take_late_and_changed_data() -> None:
    if timescale.tier() is not Tier.COMMUNITY:
        pytest.skip("needs TimescaleDB's Community edition")
    person = ParticipantFactory()
    store(person, deliver(batch([60, 61, 62, 63])), now=NOW)
    fetch("SELECT compress_chunk(c) FROM show_chunks('metrics_measurement') c")
    assert fetch(
        "SELECT bool_and(is_compressed) FROM timescaledb_information.chunks"
        " WHERE hypertable_name = 'metrics_measurement'"
    ) == [(True,)]
    changed = batch([60, 99, 62, 63, 64])
    assert store(person, deliver(changed), now=NOW) == Counts(new=1, changed=1, unchanged=3)
    earlier = batch([50], start=NOON - dt.timedelta(minutes=5))
    assert store(person, deliver(earlier), now=NOW) == Counts(new=1)
    assert list(Measurement.objects.order_by("time").values_list("value", flat=True)) == [50, 60, 99, 62, 63, 64]
    assert Revision.objects.get().old_value == 61


def test_the_community_edition_compresses_by_policy() -> None:
    if timescale.tier() is not Tier.COMMUNITY:
        pytest.skip("needs TimescaleDB's Community edition")
    jobs = fetch("SELECT hypertable_name FROM timescaledb_information.jobs WHERE proc_name = 'policy_compression'")
    assert {name for (name,) in jobs} >= {"metrics_measurement", "metrics_minuterollup", "metrics_hourrollup"}
