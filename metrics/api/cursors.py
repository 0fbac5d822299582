"""Cursors of raw samples: an opaque text that holds the last sample's place and the sources chosen.

The sources stand in it because late data may change the choice: pages of one reading never switch from one device
to another. A text that was not made for the same request is refused.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from collections.abc import Sequence

import numpy as np

from metrics.batch import MICROSECOND
from metrics.reading.raw import Key, Place

_HEAD = struct.Struct(">8sqihh")
_LAST = 4_102_444_800 * MICROSECOND  # 2100
_KEY_BYTES = 8  # of a series: int32 and two int16
MOST_KEYS = 5000


def digest(*parts: object) -> bytes:
    """Eight bytes that stand for what was asked."""
    return hashlib.sha256(repr(parts).encode()).digest()[:8]


def encode(request: bytes, place: Place, keys: Sequence[Key]) -> str:
    """The cursor behind a sample. `keys`: the series that are read, ascending."""
    columns = np.array(keys, dtype=np.int64).reshape(-1, 3)
    # Ascending numbers of people, as steps: they compress to almost nothing.
    steps = np.diff(columns[:, 0], prepend=0).astype(">i4").tobytes()
    rest = columns[:, 1].astype(">i2").tobytes() + columns[:, 2].astype(">i2").tobytes()
    head = _HEAD.pack(request, place.time, *place.key)
    return base64.urlsafe_b64encode(head + zlib.compress(steps + rest, 9)).decode().rstrip("=")


def decode(request: bytes, cursor: str) -> tuple[Place, dict[tuple[int, int], int]]:
    """The place behind which to go on, and the sources by (participant, metric). ValueError says what is wrong."""
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        made_for, time, participant, metric, source = _HEAD.unpack_from(data)
        unpacking = zlib.decompressobj()
        body = unpacking.decompress(data[_HEAD.size :], MOST_KEYS * _KEY_BYTES)
        sound = unpacking.eof and len(body) % _KEY_BYTES == 0 and 0 <= time < _LAST
    except (ValueError, struct.error, zlib.error):
        sound = False
    if not sound:
        raise ValueError("Is no cursor of ours.")
    if made_for != request:
        raise ValueError("Was made for another request: change nothing but the cursor from page to page.")
    n = len(body) // _KEY_BYTES
    people = np.cumsum(np.frombuffer(body, ">i4", n)).tolist()
    metrics = np.frombuffer(body, ">i2", n, 4 * n).tolist()
    sources = np.frombuffer(body, ">i2", n, 6 * n).tolist()
    chosen = {(person, code): of for person, code, of in zip(people, metrics, sources, strict=True)}
    return Place(time, Key(participant, metric, source)), chosen
