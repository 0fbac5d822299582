"""The chain by value: what each fault is called, the order of checkpoints, and that old trails stay verifiable."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import connection

from participants.audit import chain_head, hash_chain, record, record_view
from participants.models import AuditCheckpoint, AuditDetail, AuditEntry, AuditHead
from tests.factories import ParticipantFactory
from tests.participants.audit.test_audit import tamper

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def chained() -> list[int]:
    """Five entries with checkpoints; their ids."""
    entries = [record(f"test.{n}") for n in range(4)]
    entries.append(record("test.4", new={"arm": "B"}))
    assert hash_chain.checkpoint() == 5
    return [entry.pk for entry in entries]


def faults(noted: tuple[int, str] | None = None) -> list[str]:
    return list(hash_chain.faults(noted=noted))


def head_says(position: int) -> str:
    return f"The chain ends at {position}, its head says 5: links were cut off or added."


# --- What was written years ago ---


def test_an_entry_is_authenticated_as_it_always_was(settings: Any) -> None:
    settings.AUDIT_KEYS = ["a-key", "an-older-key"]
    at = dt.datetime(2026, 5, 4, 14, 0, 0, 120, tzinfo=dt.timezone(2 * HOUR))
    entry = AuditEntry(
        at=at, action="participant.view", via="page", actor_id=1, actor_name="ada@example.org", token_id=2,
        request_id="r-1", trial_id=3, participant_id=4, thing="alert:12", detail_digest="d",
    )  # fmt: skip
    assert hash_chain.authenticate(entry) == (
        "97bdf2d3",
        "b6ef49dd5e986eb32894f4354b30c3f3c74fd8329921a7031abba32fd43e8c06",
    )
    settings.AUDIT_KEYS = ["an-older-key"]
    assert hash_chain.authenticate(entry) == (
        "eb6524b0",
        "21ea39730c15b1cdb1bef0c5189b6c2b3eea1c8aba443c5a9400e775fb2dd470",
    )


def test_links_and_head_are_authenticated_as_they_always_were(settings: Any) -> None:
    settings.AUDIT_KEYS = ["a-key"]
    assert hash_chain.first() == {
        "position": 0,
        "key_id": "97bdf2d3",
        "mac": "0bda43ec2cae9f5dd178a5ef976c778867b70dd56704f5548bac1e44e77ea9a3",
    }
    AuditHead.objects.update(**hash_chain.first())
    for pk, mac in ((2_000_000_001, "m1"), (2_000_000_002, "m2")):
        AuditEntry.objects.create(pk=pk, at=dt.datetime.now(dt.UTC), action="test.act", via="page", mac=mac)
    assert hash_chain.checkpoint() == 2
    assert hash_chain.head() == (2, "9b5c5b9a8a79ef2d7a760bf9d1256ec187938c7ea181dd8197c86c027ee42d10")
    assert list(AuditHead.objects.values_list("position", "key_id", "mac")) == [
        (2, "97bdf2d3", "e23b0c10821fb49ebbff06ad01dbfa394ddaccab5bcfeecb8013d3666c18f315")
    ]


# --- Checkpoints ---


def test_entries_are_chained_in_the_order_of_their_ids(chained: list[int]) -> None:
    chained += [record("test.5").pk, record("test.6").pk]
    assert hash_chain.checkpoint() == 2
    assert list(AuditCheckpoint.objects.order_by("position").values_list("position", "entry_id")) == list(
        enumerate(chained, 1)
    )
    last = AuditCheckpoint.objects.get(position=7)
    assert hash_chain.head() == (7, last.mac)
    assert faults() == []


def test_with_nothing_new_nothing_gets_a_checkpoint(chained: list[int]) -> None:
    before = list(AuditHead.objects.values()), list(AuditCheckpoint.objects.values())
    assert hash_chain.checkpoint() == 0
    assert (list(AuditHead.objects.values()), list(AuditCheckpoint.objects.values())) == before


@pytest.mark.parametrize(("age", "checkpoints"), [(48 * HOUR - HOUR, 1), (48 * HOUR + HOUR, 0)])
def test_what_is_younger_than_two_days_gets_a_checkpoint(age: dt.timedelta, checkpoints: int) -> None:
    with time_machine.travel(dt.datetime.now(dt.UTC) - age, tick=True):
        record("test.old")
    assert hash_chain.checkpoint() == checkpoints
    assert len(faults()) == 1 - checkpoints


def test_what_got_a_checkpoint_two_days_ago_gets_none_again(chained: list[int]) -> None:
    with time_machine.travel(dt.datetime.now(dt.UTC) + 49 * HOUR, tick=True):
        assert hash_chain.checkpoint() == 0
        new = record("test.new")
        assert hash_chain.checkpoint() == 1
    assert AuditCheckpoint.objects.order_by("position").last() == AuditCheckpoint.objects.get(entry_id=new.pk)
    assert faults() == []


@contextmanager
def checkpoints_elsewhere() -> Iterator[None]:
    """As another process that makes checkpoints: by this number also one of another version."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [0x57_54_41_55])
            yield
            cursor.execute("SELECT pg_advisory_unlock_all()")
    finally:
        other.close()


def test_while_another_process_makes_checkpoints_nothing_gets_a_checkpoint() -> None:
    record("test.act")
    with checkpoints_elsewhere():
        assert hash_chain.checkpoint() == 0
    assert not AuditCheckpoint.objects.exists()
    assert hash_chain.checkpoint() == 1


@pytest.mark.parametrize("position", [4, 6])
def test_where_the_chain_does_not_end_at_its_head_nothing_gets_a_checkpoint(chained: list[int], position: int) -> None:
    record("test.new")
    AuditHead.objects.update(position=position)
    assert hash_chain.checkpoint() == 0
    AuditHead.objects.update(position=5)
    assert hash_chain.checkpoint() == 1


def test_a_head_beside_the_chain_s_own_is_found_and_left_as_it_is(chained: list[int]) -> None:
    AuditHead.objects.create(pk=2, position=9, key_id="k", mac="m")
    record("test.new")
    assert hash_chain.checkpoint() == 1
    assert AuditHead.objects.get(pk=2).position == 9
    assert AuditHead.objects.get(pk=1).position == 6
    assert faults() == ["The chain has another head beside its own."]


def test_an_empty_audit_trail_ends_at_nothing() -> None:
    assert hash_chain.head() == (0, "")
    assert hash_chain.checkpoint() == 0


# --- The beginning ---


def test_a_head_is_made_for_an_empty_audit_trail_once() -> None:
    tamper("DELETE FROM participants_audithead")
    hash_chain.begin()
    hash_chain.begin()
    assert AuditHead.objects.values().get() == {"id": 1, **hash_chain.first()}
    assert faults() == []


@pytest.mark.parametrize("emptied", ["auditentry, participants_auditdetail, participants_auditseal", "auditseal"])
def test_a_head_is_made_for_no_audit_trail_of_which_something_is_left(chained: list[int], emptied: str) -> None:
    left = "auditentry" if emptied == "auditseal" else "auditseal"
    for table in {"auditentry", "auditseal", "auditdetail", "audithead"} - {left}:
        tamper(f"TRUNCATE participants_{table} CASCADE")
    hash_chain.begin()
    assert not AuditHead.objects.exists()
    assert any("head is missing" in fault for fault in faults())


# --- What each fault is called ---


def test_links_that_are_missing_are_named(chained: list[int]) -> None:
    tamper("DELETE FROM participants_auditseal WHERE position IN (2, 3)")
    found = faults()
    assert found[0] == "Links 2 to 3 of the chain are missing."
    assert found[1] == f"Checkpoint 4 does not fit what is before it, or entry {chained[3]} was changed."
    assert len(found) == 2  # the head holds, and entries so young may have no checkpoint yet
    with time_machine.travel(dt.datetime.now(dt.UTC) + 49 * HOUR, tick=True):
        assert faults() == [
            *found,
            *(f"Entry {pk} never got a checkpoint." for pk in sorted(chained[1:3], reverse=True)),
        ]


def test_links_that_were_cut_off_are_told_by_the_head(chained: list[int]) -> None:
    tamper("DELETE FROM participants_auditseal WHERE position = 5")
    assert faults() == [head_says(4)]
    tamper("TRUNCATE participants_auditseal")
    assert faults() == [head_says(0)]


def test_an_entry_that_was_deleted_is_named_by_its_checkpoint(chained: list[int]) -> None:
    tamper(f"DELETE FROM participants_auditentry WHERE id = {chained[1]}")  # noqa: S608
    assert faults() == [f"Entry {chained[1]} was deleted: its checkpoint 2 is left."]


def test_a_mac_that_was_changed_is_told_of_entry_and_checkpoint(chained: list[int]) -> None:
    tamper(f"UPDATE participants_auditentry SET mac = reverse(mac) WHERE id = {chained[1]}")  # noqa: S608
    assert faults() == [
        f"Checkpoint 2 does not fit what is before it, or entry {chained[1]} was changed.",
        f"Entry {chained[1]} was changed.",
    ]


def test_a_checkpoint_that_was_changed_is_told_of_it_and_of_the_next(chained: list[int]) -> None:
    tamper("UPDATE participants_auditseal SET mac = reverse(mac) WHERE position = 2")
    assert faults() == [
        f"Checkpoint {n} does not fit what is before it, or entry {chained[n - 1]} was changed." for n in (2, 3)
    ]


def test_a_head_that_was_changed_is_told(chained: list[int]) -> None:
    AuditHead.objects.update(mac="0" * 64)
    assert faults() == ["The chain's head was changed."]


def test_details_that_were_changed_or_deleted_are_told_of_their_entry(chained: list[int]) -> None:
    tamper("""UPDATE participants_auditdetail SET new = '{"arm": "C"}'""")
    assert faults() == [f"The detail of entry {chained[4]} was changed."]
    tamper("DELETE FROM participants_auditdetail")
    assert faults() == [f"The detail of entry {chained[4]} was deleted."]


def test_a_detail_that_was_put_beside_an_entry_without_one_is_told(chained: list[int]) -> None:
    AuditDetail.objects.create(entry_id=chained[0], salt="s", new={"arm": "C"})
    assert faults() == [f"The detail of entry {chained[0]} was changed."]


def test_without_its_key_each_part_says_which_it_needs(chained: list[int], settings: Any) -> None:
    (key,) = set(AuditEntry.objects.values_list("key_id", flat=True))
    settings.AUDIT_KEYS = ["another"]
    needs = f"needs the key {key}: put it back at the end of AUDIT_KEYS."
    assert faults() == [
        *(f"Checkpoint {n} {needs}" for n in range(1, 6)),
        f"The head {needs}",
        *(f"Entry {pk} {needs}" for pk in chained),
    ]


def test_faults_are_found_whatever_is_read_at_a_time(chained: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_chain, "CHUNK", 2)
    assert faults() == []
    tamper(f"DELETE FROM participants_auditentry WHERE id = {chained[2]}")  # noqa: S608
    assert faults() == [f"Entry {chained[2]} was deleted: its checkpoint 3 is left."]


def test_links_are_read_in_lists_of_so_many() -> None:
    links = [AuditCheckpoint(position=n) for n in range(1, 6)]
    for size, lengths in ((2, [2, 2, 1]), (5, [5]), (6, [5]), (1, [1] * 5)):
        read = list(hash_chain.batched(links, size))
        assert [len(part) for part in read] == lengths
        assert [link for part in read for link in part] == links
    assert list(hash_chain.batched([], 2)) == []


def test_each_entry_that_was_copied_is_named_once(chained: list[int]) -> None:
    for pk in (chained[3], chained[1], chained[1]):
        copy = AuditEntry.objects.get(pk=pk)
        copy.pk = None
        copy.save(force_insert=True)
    assert faults() == [f"Entry {pk} was copied: another one has its mac." for pk in (chained[1], chained[3])]


# --- Without a checkpoint, erased ---


def test_each_entry_that_was_slipped_in_with_an_old_date_is_named(chained: list[int]) -> None:
    with time_machine.travel(dt.datetime.now(dt.UTC) - 49 * HOUR, tick=True):
        old = [record("test.old").pk, record("test.old").pk]
    with time_machine.travel(dt.datetime.now(dt.UTC) - 47 * HOUR, tick=True):
        record("test.late")
    assert set(faults()) == {f"Entry {pk} never got a checkpoint." for pk in old}


def test_an_erasure_does_not_excuse_what_is_gone_of_another(chained: list[int]) -> None:
    erased, other = ParticipantFactory.create_batch(2)
    record("test.act", participant=erased, new={"arm": "B"})
    theirs = record("test.act", participant=other, new={"arm": "B"})
    tamper(f"DELETE FROM participants_auditdetail WHERE entry_id > {chained[4]}")  # noqa: S608
    assert len(faults()) == 2
    record_view(erased, "participant.erase")
    record_view(other, "participant.view")
    assert faults() == [f"The detail of entry {theirs.pk} was deleted."]


def test_an_erasure_does_not_excuse_that_a_detail_was_changed(chained: list[int]) -> None:
    erased = ParticipantFactory.create()
    entry = record("test.act", participant=erased, new={"arm": "B"})
    record_view(erased, "participant.erase")
    tamper(f"UPDATE participants_auditdetail SET reason = 'x' WHERE entry_id = {entry.pk}")  # noqa: S608
    assert faults() == [f"The detail of entry {entry.pk} was changed."]


# --- A head that was noted ---


def test_a_head_that_was_noted_holds_as_long_as_it_is_in_the_chain(chained: list[int]) -> None:
    noted = hash_chain.head()
    assert faults(noted) == []
    record("test.new")
    hash_chain.checkpoint()
    assert faults(noted) == []
    assert faults((3, AuditCheckpoint.objects.get(position=3).mac)) == []
    assert faults((3, noted[1])) == ["Position 3 is not the one that was noted."]
    assert faults((6, noted[1])) == ["Position 6 is not the one that was noted."]
    assert faults((7, noted[1])) == ["The chain ends at 6, before the noted position 7."]


# --- The head outside ---


@pytest.fixture
def outside(settings: Any, tmp_path: Path) -> Path:
    settings.AUDIT_HEAD = str(tmp_path / "audit_head.json")
    return tmp_path / "audit_head.json"


def checkpoint(capture: Any) -> int:
    with capture(execute=True):
        return hash_chain.checkpoint()


def test_the_head_is_kept_outside_with_nothing_new_too(
    chained: list[int], outside: Path, django_capture_on_commit_callbacks: Any
) -> None:
    assert checkpoint(django_capture_on_commit_callbacks) == 0
    assert chain_head.kept() == hash_chain.head() == (5, AuditCheckpoint.objects.get(position=5).mac)


def test_of_an_empty_audit_trail_nothing_is_kept_outside(
    outside: Path, django_capture_on_commit_callbacks: Any
) -> None:
    assert checkpoint(django_capture_on_commit_callbacks) == 0
    assert not outside.exists()


def test_a_head_outside_holds_where_it_is_in_the_chain(chained: list[int], outside: Path) -> None:
    for position, mac in ((0, ""), *AuditCheckpoint.objects.order_by("position").values_list("position", "mac")):
        chain_head.keep((position, mac))
        assert faults() == []
    assert hash_chain.restored() is None


def test_a_head_outside_that_is_not_in_the_chain_is_told_and_nothing_gets_a_checkpoint(
    chained: list[int], outside: Path
) -> None:
    mac = AuditCheckpoint.objects.get(position=5).mac
    record("test.new")
    rolled_back = "the database was put back to an earlier state (after a restore: reapply_erasures)"
    chain_head.keep((4, mac))
    assert faults() == [f"Position 4 is not the one that is kept outside the database: {rolled_back}."]
    assert hash_chain.checkpoint() == 0
    chain_head.keep((6, mac))
    assert faults() == [f"The chain ends at 5, before position 6 that is kept outside the database: {rolled_back}."]
    assert hash_chain.checkpoint() == 0


def test_after_a_restore_the_database_s_head_takes_the_place_of_the_one_outside(
    chained: list[int], outside: Path, django_capture_on_commit_callbacks: Any
) -> None:
    chain_head.keep((9, "m"))
    now = hash_chain.head()
    with django_capture_on_commit_callbacks(execute=True):
        assert hash_chain.restored() == ((9, "m"), now)
        assert chain_head.kept() == (9, "m")  # until it is committed
    assert chain_head.kept() == now
    assert faults() == []


def test_after_a_restore_a_head_outside_that_cannot_be_read_is_replaced(
    chained: list[int], outside: Path, django_capture_on_commit_callbacks: Any
) -> None:
    outside.write_text("{")
    with django_capture_on_commit_callbacks(execute=True):
        assert hash_chain.restored() == (None, hash_chain.head())
    assert chain_head.kept() == hash_chain.head()


def test_a_head_that_cannot_be_kept_outside_is_logged(
    chained: list[int], outside: Path, django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        record("test.new")
        assert hash_chain.checkpoint() == 1
        outside.write_text("{")  # spoilt between the checkpoint and the commit
    assert "the audit trail's head could not be kept outside the database" in caplog.text
    assert AuditHead.objects.get().position == 6
