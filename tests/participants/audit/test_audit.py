"""The audit trail: what is recorded of whom, that it can only grow, and that tampering is found."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client

from participants.audit import acting, chain_head, hash_chain, record, record_view
from participants.models import AuditCheckpoint, AuditDetail, AuditEntry, AuditHead
from participants.services import participant_withdraw
from tests.factories import MembershipFactory, ParticipantFactory

pytestmark = pytest.mark.django_db


def tamper(statement: str) -> None:
    """As somebody with the database's own rights would."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET session_replication_role = replica")  # no trigger fires
        cursor.execute(statement)
        cursor.execute("SET session_replication_role = origin")


@pytest.fixture
def chained() -> list[AuditEntry]:
    """Five entries with checkpoints, the middle one with a detail."""
    person = ParticipantFactory.create()
    entries = [record("test.one"), record("test.two"), record("test.three", participant=person, new={"arm": "B"})]
    entries += [record("test.four"), record("test.five")]
    hash_chain.checkpoint()
    return entries


def test_an_audit_trail_that_nobody_touched_holds(chained: list[AuditEntry]) -> None:
    assert list(hash_chain.faults()) == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE participants_auditentry SET action = 'test.Three' WHERE action = 'test.three'",
        "UPDATE participants_auditentry SET at = at + interval '1 microsecond' WHERE action = 'test.one'",
        "UPDATE participants_auditentry SET thing = 'x' WHERE action = 'test.five'",
        'UPDATE participants_auditdetail SET new = \'{"arm": "C"}\'',
        "UPDATE participants_auditdetail SET reason = ' '",
        "UPDATE participants_auditseal SET position = position + 10 WHERE position = 5",
        "UPDATE participants_auditseal SET mac = reverse(mac) WHERE position = 2",
        "DELETE FROM participants_auditdetail",
        "DELETE FROM participants_auditseal WHERE position = 3",
        "DELETE FROM participants_auditseal WHERE position = 5",
        "DELETE FROM participants_auditentry WHERE action = 'test.one'",
        "DELETE FROM participants_auditentry WHERE action = 'test.five'",
        "DELETE FROM participants_audithead",
    ],
)
def test_any_change_of_any_row_is_found(chained: list[AuditEntry], change: str) -> None:
    tamper(change)
    with pytest.raises(CommandError, match="does not hold"):
        call_command("verify_audit")


def test_the_newest_entries_cut_off_with_their_checkpoints_are_missed(chained: list[AuditEntry]) -> None:
    tamper("DELETE FROM participants_auditentry WHERE action = 'test.five'")
    tamper("DELETE FROM participants_auditseal WHERE position = 5")
    assert any("cut off" in fault for fault in hash_chain.faults())


def test_a_noted_head_proves_what_was_before_it(chained: list[AuditEntry]) -> None:
    noted = hash_chain.head()
    for table in ("auditseal", "auditdetail", "auditentry"):
        tamper(f"DELETE FROM participants_{table}")  # noqa: S608
    AuditHead.objects.update(**hash_chain.first())  # which was kept since the beginning
    record("test.forged")
    hash_chain.checkpoint()
    assert list(hash_chain.faults()) == []
    assert list(hash_chain.faults(noted=noted))


# --- Emptied ---


@pytest.mark.parametrize("table", ["auditentry, participants_auditdetail", "auditdetail", "auditseal", "audithead"])
def test_the_database_refuses_to_empty_the_audit_trail(chained: list[AuditEntry], table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE participants_{table} CASCADE")


EMPTIED = ("entry, participants_auditdetail", "detail", "seal", "head")


@pytest.mark.parametrize("tables", [*((one,) for one in EMPTIED), EMPTIED], ids=" ".join)
def test_what_was_emptied_all_the_same_is_found(chained: list[AuditEntry], tables: tuple[str, ...]) -> None:
    for table in tables:
        tamper(f"TRUNCATE participants_audit{table} CASCADE")
    assert list(hash_chain.faults())


def test_an_emptied_audit_trail_gets_no_new_checkpoints(chained: list[AuditEntry]) -> None:
    for table in EMPTIED:
        tamper(f"TRUNCATE participants_audit{table} CASCADE")
    record("test.forged")
    assert hash_chain.checkpoint() == 0
    hash_chain.begin()  # what an upgrade asks for
    assert hash_chain.checkpoint() == 0
    assert any("emptied" in fault for fault in hash_chain.faults())


def test_a_new_audit_trail_holds_before_there_is_a_checkpoint() -> None:
    assert AuditHead.objects.get().position == 0
    assert list(hash_chain.faults()) == []


# --- Without a checkpoint, copied, erased ---


@pytest.mark.parametrize(("age", "found"), [(dt.timedelta(days=2, minutes=1), True), (dt.timedelta(days=1), False)])
def test_an_entry_that_was_slipped_in_with_an_old_date_is_found(age: dt.timedelta, found: bool) -> None:
    with time_machine.travel(dt.datetime.now(dt.UTC) - age, tick=True):
        record("test.old")
    faults = list(hash_chain.faults())
    assert any("never got a checkpoint" in fault for fault in faults) == found
    assert len(faults) == int(found)


def test_an_entry_that_is_late_gets_no_checkpoint_any_more() -> None:
    with time_machine.travel(dt.datetime.now(dt.UTC) - dt.timedelta(days=2, minutes=1), tick=True):
        record("test.old")
    record("test.new")
    assert hash_chain.checkpoint() == 1


def test_a_genuine_entry_that_was_copied_is_found(chained: list[AuditEntry]) -> None:
    entry = chained[0]
    first = entry.pk
    entry.pk = None
    entry.save(force_insert=True)
    hash_chain.checkpoint()
    assert list(hash_chain.faults()) == [f"Entry {first} was copied: another one has its mac."]


def test_an_erasure_excuses_the_details_of_one_participant_alone() -> None:
    erased, other = ParticipantFactory.create_batch(2)
    record("test.one", participant=erased, new={"arm": "B"})
    theirs = record("test.two", participant=other, new={"arm": "B"})
    nobodys = record("test.three", new={"x": 1})
    record_view(erased, "participant.erase")
    hash_chain.checkpoint()
    tamper(f"DELETE FROM participants_auditdetail WHERE entry_id NOT IN ({theirs.pk}, {nobodys.pk})")  # noqa: S608
    assert list(hash_chain.faults()) == []
    tamper("DELETE FROM participants_auditdetail")
    assert list(hash_chain.faults()) == [f"The detail of entry {one.pk} was deleted." for one in (theirs, nobodys)]


# --- The head outside ---


@pytest.fixture
def outside(settings: Any, tmp_path: Path) -> Path:
    settings.AUDIT_HEAD = str(tmp_path / "kept" / "audit_head.json")
    return tmp_path / "kept" / "audit_head.json"


def checkpoint(django_capture_on_commit_callbacks: Any) -> int:
    with django_capture_on_commit_callbacks(execute=True):
        return hash_chain.checkpoint()


@pytest.fixture
def rolled_back(outside: Path, django_capture_on_commit_callbacks: Any) -> chain_head.Head:
    """A trail of three, put back to the first two by somebody who kept that state; the head that was kept outside."""
    record("test.one"), record("test.two")
    checkpoint(django_capture_on_commit_callbacks)
    [kept] = AuditHead.objects.values()
    record("test.three")
    checkpoint(django_capture_on_commit_callbacks)
    gone = hash_chain.head()
    tamper("DELETE FROM participants_auditseal WHERE position = 3")
    tamper("DELETE FROM participants_auditentry WHERE action = 'test.three'")
    AuditHead.objects.update(**kept)
    return gone


def test_the_head_is_kept_outside_when_it_is_committed(outside: Path, django_capture_on_commit_callbacks: Any) -> None:
    record("test.one")
    hash_chain.checkpoint()
    assert not outside.exists()
    record("test.two")
    checkpoint(django_capture_on_commit_callbacks)
    assert chain_head.kept() == hash_chain.head()
    assert outside.stat().st_mode & 0o777 == 0o600
    assert list(hash_chain.faults()) == []


def test_a_kept_state_that_was_put_back_is_found(rolled_back: chain_head.Head) -> None:
    assert any("ends at 2, before position 3" in fault for fault in hash_chain.faults())
    with pytest.raises(CommandError, match="does not hold"):
        call_command("verify_audit")


def test_and_is_not_covered_by_new_links(rolled_back: chain_head.Head, caplog: pytest.LogCaptureFixture) -> None:
    record("test.forged")
    assert hash_chain.checkpoint() == 0
    assert "gets no checkpoints" in caplog.text
    assert chain_head.kept() == rolled_back


def test_another_history_of_the_same_length_is_found(
    rolled_back: chain_head.Head, settings: Any, outside: Path
) -> None:
    settings.AUDIT_HEAD = ""
    record("test.forged")
    assert hash_chain.checkpoint() == 1
    settings.AUDIT_HEAD = str(outside)
    assert any("Position 3 is not the one" in fault for fault in hash_chain.faults())


def test_a_restore_is_said_and_the_audit_trail_goes_on(
    rolled_back: chain_head.Head, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    (tmp_path / "erasures.jsonl").write_text("")
    said = StringIO()
    with django_capture_on_commit_callbacks(execute=True):
        call_command("reapply_erasures", journal=[str(tmp_path / "erasures.jsonl")], stdout=said)
    assert "Checkpoints 3 to 3 are not in it" in said.getvalue()
    entry = AuditEntry.objects.get(action="audit.restore")
    assert (entry.detail.old["position"], entry.detail.new["position"]) == (3, 2)
    assert checkpoint(django_capture_on_commit_callbacks) == 1
    said = StringIO()
    call_command("verify_audit", stdout=said)
    assert "Restored from a backup" in said.getvalue()


def test_without_a_restore_nothing_is_said_of_one(
    outside: Path, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    record("test.one")
    checkpoint(django_capture_on_commit_callbacks)
    (tmp_path / "erasures.jsonl").write_text("")
    call_command("reapply_erasures", journal=[str(tmp_path / "erasures.jsonl")], stdout=StringIO())
    assert not AuditEntry.objects.filter(action="audit.restore").exists()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a/1": {"position": "x"}}', '{"a/1": 5}'])
def test_a_file_that_is_none_is_told_and_not_overwritten(
    outside: Path, content: str, django_capture_on_commit_callbacks: Any
) -> None:
    outside.parent.mkdir()
    outside.write_text(content)
    record("test.one")
    assert checkpoint(django_capture_on_commit_callbacks) == 0
    assert outside.read_text() == content
    assert any("cannot be read" in fault for fault in hash_chain.faults())


def test_heads_of_other_databases_stay(outside: Path, django_capture_on_commit_callbacks: Any) -> None:
    outside.parent.mkdir()
    other = {"position": 9, "mac": "a", "at": "2026-11-01T00:00:00+00:00"}
    outside.write_text(json.dumps({"1/2": other}))
    record("test.one")
    assert checkpoint(django_capture_on_commit_callbacks) == 1
    heads = json.loads(outside.read_text())
    assert (heads.pop("1/2"), [head["position"] for head in heads.values()]) == (other, [1])


def test_an_older_head_never_takes_the_place_of_a_newer_one(outside: Path) -> None:
    chain_head.keep((5, "e"))
    chain_head.keep((4, "d"))
    assert chain_head.kept() == (5, "e")
    chain_head.keep((4, "d"), instead=True)
    assert chain_head.kept() == (4, "d")


def test_where_it_cannot_be_written_checkpoints_are_made_all_the_same(
    settings: Any, tmp_path: Path, django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    settings.AUDIT_HEAD = str(tmp_path / "file" / "audit_head.json")
    record("test.one")
    checkpoint(django_capture_on_commit_callbacks)
    assert "could not be kept outside" in caplog.text or "cannot be read" in caplog.text


@pytest.mark.parametrize(
    "act",
    [
        lambda: AuditDetail.objects.all().delete(),
        lambda: AuditDetail.objects.update(reason="other"),
        lambda: AuditEntry.objects.filter(action="test.one").delete(),
        lambda: AuditEntry.objects.update(action="test.other"),
        lambda: AuditCheckpoint.objects.all().delete(),
        lambda: AuditCheckpoint.objects.update(mac="0"),
    ],
)
def test_the_application_can_neither_change_nor_delete(chained: list[AuditEntry], act: Callable[[], object]) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        act()


def test_a_new_key_verifies_what_the_old_one_made(settings: Any) -> None:
    settings.AUDIT_KEYS = ["old"]
    record("test.one")
    hash_chain.checkpoint()
    settings.AUDIT_KEYS = ["new", "old"]
    record("test.two")
    hash_chain.checkpoint()
    assert list(hash_chain.faults()) == []
    settings.AUDIT_KEYS = ["new"]
    assert any("needs the key" in fault for fault in hash_chain.faults())


def test_checkpoints_are_made_only_of_what_is_new(chained: list[AuditEntry]) -> None:
    record("test.six")
    assert hash_chain.checkpoint() == 1
    assert AuditHead.objects.get().position == 6


def test_what_was_rolled_back_was_not_done() -> None:
    with transaction.atomic():
        record("test.one")
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()


def test_a_service_records_who_changed_what_from_what() -> None:
    person = ParticipantFactory.create(status="active")
    user = MembershipFactory.create(trial=person.trial).user
    with acting(via="page", user=user):
        participant_withdraw(person, on=dt.date(2026, 11, 20))
    entry = AuditEntry.objects.get(action="participant.withdraw")
    assert (entry.actor, entry.actor_name, entry.via) == (user, user.email, "page")
    assert (entry.detail.old["status"], entry.detail.new["status"]) == ("active", "withdrawn")


def test_a_chart_of_an_opened_page_is_the_same_look() -> None:
    person = ParticipantFactory.create()
    record_view(person)
    record_view(person, part=True)
    assert AuditEntry.objects.filter(participant=person, action="participant.view").count() == 1


def test_a_chart_without_its_page_is_a_look() -> None:
    person = ParticipantFactory.create()
    record_view(person, part=True)
    assert AuditEntry.objects.filter(participant=person, action="participant.view").count() == 1


def test_every_answer_carries_the_id_under_which_it_is_recorded(client: Client, settings: Any) -> None:
    settings.BEHIND_PROXY = True
    assert client.get("/login/").headers["X-Request-ID"]
    assert client.get("/login/", headers={"X-Request-ID": "proxy-0001"}).headers["X-Request-ID"] == "proxy-0001"
    assert client.get("/login/", headers={"X-Request-ID": "a\nb" * 9}).headers["X-Request-ID"] != "a\nb" * 9
