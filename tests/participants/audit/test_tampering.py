"""Whatever single thing somebody with the database's own rights does to the trail, `faults` tells of it.

Or docs/trust.md says that nothing tells: of an entry that had no checkpoint yet, of an earlier state while no head is
kept outside, of `sealed_at`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import override_settings
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from participants.audit import chain_head, hash_chain, record
from participants.models import AuditCheckpoint, AuditDetail, AuditEntry, AuditHead
from tests.factories import ParticipantFactory
from tests.paths import ROOT

pytestmark = pytest.mark.django_db
TABLES: dict[str, Any] = {
    "auditentry": AuditEntry,
    "auditdetail": AuditDetail,
    "auditseal": AuditCheckpoint,
    "audithead": AuditHead,
}
KEYS = {"auditentry": "id", "auditdetail": "entry_id", "auditseal": "position", "audithead": "id"}
State = dict[str, dict[int, dict[str, Any]]]
# How to make something else of a column, by its kind.
OTHERWISE = {
    "DateTimeField": "{0} + interval '1 microsecond'",
    "JSONField": """'{{"x": 1}}'""",
    "CharField": "CASE WHEN {0} = '' THEN 'x' ELSE translate({0}, '0123456789abcdef', '123456789abcdef0') END",
    "BigIntegerField": "{0} + 1000",
    "ForeignKey": "coalesce({0}, 0) + 1",
}
texts = st.text("abc", max_size=3)
phases = st.lists(
    st.tuples(st.lists(st.tuples(texts, st.booleans()), min_size=1, max_size=3), st.booleans()), min_size=1, max_size=4
)


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def do(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET session_replication_role = origin")


def state() -> State:
    return {name: {row[KEYS[name]]: row for row in model.objects.order_by().values()} for name, model in TABLES.items()}


class AuditTrail:
    """A trail as it grows: some entries with details, checkpoints now and then. `kept`: its states after each."""

    def __init__(self, grown: list[tuple[list[tuple[str, bool]], bool]]) -> None:
        person = ParticipantFactory.create()
        hash_chain.checkpoint()
        self.kept = [state()]
        for entries, closes in grown:
            for thing, detailed in entries:
                record("test.act", thing=thing, participant=person if detailed else None, new={"a": thing})
            if closes:
                hash_chain.checkpoint()
                self.kept.append(state())
        self.now = state()
        self.chained = {link["entry_id"] for link in self.now["auditseal"].values()}


def put_back(earlier: State) -> None:
    """As it was: nothing younger, and the head that was kept."""
    for name in ("auditseal", "auditdetail", "auditentry"):
        youngest = max(earlier[name], default=0)
        do(f"DELETE FROM participants_{name} WHERE {KEYS[name]} > {youngest}")  # noqa: S608
    [head] = earlier["audithead"].values()
    do(f"UPDATE participants_audithead SET position = {head['position']}, mac = '{head['mac']}'")  # noqa: S608


def nothing_tells(trail: AuditTrail, after: State, outside: bool) -> bool:
    """Whether docs/trust.md says so of this change."""
    before = trail.now
    same = {name: before[name] == after[name] for name in TABLES}
    gone = before["auditentry"].keys() - after["auditentry"].keys()
    unchained_gone = (
        same["auditseal"]
        and same["audithead"]
        and all(before["auditentry"].get(key) == row for key, row in after["auditentry"].items())
        and before["auditdetail"].keys() - after["auditdetail"].keys() <= gone
        and all(before["auditdetail"].get(key) == row for key, row in after["auditdetail"].items())
        and not gone & trail.chained
    )
    stamps = {key: {**row, "created_at": None} for key, row in after["auditseal"].items()} == {
        key: {**row, "created_at": None} for key, row in before["auditseal"].items()
    }
    only_stamps = stamps and all(same[name] for name in TABLES if name != "auditseal")
    return unchained_gone or only_stamps or (after in trail.kept and not outside)


@given(grown=phases, outside=st.booleans(), data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_change_is_found_or_said_to_be_unseen(
    tmp_path: Path, grown: list[tuple[list[tuple[str, bool]], bool]], outside: bool, data: st.DataObject
) -> None:
    file = tmp_path / "audit_head.json"
    file.unlink(missing_ok=True)
    with undone(), override_settings(AUDIT_HEAD=str(file) if outside else ""):
        trail = AuditTrail(grown)
        assert list(hash_chain.faults()) == []
        if outside:
            chain_head.keep(hash_chain.head())
        data.draw(st.sampled_from([change, delete, empty, roll_back, copy, forge]), label="change")(trail, data)
        after = state()
        assume(after != trail.now)
        found = list(hash_chain.faults())
        assert found or nothing_tells(trail, after, outside)


def _row(trail: AuditTrail, data: st.DataObject) -> tuple[str, int]:
    name = data.draw(st.sampled_from([name for name in TABLES if trail.now[name]]), label="table")
    return name, data.draw(st.sampled_from(sorted(trail.now[name])), label="row")


def change(trail: AuditTrail, data: st.DataObject) -> None:
    name, key = _row(trail, data)
    fields = [one for one in TABLES[name]._meta.concrete_fields if not one.primary_key]
    field = data.draw(st.sampled_from(fields), label="column")
    value = OTHERWISE[field.get_internal_type()].format(field.column)
    do(f"UPDATE participants_{name} SET {field.column} = {value} WHERE {KEYS[name]} = {key}")  # noqa: S608


def delete(trail: AuditTrail, data: st.DataObject) -> None:
    name, key = _row(trail, data)
    if name == "auditentry":
        do(f"DELETE FROM participants_auditdetail WHERE entry_id = {key}")  # noqa: S608
    do(f"DELETE FROM participants_{name} WHERE {KEYS[name]} = {key}")  # noqa: S608


def empty(trail: AuditTrail, data: st.DataObject) -> None:
    for name in data.draw(st.sets(st.sampled_from(sorted(TABLES)), min_size=1), label="tables"):
        do(f"TRUNCATE participants_{name} CASCADE")


def roll_back(trail: AuditTrail, data: st.DataObject) -> None:
    put_back(data.draw(st.sampled_from(trail.kept), label="earlier state"))


def copy(trail: AuditTrail, data: st.DataObject) -> None:
    entry = AuditEntry.objects.get(pk=data.draw(st.sampled_from(sorted(trail.now["auditentry"])), label="entry"))
    detail = AuditDetail.objects.filter(entry=entry.pk).first()
    entry.pk = None
    entry.save(force_insert=True)
    if detail:
        detail.entry = entry
        detail.save(force_insert=True)
    hash_chain.checkpoint()  # whoever makes checkpoints makes one of it too


def forge(trail: AuditTrail, data: st.DataObject) -> None:
    """A row that only who holds the keys could make."""
    name, key = _row(trail, data)
    row = TABLES[name].objects.get(pk=key)
    if name == "auditentry":
        row.pk, row.thing = None, f"{row.thing}x"
    elif name == "auditseal":
        row.pk, row.entry_id = max(trail.now[name]) + 1, row.entry_id + 1000
    elif name == "audithead":
        row.pk, row.position = 2, row.position + 1
    else:
        without = trail.now["auditentry"].keys() - trail.now[name].keys()
        assume(without)
        row.pk = min(without)
    row.save(force_insert=True)


def test_each_change_that_nothing_tells_is_one_that_the_documents_name() -> None:
    said = (ROOT / "docs" / "trust.md").read_text()
    for words in ("no checkpoint yet", "earlier state", "`sealed_at`"):
        assert words in said.partition("What nothing tells")[2]
