"""The audit trail: what is recorded of whom, that it can only grow, and that tampering is found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client

from participants import audit_chain
from participants.audit import acting, looked, record
from participants.models import AuditDetail, AuditEntry, AuditHead, AuditSeal
from participants.services import participant_withdraw
from tests.factories import MembershipFactory, ParticipantFactory

pytestmark = pytest.mark.django_db


def tamper(statement: str) -> None:
    """As somebody with the database's own rights would."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("auditentry", "auditdetail", "auditseal"):
            cursor.execute(f"ALTER TABLE participants_{table} DISABLE TRIGGER USER")
        cursor.execute(statement)


@pytest.fixture
def trail() -> list[AuditEntry]:
    """Five sealed entries, the middle one with a detail."""
    person = ParticipantFactory.create()
    entries = [record("test.one"), record("test.two"), record("test.three", participant=person, new={"arm": "B"})]
    entries += [record("test.four"), record("test.five")]
    audit_chain.seal()
    return entries


def test_a_trail_that_nobody_touched_holds(trail: list[AuditEntry]) -> None:
    assert list(audit_chain.faults()) == []


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
def test_any_change_of_any_row_is_found(trail: list[AuditEntry], change: str) -> None:
    tamper(change)
    with pytest.raises(CommandError, match="does not hold"):
        call_command("verify_audit")


def test_the_newest_entries_cut_off_with_their_seals_are_missed(trail: list[AuditEntry]) -> None:
    tamper("DELETE FROM participants_auditentry WHERE action = 'test.five'")
    tamper("DELETE FROM participants_auditseal WHERE position = 5")
    assert any("cut off" in fault for fault in audit_chain.faults())


def test_a_noted_head_proves_what_was_before_it(trail: list[AuditEntry]) -> None:
    noted = audit_chain.head()
    for table in ("auditseal", "auditdetail", "auditentry", "audithead"):
        tamper(f"DELETE FROM participants_{table}")  # noqa: S608
    record("test.forged")
    audit_chain.seal()
    assert list(audit_chain.faults()) == []
    assert list(audit_chain.faults(noted=noted))


@pytest.mark.parametrize(
    "act",
    [
        lambda: AuditDetail.objects.all().delete(),
        lambda: AuditDetail.objects.update(reason="other"),
        lambda: AuditEntry.objects.filter(action="test.one").delete(),
        lambda: AuditEntry.objects.update(action="test.other"),
        lambda: AuditSeal.objects.all().delete(),
        lambda: AuditSeal.objects.update(mac="0"),
    ],
)
def test_the_application_can_neither_change_nor_delete(trail: list[AuditEntry], act: Callable[[], object]) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        act()


def test_a_new_key_verifies_what_the_old_one_made(settings: Any) -> None:
    settings.AUDIT_KEYS = ["old"]
    record("test.one")
    audit_chain.seal()
    settings.AUDIT_KEYS = ["new", "old"]
    record("test.two")
    audit_chain.seal()
    assert list(audit_chain.faults()) == []
    settings.AUDIT_KEYS = ["new"]
    assert any("needs the key" in fault for fault in audit_chain.faults())


def test_sealing_again_seals_only_what_is_new(trail: list[AuditEntry]) -> None:
    record("test.six")
    assert audit_chain.seal() == 1
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
    looked(person)
    looked(person, part=True)
    assert AuditEntry.objects.filter(participant=person, action="participant.view").count() == 1


def test_a_chart_without_its_page_is_a_look() -> None:
    person = ParticipantFactory.create()
    looked(person, part=True)
    assert AuditEntry.objects.filter(participant=person, action="participant.view").count() == 1


def test_every_answer_carries_the_id_under_which_it_is_recorded(client: Client, settings: Any) -> None:
    settings.BEHIND_PROXY = True
    assert client.get("/login/").headers["X-Request-ID"]
    assert client.get("/login/", headers={"X-Request-ID": "proxy-0001"}).headers["X-Request-ID"] == "proxy-0001"
    assert client.get("/login/", headers={"X-Request-ID": "a\nb" * 9}).headers["X-Request-ID"] != "a\nb" * 9
