"""Webhooks of Google Health: who sent a body, and its notifications. They hold no measurements, only where to look
again.

Both proofs are needed: the secret shows that the message was meant for this endpoint, the signature that Google
wrote it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import datetime as dt
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Raw, Struct

from ingestion.providers.base.errors import BrokenResponse
from ingestion.providers.base.live import NoticeOrigin, Notification
from ingestion.providers.google_health.listing import NOTHING, decoded, parts
from ingestion.providers.google_health.signing_keys import KeySet

# The second is the name in older texts.
SIGNATURE_HEADERS = ("GOOGLE-HEALTH-API-SIGNATURE", "X-HEALTHAPI-SIGNATURE")
TINK_PREFIX = b"\x01"


@dataclass(slots=True)
class Received:
    """Body that was read: one notification an interval, and how many of its messages could not be understood."""

    notifications: list[Notification]
    malformed: int = 0
    verification: bool = False


def secret_matches(expected: str, given: str | None) -> bool:
    """Whether the Authorization header is the secret, letter for letter, in constant time. No secret matches none."""
    return bool(expected) and hmac.compare_digest(expected.encode(), (given or "").encode())


def signature_matches(signature: str | None, body: bytes, keys: KeySet) -> bool:
    """Whether Google signed these very bytes. Raises BrokenResponse where its keys cannot be had: it may retry.

    The header is base64 of 0x01, four bytes of key id, and an ECDSA signature (P-256, SHA-256, DER).
    """
    try:
        raw = base64.b64decode(signature or "", validate=True)
    except (binascii.Error, ValueError):
        return False
    if len(raw) <= 5 or raw[:1] != TINK_PREFIX:
        return False
    key = keys.key(int.from_bytes(raw[1:5], "big"))
    if key is None:
        return False
    try:
        key.verify(raw[5:], body, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


# --- what it says ------------------------------------------------------------------------------------------------


class _Date(Struct):
    year: int
    month: int
    day: int


class _Time(Struct):
    # proto3 leaves zeros out.
    hours: int = 0
    minutes: int = 0
    seconds: int = 0


class _Civil(Struct):
    date: _Date
    time: _Time = msgspec.field(default_factory=_Time)

    def datetime(self) -> dt.datetime:
        day = dt.datetime(self.date.year, self.date.month, self.date.day)  # noqa: DTZ001  local by nature
        return day + dt.timedelta(hours=self.time.hours, minutes=self.time.minutes, seconds=self.time.seconds)


class _CivilInterval(Struct):
    startDateTime: _Civil  # noqa: N815  Google's spelling, here and below
    endDateTime: _Civil  # noqa: N815


class _TextInterval(Struct):
    startTime: dt.datetime  # noqa: N815
    endTime: dt.datetime  # noqa: N815


class _Interval(Struct):
    physicalTimeInterval: Raw = NOTHING  # noqa: N815
    civilDateTimeInterval: Raw = NOTHING  # noqa: N815
    civilIso8601TimeInterval: Raw = NOTHING  # noqa: N815


class _Data(Struct):
    healthUserId: str  # noqa: N815
    dataType: str  # noqa: N815
    operation: str = ""
    recordId: str = ""  # noqa: N815
    intervals: list[Raw] = []


class _Message(Struct):
    data: _Data | None = None
    type: str = ""


_MESSAGE, _INTERVAL = msgspec.json.Decoder(_Message), msgspec.json.Decoder(_Interval)
_CIVIL, _TEXT = msgspec.json.Decoder(_CivilInterval), msgspec.json.Decoder(_TextInterval)
# Years that an interval may lie in; others are placeholders.
YEARS = range(2005, 2200)


def received(body: bytes) -> Received:
    """Read a body, which holds one message or a list of them. One that is malformed does not take the others with it.

    Raises BrokenResponse where the body is a list that is no JSON.
    """
    try:
        messages = msgspec.json.decode(body, type=list[Raw]) if body.lstrip()[:1] == b"[" else [Raw(body)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenResponse("not_json") from error
    result = Received([])
    for raw in messages:
        try:
            message = decoded(_MESSAGE, bytes(raw))
            if message.type == "verification":
                result.verification = True
            elif message.data is None:
                result.malformed += 1
            else:
                result.notifications += list(_notifications(message.data))
        except BrokenResponse:
            result.malformed += 1
    return result


def unsigned(body: bytes) -> NoticeOrigin:
    """Origin of a body without a signature: the vendor's trial call, no message at all, or a stranger's."""
    try:
        message = received(body)
    except BrokenResponse:
        return NoticeOrigin.UNREADABLE
    if message.verification:
        return NoticeOrigin.VERIFICATION
    return NoticeOrigin.FORGED if message.notifications else NoticeOrigin.UNREADABLE


Edges = tuple[dt.datetime | None, dt.datetime | None, bool]  # start, end, and whether they are local
NOWHERE: Edges = (None, None, False)


def _notifications(data: _Data) -> Iterator[Notification]:
    """Notifications, one an interval; one without times where there is none, or one that cannot be read, which leaves
    it to the caller how far to look."""
    intervals, lost = parts(_INTERVAL, data.intervals)
    edges = [_edges(interval) for interval in intervals]
    if lost or not edges:
        edges.append(NOWHERE)
    for start, end, civil in dict.fromkeys(edges):
        yield Notification(
            data.healthUserId, data.dataType, data.operation, start, end, civil, record_id=data.recordId or None
        )


def _edges(interval: _Interval) -> Edges:
    """Edges of an interval, by the first of its forms that can be read; NOWHERE where none can."""
    forms: tuple[tuple[Raw, Callable[[bytes], Edges]], ...] = (
        (interval.physicalTimeInterval, _physical),
        (interval.civilDateTimeInterval, _civil),
        (interval.civilIso8601TimeInterval, _text),
    )
    for raw, read in forms:
        # Instants without a zone, dates that are none, a time that is no time.
        with contextlib.suppress(BrokenResponse, ValueError, OverflowError):
            if bytes(raw) and (edges := _bounded(*read(bytes(raw)))):
                return edges
    return NOWHERE


def _physical(raw: bytes) -> Edges:
    interval = decoded(_TEXT, raw)
    if interval.startTime.tzinfo is None or interval.endTime.tzinfo is None:
        raise ValueError("an instant without a zone")
    return interval.startTime, interval.endTime, False


def _civil(raw: bytes) -> Edges:
    interval = decoded(_CIVIL, raw)
    return interval.startDateTime.datetime(), interval.endDateTime.datetime(), True


def _text(raw: bytes) -> Edges:
    interval = decoded(_TEXT, raw)
    return interval.startTime.replace(tzinfo=None), interval.endTime.replace(tzinfo=None), True


def _bounded(start: dt.datetime | None, end: dt.datetime | None, civil: bool) -> Edges | None:
    """Edges of an interval, one of an instant as the second that it begins; None for one of no time."""
    if start is None or end is None or end < start or start.year not in YEARS or end.year not in YEARS:
        return None
    return start, max(end, start + dt.timedelta(seconds=1)), civil
