"""Hash chain of the audit trail: each entry is authenticated, and checkpoints link all of them in an order.

An entry carries an HMAC-SHA-256 over its own columns from the moment it is written. Within a minute it gets a
checkpoint: a link of the chain, whose HMAC covers the link before it. The head's covers the last position, so that
links cut off at the end are missed too; it is there from the beginning, so that a trail that was emptied is missed as
well. Whoever can write to the database but does not hold AUDIT_KEYS can make none of these; that they put an earlier
state back is told by the head that is kept outside (participants.audit.chain_head). What nothing tells: docs/trust.md.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import logging
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Exists, Min, OuterRef
from django.utils import timezone

from participants import sql
from participants.after_commit import after_commit
from participants.audit import chain_head
from participants.models import AuditCheckpoint, AuditDetail, AuditEntry, AuditHead
from participants.s3 import StoreFault

log = logging.getLogger(__name__)

LOCK = 0x57_54_41_55  # one process makes checkpoints at a time
# Entries older than this have their checkpoint or belong to a foreign transaction: verify checks all of them.
LATE = dt.timedelta(days=2)
ROLLED_BACK = "the database was put back to an earlier state (after a restore: reapply_erasures)"
CHUNK = 5_000


class NoSuchKey(Exception):
    """The key with which this was authenticated has been taken from AUDIT_KEYS."""


@lru_cache(maxsize=4)
def _keys(secrets: tuple[str, ...]) -> dict[str, bytes]:
    """Keys by id, the newest first."""
    made = [hashlib.sha256(b"wearable-trials audit\0" + secret.encode()).digest() for secret in secrets]
    return {hashlib.sha256(key).hexdigest()[:8]: key for key in made}


def _mac(values: list[object], key_id: str = "") -> tuple[str, str]:
    """(key id, mac) of a list of plain values, by the newest key or the one named. Raises NoSuchKey."""
    keys = _keys(tuple(settings.AUDIT_KEYS))
    chosen = key_id or next(iter(keys))
    if chosen not in keys:
        raise NoSuchKey(chosen)
    text = json.dumps(values, separators=(",", ":")).encode()
    return chosen, hmac.new(keys[chosen], text, hashlib.sha256).hexdigest()


def _columns(entry: AuditEntry) -> list[object]:
    at = entry.at.astimezone(dt.UTC).isoformat(timespec="microseconds")
    who = [entry.actor_id, entry.actor_name, entry.token_id, entry.request_id]
    about = [entry.trial_id, entry.participant_id, entry.thing, entry.detail_digest]
    return ["entry", at, entry.action, entry.via, *who, *about]


def authenticate(entry: AuditEntry) -> tuple[str, str]:
    """(key id, mac) of an entry that is about to be written."""
    return _mac(_columns(entry))


def _link(before: str, position: int, entry: tuple[int, str], key_id: str = "") -> tuple[str, str]:
    """The mac of a link: over the one before it, its position, and its entry's id and mac."""
    # "seal" is what checkpoints were called first: it is part of every HMAC that was ever made.
    return _mac(["seal", before, position, *entry], key_id)


def begin() -> None:
    """The head of an empty trail, once: a trail without one was tampered with."""
    if AuditHead.objects.exists() or AuditCheckpoint.objects.exists() or AuditEntry.objects.exists():
        return
    AuditHead.objects.create(pk=1, **first())


def first() -> dict[str, Any]:
    """The columns of a head before any link."""
    key_id, mac = _mac(["head", 0, ""])
    return {"position": 0, "key_id": key_id, "mac": mac}


@transaction.atomic
def checkpoint() -> int:
    """Make checkpoints of the entries that have none yet; their number.

    Does nothing while another process does, and where the chain does not end at its head or where the one that is
    kept outside is not in it: what was cut off must stay visible (`faults`) and not be covered by new links.
    """
    with connection.cursor() as cursor:
        cursor.execute(sql.TRY_LOCK, [LOCK])
        if not cursor.fetchone()[0]:
            return 0
    checkpoints = AuditCheckpoint.objects.filter(
        entry_id__in=AuditEntry.objects.filter(at__gte=timezone.now() - LATE).values("pk")
    )
    waiting = (
        AuditEntry.objects.filter(at__gte=timezone.now() - LATE)
        .exclude(pk__in=checkpoints.values("entry_id"))
        .order_by("pk")
        .values_list("pk", "mac")
    )
    last = AuditCheckpoint.objects.order_by("-position").first()
    position, before = (last.position, last.mac) if last else (0, "")
    if position != AuditHead.objects.filter(pk=1).values_list("position", flat=True).first():
        return 0
    if outside := list(_faults_of_outside()):
        log.error("the audit trail gets no checkpoints: %s", " ".join(outside))
        return 0
    links = []
    for entry in waiting:
        position += 1
        key_id, before = _link(before, position, entry)
        links.append(AuditCheckpoint(position=position, entry_id=entry[0], key_id=key_id, mac=before))
    if links:
        AuditCheckpoint.objects.bulk_create(links, batch_size=CHUNK)
        key_id, mac = _mac(["head", position, before])
        AuditHead.objects.filter(pk=1).update(position=position, key_id=key_id, mac=mac)
    if position:
        after_commit(_keep_outside, (position, before))
    return len(links)


def _keep_outside(head: chain_head.Head) -> None:
    try:
        chain_head.keep(head)
    except (chain_head.Unreadable, StoreFault, OSError) as fault:
        log.error("the audit trail's head could not be kept outside the database: %s", fault)


@transaction.atomic
def restored() -> tuple[chain_head.Head | None, chain_head.Head] | None:
    """Take the database's head for the one that is kept outside, after a restore: (the kept one, the new one).

    None, and nothing is changed, where the kept one is in the chain.
    """
    if not list(_faults_of_outside()):
        return None
    try:
        before = chain_head.kept()
    except chain_head.Unreadable:
        before = None
    now = head()
    transaction.on_commit(partial(chain_head.keep, now, instead=True))
    return before, now


def head() -> tuple[int, str]:
    """The chain's last position and mac: noted elsewhere, they prove later that nothing before them was changed."""
    last = AuditCheckpoint.objects.order_by("-position").first()
    return (last.position, last.mac) if last else (0, "")


def faults(*, noted: tuple[int, str] | None = None) -> Iterator[str]:
    """Faults of the audit trail as sentences; none if all holds. Reads it once, in a transaction in constant memory.

    `noted`: a position and mac that were written down earlier.
    """
    yield from _faults_of_outside()
    position, before = 0, ""
    for link, mac in _links():
        position += 1
        if link.position != position:
            yield f"Links {position} to {link.position - 1} of the chain are missing."
            position = link.position
        yield from _faults_of_link(link, mac, before)
        if noted and noted[0] == position and noted[1] != link.mac:
            yield f"Position {position} is not the one that was noted."
        before = link.mac
    yield from _faults_of_head(position, before)
    if noted and noted[0] > position:
        yield f"The chain ends at {position}, before the noted position {noted[0]}."
    yield from _faults_of_entries()


def batched(links: Iterable[AuditCheckpoint], size: int) -> Iterator[list[AuditCheckpoint]]:
    """Lists of so many, the last one shorter."""
    rest = iter(links)
    while chunk := list(islice(rest, size)):
        yield chunk


def _links() -> Iterator[tuple[AuditCheckpoint, str | None]]:
    """The chain in its order, each link with the mac of its entry, or None where that is gone."""
    for links in batched(AuditCheckpoint.objects.order_by("position").iterator(CHUNK), CHUNK):
        macs = dict(AuditEntry.objects.filter(pk__in=[link.entry_id for link in links]).values_list("pk", "mac"))
        yield from ((link, macs.get(link.entry_id)) for link in links)


def _faults_of_link(link: AuditCheckpoint, mac: str | None, before: str) -> Iterator[str]:
    if mac is None:
        yield f"Entry {link.entry_id} was deleted: its checkpoint {link.position} is left."
        return
    try:
        _, expected = _link(before, link.position, (link.entry_id, mac), link.key_id)
    except NoSuchKey as missing:
        yield f"Checkpoint {link.position} needs the key {missing}: put it back at the end of AUDIT_KEYS."
        return
    if not hmac.compare_digest(expected, link.mac):
        yield f"Checkpoint {link.position} does not fit what is before it, or entry {link.entry_id} was changed."


def _faults_of_head(position: int, before: str) -> Iterator[str]:
    if AuditHead.objects.exclude(pk=1).exists():
        yield "The chain has another head beside its own."
    row = AuditHead.objects.filter(pk=1).first()
    if row is None:
        yield "The chain's head is missing, which is there before the first link: tables were emptied."
        return
    if row.position != position:
        yield f"The chain ends at {position}, its head says {row.position}: links were cut off or added."
        return
    try:
        _, expected = _mac(["head", position, before], row.key_id)
    except NoSuchKey as missing:
        yield f"The head needs the key {missing}: put it back at the end of AUDIT_KEYS."
        return
    if not hmac.compare_digest(expected, row.mac):
        yield "The chain's head was changed."


def _faults_of_outside() -> Iterator[str]:
    """The chain against its head that is kept outside, where one is."""
    if not settings.AUDIT_HEAD:
        return
    try:
        outside = chain_head.kept()
    except chain_head.Unreadable as fault:
        yield f"The head that is kept outside the database cannot be read: {fault}."
        return
    if outside is None:
        return
    position, mac = outside
    last, _ = head()
    if last < position:
        yield f"The chain ends at {last}, before position {position} that is kept outside the database: {ROLLED_BACK}."
    elif position and AuditCheckpoint.objects.filter(position=position).values_list("mac", flat=True).first() != mac:
        yield f"Position {position} is not the one that is kept outside the database: {ROLLED_BACK}."


def _faults_of_entries() -> Iterator[str]:
    """Entries against their own mac and detail, those that should have had a checkpoint long ago, and copies."""
    late = timezone.now() - LATE
    checkpoints = AuditCheckpoint.objects.filter(entry_id=OuterRef("pk"))
    for pk in AuditEntry.objects.filter(~Exists(checkpoints), at__lt=late).values_list("pk", flat=True).iterator():
        yield f"Entry {pk} never got a checkpoint."
    twice = AuditEntry.objects.order_by().values("mac").annotate(first=Min("pk"), n=Count("pk")).filter(n__gt=1)
    for pk in twice.values_list("first", flat=True).order_by("first").iterator():
        yield f"Entry {pk} was copied: another one has its mac."
    for entry in AuditEntry.objects.select_related("detail").order_by("pk").iterator(CHUNK):
        try:
            _, expected = _mac(_columns(entry), entry.key_id)
        except NoSuchKey as missing:
            yield f"Entry {entry.pk} needs the key {missing}: put it back at the end of AUDIT_KEYS."
            continue
        if not hmac.compare_digest(expected, entry.mac):
            yield f"Entry {entry.pk} was changed."
        detail: AuditDetail | None = getattr(entry, "detail", None)
        if detail is not None and detail_digest(detail) != entry.detail_digest:
            yield f"The detail of entry {entry.pk} was changed."
        if detail is None and entry.detail_digest and not _erased(entry):
            yield f"The detail of entry {entry.pk} was deleted."


def _erased(entry: AuditEntry) -> bool:
    """Whether the entry is about a participant whose data were erased: then its detail went with them."""
    if entry.participant_id is None:
        return False
    return AuditEntry.objects.filter(participant=entry.participant_id, action="participant.erase").exists()


def detail_digest(detail: AuditDetail) -> str:
    """A salted SHA-256 of what an entry says, in hexadecimal."""
    text = json.dumps([detail.salt, detail.subject, detail.old, detail.new, detail.reason], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
