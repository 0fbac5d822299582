"""Maintenance of chunks: their length, compressing, compressing again after late data. Most of it on Community."""

from __future__ import annotations

import datetime as dt
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from metrics import erasure as metrics_erasure
from metrics.maintenance.routine import maintain
from metrics.models import Measurement, MinuteRollup
from metrics.storage import sql, timescale
from metrics.storage.hypertables import SIZED, STEPS, chunks, days_a_chunk, intervals, resize
from metrics.storage.timescale import Tier
from metrics.writing.writer import Counts, store
from tests.factories import ParticipantFactory
from tests.metrics.samples import NOON, NOW, batch, deliver, random_day

SHORT, MIDDLE, LONG = STEPS[2][1], STEPS[1][1], STEPS[0][1]


@pytest.fixture
def community(transactional_db: None) -> None:
    if timescale.tier() is not Tier.COMMUNITY:
        pytest.skip("needs TimescaleDB's Community edition")
    # The database's own jobs would do what is tested here, when they like.
    execute("SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs WHERE job_id >= 1000")


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("people", "now", "then"),
    [
        (0, LONG, LONG),
        (149, LONG, LONG),
        (150, LONG, MIDDLE),
        (1000, LONG, SHORT),
        (1000, MIDDLE, SHORT),
        (800, SHORT, SHORT),  # around a step nothing changes to and fro
        (690, SHORT, MIDDLE),
        (120, MIDDLE, MIDDLE),
        (100, MIDDLE, LONG),
        (40, SHORT, LONG),
        (200, (2, 2, 2), MIDDLE),  # an operator's own lengths
    ],
)
def test_chunks_are_the_shorter_the_more_participants_and_do_not_flap(
    people: int, now: tuple[int, ...], then: tuple[int, ...]
) -> None:
    assert days_a_chunk(people, now) == then


@pytest.mark.django_db
def test_the_length_of_new_chunks_changes_and_those_there_stay() -> None:
    if timescale.tier() is Tier.PLAIN:
        assert resize(1000) == {}
        return
    store(ParticipantFactory(), deliver(batch([60])), now=NOW)
    before = chunks()
    assert resize(1000) == {"metrics_measurement": (7, 1)}
    assert intervals(SIZED)["metrics_measurement"] == dt.timedelta(days=1)
    assert resize(1000) == {}
    assert chunks() == before


@pytest.mark.django_db(transaction=True)
def test_maintenance_has_nothing_to_do_in_an_empty_store() -> None:
    out = StringIO()
    call_command("store_care", stdout=out)
    assert out.getvalue() == "Nothing to do.\n"


def test_maintenance_compresses_what_the_policy_left_and_again_what_late_data_touched(community: None) -> None:
    person = ParticipantFactory()
    store(person, deliver(random_day(1)), now=NOW)
    assert len(maintain(NOW).compressed) >= 3  # raw, minutes, hours; a day from noon may lie in two chunks
    assert all(chunk.compressed and not chunk.partial for chunk in chunks(SIZED))

    assert store(person, deliver(batch([60, 61], start=NOON - dt.timedelta(hours=3))), now=NOW) == Counts(new=2)
    assert any(chunk.partial for chunk in chunks(SIZED))
    done = maintain(NOW)
    assert done.recompressed
    assert not done.compressed
    assert not done.left
    assert not any(chunk.partial for chunk in chunks(SIZED))
    assert maintain(NOW).lines() == ["Nothing to do."]


def test_young_chunks_are_left_to_the_writer(community: None) -> None:
    store(ParticipantFactory(), deliver(batch([60])), now=NOW)
    assert maintain(NOON + dt.timedelta(days=30)).compressed == []


def test_a_locked_chunk_is_left_for_the_next_time(community: None, monkeypatch: pytest.MonkeyPatch) -> None:
    store(ParticipantFactory(), deliver(batch([60])), now=NOW)
    monkeypatch.setattr(sql, "SHORT_LOCK", "SELECT set_config('lock_timeout', '20ms', true)")
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(f"LOCK TABLE {chunks(SIZED)[0].name} IN ACCESS EXCLUSIVE MODE")
            done = maintain(NOW)
    finally:
        other.close()
    assert done.left == [chunks(SIZED)[0].name]
    assert len(maintain(NOW).compressed) == 1


def test_no_limit_of_the_server_stops_late_data_or_an_erasure_in_compressed_chunks(community: None) -> None:
    person, day = ParticipantFactory(), random_day(1)
    store(person, deliver(day), now=NOW)
    maintain(NOW)
    changed = batch([99.5] * 2000, start=NOON, step=30)
    execute("SET timescaledb.max_tuples_decompressed_per_dml_transaction = 10")
    try:
        with pytest.raises(Exception, match="tuple decompression limit exceeded"):
            Measurement.objects.update(value=1)
        counts = store(person, deliver(changed), now=NOW)
        assert counts.new + counts.changed + counts.unchanged == 2000
        maintain(NOW)
        assert metrics_erasure.erase(person)["metrics.Measurement"] > 3000
    finally:
        execute("RESET timescaledb.max_tuples_decompressed_per_dml_transaction")
    assert not Measurement.objects.exists()
    assert not MinuteRollup.objects.exists()


def test_a_great_deal_of_late_data_leaves_no_swollen_index(community: None) -> None:
    person = ParticipantFactory()
    store(person, deliver(batch([60])), now=NOW)
    maintain(NOW)
    store(person, deliver(batch([70] * 40_000, start=NOON - dt.timedelta(days=3), step=2)), now=NOW)
    assert maintain(NOW).recompressed
    for chunk in chunks(["metrics_measurement"]):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_indexes_size(%s::regclass)", [chunk.name])
            assert cursor.fetchone()[0] < 100_000


def test_another_migrate_leaves_compression_as_it_is(community: None) -> None:
    def jobs() -> list[tuple[int]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT job_id FROM timescaledb_information.jobs WHERE config ? 'compress_after' ORDER BY 1")
            return list(cursor.fetchall())

    before = jobs()
    timescale.enable_compression(30)
    assert jobs() == before
    timescale.enable_compression(12)
    assert jobs() != before
    timescale.enable_compression(30)
