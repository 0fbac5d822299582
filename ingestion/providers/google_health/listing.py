"""JSON responses of Google: resources, and lists of records of which one that cannot be read spoils no other.

What is not an answer (truncated, an error, another shape) raises BrokenResponse and is never an empty list. Null is
taken for what is left out, as proto3 has it; fields and enum values that we do not know are passed over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw

from ingestion.providers.base.errors import BrokenResponse

NOTHING = Raw(b"")
SHAPE = "unexpected_shape"
# Beside the records of a list that is there.
AROUND = {"nextPageToken", "totalSize"}

T = TypeVar("T")
_ANYTHING: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_OBJECT = msgspec.json.Decoder(dict[str, Raw])


def decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode a body. Raises BrokenResponse where it is not as expected: `not_json` or `unexpected_shape`."""
    try:
        try:
            return decoder.decode(body)
        except msgspec.ValidationError:
            return decoder.decode(msgspec.json.encode(_without_nulls(_ANYTHING.decode(body))))
    except msgspec.ValidationError as error:
        raise BrokenResponse(SHAPE) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenResponse("not_json") from error


def _without_nulls(value: Any) -> Any:
    """Value without members that are null, at whatever depth. An item of a list stays, for it is a record."""
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


@dataclass(slots=True)
class Listed(Generic[T]):
    """Records of a list response in Google's order, the token of the next page or "", and how many could not be read,
    by reason: BrokenResponse's codes."""

    records: list[T]
    token: str
    unreadable: Counter[str] = field(default_factory=Counter)


class ListDecoder(Generic[T]):
    """Decoder of responses that hold a list of records under a key. Not strict: Google writes 64-bit integers as
    strings."""

    def __init__(self, key: str, record: type[T]) -> None:
        self._key = key
        self._whole = self._response_decoder(record)
        self._apart = self._response_decoder(Raw)
        self._one = msgspec.json.Decoder(record, strict=False)

    def _response_decoder(self, record: Any) -> msgspec.json.Decoder[Any]:
        fields = [(self._key, list[record] | None, None), ("nextPageToken", str, ""), ("error", Raw, NOTHING)]
        return msgspec.json.Decoder(msgspec.defstruct("Answer", fields), strict=False)

    def read(self, body: bytes) -> Listed[T]:
        """Records of a response, decoded as one, which is fast; where some record does not fit, each by itself.

        An empty list comes as an object without the key. So does an error, and anything else that is no list: they
        are told apart by what there is instead. Raises BrokenResponse.
        """
        try:
            page = decoded(self._whole, body)
        except BrokenResponse as fault:
            if fault.code != SHAPE:
                raise
            page = decoded(self._apart, body)
            return self._each(self._records(page, body), page.nextPageToken)
        return Listed(self._records(page, body), page.nextPageToken)

    def _records(self, page: Any, body: bytes) -> list[Any]:
        records: list[Any] | None = getattr(page, self._key)
        if page.error or records is None:
            others = decoded(_OBJECT, body).keys() - {self._key, *AROUND}
            if others:
                raise BrokenResponse("error_in_body" if "error" in others else SHAPE)
        return records or []

    def _each(self, records: Iterable[Raw], token: str) -> Listed[T]:
        listed: Listed[T] = Listed([], token)
        for raw in records:
            try:
                listed.records.append(decoded(self._one, bytes(raw)))
            except BrokenResponse as fault:
                listed.unreadable[fault.code] += 1
        return listed


def refuse_whole(readable: int, unreadable: Counter[str]) -> None:
    """Refuse a page of which no record can be read: the vendor changed something. Raises BrokenResponse."""
    if unreadable and not readable:
        raise BrokenResponse(unreadable.most_common(1)[0][0])


def specified(word: str) -> str:
    """Value of Google's enumerations, "" for the one of each that stands for none."""
    return "" if word.endswith("UNSPECIFIED") or word == "UNKNOWN" else word


def named(name: str) -> str:
    """Id at the end of a resource's name, "" where it has none."""
    return name.rpartition("/")[2]


def parts(decoder: msgspec.json.Decoder[T], raws: Iterable[Raw]) -> tuple[list[T], int]:
    """Parts of a record that can be read, in order, and how many cannot."""
    good, lost = [], 0
    for raw in raws:
        try:
            good.append(decoded(decoder, bytes(raw)))
        except BrokenResponse:
            lost += 1
    return good, lost
