"""Google Health webhooks: who sent a body, and what it says. No measurements are in them, only where to look again.

Both proofs are needed: the secret shows that the message was meant for this endpoint, the signature that Google
wrote it.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hmac
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Raw, Struct

from ingestion.providers.base import BrokenAnswer, Notification
from ingestion.providers.google_health.keyset import KeySet

# The second is the name in older texts.
SIGNATURE_HEADERS = ("GOOGLE-HEALTH-API-SIGNATURE", "X-HEALTHAPI-SIGNATURE")
TINK_PREFIX = b"\x01"


@dataclass(slots=True)
class Received:
    """A body read: one notification an interval, and how many of its messages could not be understood."""

    notifications: list[Notification]
    malformed: int = 0
    verification: bool = False


def secret_matches(expected: str, given: str | None) -> bool:
    """Whether the Authorization header is the secret, letter for letter, in constant time. No secret matches none."""
    return bool(expected) and hmac.compare_digest(expected.encode(), (given or "").encode())


def signature_matches(signature: str | None, body: bytes, keys: KeySet) -> bool:
    """Whether Google signed these very bytes. Raises BrokenAnswer where its keys cannot be had: then let it try again.

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
    physicalTimeInterval: _TextInterval | None = None  # noqa: N815
    civilDateTimeInterval: _CivilInterval | None = None  # noqa: N815
    civilIso8601TimeInterval: _TextInterval | None = None  # noqa: N815


class _Data(Struct):
    healthUserId: str  # noqa: N815
    dataType: str  # noqa: N815
    operation: str = ""
    recordId: str = ""  # noqa: N815
    intervals: list[_Interval] = []


class _Message(Struct):
    data: _Data | None = None
    type: str = ""


_MESSAGE = msgspec.json.Decoder(_Message)


def received(body: bytes) -> Received:
    """A body, which holds one message or a list of them. One that is malformed does not take the others with it.

    Raises BrokenAnswer where the body is a list that is no JSON.
    """
    try:
        messages = msgspec.json.decode(body, type=list[Raw]) if body.lstrip()[:1] == b"[" else [Raw(body)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenAnswer("not_json") from error
    result = Received([])
    for one in messages:
        try:
            message = _MESSAGE.decode(one)
            if message.type == "verification":
                result.verification = True
            elif message.data is None:
                result.malformed += 1
            else:
                result.notifications += list(_notifications(message.data))
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, OverflowError, RecursionError):
            result.malformed += 1
    return result


def _notifications(data: _Data) -> Iterator[Notification]:
    """One an interval; one without times where there is none, which leaves it to the caller how far to look."""
    for interval in data.intervals or [_Interval()]:
        start, end, civil = _edges(interval)
        yield Notification(
            data.healthUserId, data.dataType, data.operation, start, end, civil, record_id=data.recordId or None
        )


def _edges(interval: _Interval) -> tuple[dt.datetime | None, dt.datetime | None, bool]:
    """Start, end, and whether they are local. Raises ValueError for instants without a zone, or dates that are none."""
    if physical := interval.physicalTimeInterval:
        if physical.startTime.tzinfo is None or physical.endTime.tzinfo is None:
            raise ValueError("an instant without a zone")
        return physical.startTime, physical.endTime, False
    if civil := interval.civilDateTimeInterval:
        return civil.startDateTime.datetime(), civil.endDateTime.datetime(), True
    if text := interval.civilIso8601TimeInterval:
        return text.startTime.replace(tzinfo=None), text.endTime.replace(tzinfo=None), True
    return None, None, False
