"""Erasure: by two people, complete, and no more than that."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from dashboards.models import Note
from ingestion.models import Connection, Device, ImportFile, SyncWindow, WebhookDelivery
from metrics.exports.runner import export_run
from metrics.exports.service import export_create
from metrics.models import ImplausibleCount, Measurement, ParticipantDay, Recompute
from metrics.storage import timescale
from participants.audit import hash_chain, record_view
from participants.models import AuditEntry, Erasure, Participant, User
from participants.privacy import consent
from participants.privacy import erasure as privacy_erasure
from participants.privacy.contacts import contact_store
from participants.privacy.data_map import data_inventory
from participants.services import pause_begin
from tests.dashboards.measured import NOON, heart_rate, steps, store
from tests.factories import AlertFactory, MembershipFactory, ParticipantFactory, UserFactory

pytestmark = pytest.mark.django_db
# Whatever the database, a file or a log could tell of them.
NEEDLES = ("ZEBRA-77", "Zelda", "zelda@example.org", "+31655577777", "google-user-777", "secret-arm")


@pytest.fixture(autouse=True)
def journal(settings: Any, tmp_path: Path) -> Path:
    settings.TOKEN_KEYS = ["a-key-for-the-tests"]
    settings.ERASURE_JOURNAL = str(tmp_path / "erasures.jsonl")
    return tmp_path / "erasures.jsonl"


@pytest.fixture
def person() -> Participant:
    """Somebody with a row in as many tables as possible, and a neighbour with the same."""
    somebody = ParticipantFactory.create(study_id="ZEBRA-77", status="active", arm="secret-arm")
    neighbour = ParticipantFactory.create(study_id="ZEBRA-7", trial=somebody.trial, status="active")
    for one, account in ((somebody, "google-user-777"), (neighbour, "google-user-7")):
        fill(one, account)
    Recompute.objects.create(
        trial=somebody.trial, why="x", asked_at=timezone.now(), people={"ZEBRA-77": [1, 0.5, 0.6], "ZEBRA-7": [1, 0, 1]}
    )
    return somebody  # type: ignore[no-any-return]


def fill(one: Participant, account: str) -> None:
    store(
        one, heart_rate(NOON, 30), steps(NOON, [1, 2]), steps(NOON + dt.timedelta(days=1), [-7])
    )  # one no one can walk
    store(one, heart_rate(NOON, 30, value=71.0))  # every value restated: Revisions
    contact_store(one, name="Zelda Z", email="zelda@example.org", phone="+31655577777")
    linked = Connection.objects.create(
        participant=one, trial=one.trial, provider="vendor", status="revoked", external_user_id=account
    )
    Device.objects.create(connection=linked, external_id=f"device-{account}", seen_at=NOON)
    SyncWindow.objects.create(
        connection=linked, data_type="steps", starts_at=NOON, ends_at=NOON, reason="manual", state="done", due_at=NOON
    )
    WebhookDelivery.objects.create(
        provider="vendor", body=json.dumps({"user": account}).encode(), received_at=timezone.now()
    )
    ImportFile.objects.create(
        trial=one.trial,
        sha256=f"{one.pk:064d}",
        name=f"a/{one.study_id}/steps.csv",
        size=1,
        format="x",
        whose="",
        started_at=timezone.now(),
    )
    AlertFactory.create(participant=one)
    Note.objects.create(participant=one, text=f"{one.study_id} called")
    pause_begin(one, starts_on=dt.date(2026, 11, 1), ends_on=dt.date(2026, 11, 2), reason="holiday of Zelda")
    document = consent.document_in_force(one.trial, dt.date(2026, 1, 1)) or consent.document_add(
        one.trial, version="1", title="Information", effective_on=dt.date(2026, 1, 1)
    )
    consent.consent_give(one, document, how="paper")
    record_view(one)


def everything() -> Iterator[tuple[str, str]]:
    """Every row of every table, as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')  # noqa: S608
            for (row,) in cursor.fetchall():
                yield table, row


def traces(*needles: str) -> set[tuple[str, str]]:
    found = set()
    for table, row in everything():
        for needle in needles:
            if needle in row.replace("\\\\x", "") or needle.encode().hex() in row:
                found.add((table, needle))
    return found


def erase(person: Participant) -> Erasure:
    first, second = UserFactory.create(), UserFactory.create()
    asked = privacy_erasure.erasure_request(person, by=first, reason="their letter")
    privacy_erasure.erasure_decide(asked, by=second, approve=True)
    privacy_erasure.erase(asked.pk)
    asked.refresh_from_db()
    return asked


def test_nothing_in_the_whole_database_names_them_any_more(person: Participant) -> None:
    assert {needle for _, needle in traces(*NEEDLES)} >= {"ZEBRA-77", "google-user-777", "secret-arm"}
    pk = person.pk
    erase(person)
    assert traces("ZEBRA-77", "google-user-777", "secret-arm") == set()
    assert not any(entry.of(person).exists() for entry in data_inventory())
    assert Participant.objects.get(pk=pk).study_id == f"erased-{pk}"


def test_their_neighbour_loses_nothing(person: Participant) -> None:
    neighbour = Participant.objects.get(study_id="ZEBRA-7")
    before = {h.model: h.of(neighbour).count() for h in data_inventory()}
    erase(person)
    assert {h.model: h.of(neighbour).count() for h in data_inventory()} == before
    assert WebhookDelivery.objects.count() == 1
    assert Recompute.objects.get().people == {"ZEBRA-7": [1, 0, 1]}
    assert ImportFile.objects.filter(name="a/ZEBRA-7/steps.csv").exists()


def test_it_is_reported_how_much_was_removed(person: Participant) -> None:
    assert erase(person).report["metrics.Measurement"] == 180 + 3


def test_days_of_nothing_but_impossible_values_are_erased_too(person: Participant) -> None:
    assert ImplausibleCount.objects.filter(participant=person).count() == 1
    assert erase(person).report["metrics.ImplausibleCount"] == 1
    assert not ImplausibleCount.objects.filter(participant=person.pk).exists()
    assert ImplausibleCount.objects.count() == 1


def test_the_audit_trail_still_holds_and_says_that_it_happened(person: Participant) -> None:
    hash_chain.checkpoint()
    erase(person)
    hash_chain.checkpoint()
    assert list(hash_chain.faults()) == []
    told = set(AuditEntry.objects.filter(participant=person.pk).values_list("action", flat=True))
    assert {"erasure.ask", "erasure.approve", "participant.erase", "participant.view"} <= told


def test_who_asked_cannot_approve(person: Participant) -> None:
    user = UserFactory.create()
    asked = privacy_erasure.erasure_request(person, by=user, reason="their letter")
    with pytest.raises(privacy_erasure.ErasureRefused, match="Another person"):
        privacy_erasure.erasure_decide(asked, by=user, approve=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        Erasure.objects.filter(pk=asked.pk).update(state="approved", decided_by=user)


def test_who_asked_may_take_it_back(person: Participant) -> None:
    user = UserFactory.create()
    asked = privacy_erasure.erasure_request(person, by=user, reason="their letter")
    privacy_erasure.erasure_decide(asked, by=user, approve=False)
    privacy_erasure.erase(asked.pk)
    assert Measurement.objects.filter(participant=person).exists()


def test_nothing_is_erased_before_it_is_approved(person: Participant) -> None:
    asked = privacy_erasure.erasure_request(person, by=UserFactory.create(), reason="their letter")
    privacy_erasure.erase(asked.pk)
    assert Measurement.objects.filter(participant=person).exists()


def test_approval_stops_their_data_at_once(person: Participant) -> None:
    asked = privacy_erasure.erasure_request(person, by=UserFactory.create(), reason="their letter")
    privacy_erasure.erasure_decide(asked, by=UserFactory.create(), approve=True)
    person.refresh_from_db()
    assert person.status == "withdrawn"


@pytest.mark.django_db(transaction=True)
def test_exports_that_hold_them_are_deleted_from_the_disk(person: Participant, settings: Any, tmp_path: Path) -> None:
    settings.EXPORT_FOLDER = str(tmp_path / "exports")
    user = MembershipFactory.create(trial=person.trial).user
    export = export_create(user, person.trial, format="csv", compressed=False)
    export_run(export.pk)
    held = [path for path in (tmp_path / "exports").glob("*/**/*") if path.is_file()]
    assert any(b"ZEBRA-77" in path.read_bytes() for path in held)
    erase(person)
    assert not list((tmp_path / "exports").glob("*/**/*"))
    export.refresh_from_db()
    assert export.state == "expired"


def test_carrying_it_out_again_changes_nothing(person: Participant) -> None:
    done = erase(person)
    report = done.report
    privacy_erasure.erase(done.pk)
    done.refresh_from_db()
    assert done.report == report


def test_a_worker_killed_after_the_deletion_leaves_it_done_with_its_counts(person: Participant, journal: Path) -> None:
    asked = privacy_erasure.erasure_request(person, by=UserFactory.create(), reason="their letter")
    privacy_erasure.erasure_decide(asked, by=UserFactory.create(), approve=True)
    privacy_erasure.remove(person, str(asked.public_id))
    privacy_erasure.erase(asked.pk)  # the next worker
    asked.refresh_from_db()
    assert (asked.state, asked.report["metrics.Measurement"]) == ("done", 183)
    assert len(journal.read_text().splitlines()) == 1


def test_a_restored_backup_forgets_them_again(
    person: Participant, journal: Path, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        erase(person)
    assert "ZEBRA" not in journal.read_text()
    # The backup brings the row and a measurement back.
    Participant.objects.filter(pk=person.pk).update(study_id="ZEBRA-77", status="active")
    store(Participant.objects.get(pk=person.pk), heart_rate(NOON, 1))
    call_command("reapply_erasures")
    assert not Measurement.objects.filter(participant=person.pk).exists()
    assert traces("ZEBRA-77") == set()


@pytest.mark.parametrize("text", ["{}", "[]", "nonsense", '{"participant": "x"}'])
def test_a_journal_that_is_none_is_refused(journal: Path, text: str) -> None:
    journal.write_text(text + "\n")
    with pytest.raises(Exception, match="line 1"):
        call_command("reapply_erasures")


def test_every_table_about_participants_is_known() -> None:
    """A new model with a path to Participant is found by itself; these are only the ones nobody may miss."""
    known = {entry.model for entry in data_inventory()}
    assert {Measurement, ParticipantDay, Note, SyncWindow, Device} <= known
    assert not {User, Recompute} & known


def test_members_of_other_trials_are_not_about_them(person: Participant) -> None:
    member = MembershipFactory.create(trial=person.trial)
    erase(person)
    assert type(member).objects.filter(pk=member.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_an_erasure_reaches_into_compressed_chunks() -> None:
    if timescale.tier() is not timescale.Tier.COMMUNITY:
        pytest.skip("needs TimescaleDB's Community edition")
    somebody = ParticipantFactory.create(study_id="ZEBRA-77", status="active")
    neighbour = ParticipantFactory.create(study_id="ZEBRA-7", trial=somebody.trial, status="active")
    for one in (somebody, neighbour):
        for days in (0, 30, 120):
            store(one, heart_rate(NOON - dt.timedelta(days=days), 60))
    tables = ("metrics_measurement", "metrics_minuterollup", "metrics_hourrollup")
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute("SELECT compress_chunk(c) FROM show_chunks(%s) c", [table])
    before = {h.model: h.of(neighbour).count() for h in data_inventory()}
    report = erase(somebody).report
    assert (report["metrics.Measurement"], report["metrics.MinuteRollup"]) == (3 * 360, 3 * 60)
    assert not any(entry.of(somebody).exists() for entry in data_inventory())
    assert {h.model: h.of(neighbour).count() for h in data_inventory()} == before
