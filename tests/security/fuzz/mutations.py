"""How valid input is spoilt: bits, cuts, repeats, encodings, numbers out of range, what spreadsheets read."""

from __future__ import annotations

import gzip
import io
import os
import random
import struct
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

TOTAL = int(os.environ.get("FUZZ_EXAMPLES", "300"))
WHOLE = "FUZZ_EXAMPLES" in os.environ
# What became of the examples, by kind: shown at the end of a run.
OUTCOMES: dict[str, Counter[str]] = {}

NASTY_BYTES = (
    b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\xc3", b"\xef\xbb\xbf", b"\r", b"\n\n", b'"', b'"""', b",", b";", b"'",
    b"\\",
    b"NaN", b"Infinity", b"-1e308", b"1e400", b"9" * 400, b"-0", b"0x10", b"1_000", "١٢٣".encode(), "\u202e".encode(),
    b"=cmd|' /C calc'!A0", b"@SUM(1)", b"{{7*7}}", b"<script>alert(1)</script>", b"${jndi:x}", b"%00",
    b"../../etc/passwd",
    b"1/1/0001 12:00:00 AM", b"12/31/9999 11:59:59 PM", b"13/45/2024 25:61:61 PM", b"2/29/2023 1:00:00 AM",
    b"10000-01-01T00:00:00Z", b"0000-00-00T00:00:00Z", b"2024-05-01T24:00:00Z", b"2024-05-01T00:00:00+99:99",
    b"2024-05-01T00:00:00.123456789123Z", b"-1", b"2147483648", b"9223372036854775808", b"[" * 5_000, b'{"a":' * 5_000,
    b"null", b"true", b"[]", b"{}", b"\xf0\x9f\x92\xa9", b"\x1f\x8b\x08", b"PK\x03\x04", b"a" * 70_000,
)  # fmt: skip
NASTY_TEXTS = tuple(piece.decode("utf-8", "surrogateescape")[:2_000] for piece in NASTY_BYTES)


def fuzzed(share: float) -> Callable[[Any], Any]:
    """Settings of a test that takes this share of all examples. The small run is the same at each time."""
    return settings(
        max_examples=max(10, round(TOTAL * share)),
        deadline=None,
        database=None,
        derandomize=not WHOLE,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        # No shrinking: an example is a seed of chance, and smaller ones are other examples.
        phases=(Phase.explicit, Phase.generate),
    )


def counted(kind: str, outcome: object) -> None:
    OUTCOMES.setdefault(kind, Counter())[str(outcome)] += 1


def spoilt(seed: bytes, chance: random.Random) -> bytes:
    """A valid body after one to four blows. One in twenty stays whole, so that what follows is reached too."""
    if chance.random() < 0.05:
        return seed
    body = seed
    for _ in range(chance.randint(1, 4)):
        body = chance.choice(BLOWS)(body, chance)[:1_000_000]
    return body


def _at(body: bytes, chance: random.Random) -> int:
    return chance.randrange(len(body) + 1)


def _bit(body: bytes, chance: random.Random) -> bytes:
    if not body:
        return body
    place = chance.randrange(len(body))
    return body[:place] + bytes([body[place] ^ (1 << chance.randrange(8))]) + body[place + 1 :]


def _cut(body: bytes, chance: random.Random) -> bytes:
    return body[: _at(body, chance)]


def _insert(body: bytes, chance: random.Random) -> bytes:
    place = _at(body, chance)
    return body[:place] + chance.choice(NASTY_BYTES) + body[place:]


def _cell(body: bytes, chance: random.Random) -> bytes:
    """Another text in place of one between separators: what most of a parser's code sees."""
    separator = chance.choice((b",", b"\n", b'"', b":", b" ", b"/"))
    cells = body.split(separator)
    cells[chance.randrange(len(cells))] = chance.choice(NASTY_BYTES)
    return separator.join(cells)


def _swap(body: bytes, chance: random.Random) -> bytes:
    first, second = sorted((_at(body, chance), _at(body, chance)))
    return body[second:] + body[first:second] + body[:first]


def _repeat(body: bytes, chance: random.Random) -> bytes:
    first, second = sorted((_at(body, chance), _at(body, chance)))
    return body[:second] + body[first:second] * chance.choice((1, 2, 50)) + body[second:]


def _recoded(body: bytes, chance: random.Random) -> bytes:
    return body.decode("utf-8", "replace").encode(chance.choice(("utf-16", "utf-32", "utf-7", "cp037")), "replace")


def _noise(body: bytes, chance: random.Random) -> bytes:
    return body[: _at(body, chance)] + chance.randbytes(chance.randrange(200))


BLOWS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _bit, _bit, _cut, _insert, _insert, _cell, _cell, _cell, _swap, _repeat, _recoded, _noise,
)  # fmt: skip


# --- archives -----------------------------------------------------------------------------------------------------

MEMBER_NAMES = (
    "/etc/passwd", "../../outside.csv", "..\\outside.csv", "C:\\outside.csv", "heartrate.csv", "heartrate.csv",
    "a" * 300,
    "nul\0name.csv", "caf\udce9.csv", "inner.zip", "folder/", ".", "..", "", "a/b/../../../c.csv", "\u202egnp.csv",
)  # fmt: skip


def packed(name: str, body: bytes, chance: random.Random) -> tuple[str, bytes]:
    """The same file within gzip or a zip archive that may be spoilt itself."""
    if chance.random() < 0.4:
        raw = gzip.compress(body)
        return f"{name}.gz", spoilt(raw, chance) if chance.random() < 0.7 else raw
    made = archive(name, body, chance)
    if chance.random() < 0.5:
        made = lying(made, chance)
    if chance.random() < 0.5:
        made = spoilt(made, chance)
    return "export.zip", made


def archive(name: str, body: bytes, chance: random.Random) -> bytes:
    """A zip archive of the file and of some with names that lead elsewhere."""
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        warnings.simplefilter("ignore")  # of names that come twice
        for one in (name, *chance.sample(MEMBER_NAMES, chance.randint(0, 4))):
            info = zipfile.ZipInfo(one.encode("utf-8", "replace").decode().replace("\0", "_") or "x")
            info.compress_type = zipfile.ZIP_DEFLATED
            if chance.random() < 0.2:
                info.external_attr = 0o120777 << 16  # a symbolic link
            made.writestr(info, body if chance.random() < 0.8 else b"/etc/passwd")
    return out.getvalue()


def lying(raw: bytes, chance: random.Random) -> bytes:
    """An archive whose directory says something else than what lies there."""
    place = raw.rfind(b"PK\x01\x02")
    if place < 0 or place + 46 > len(raw):
        return raw
    offset, form = chance.choice(((8, "<H"), (10, "<H"), (16, "<I"), (20, "<I"), (24, "<I"), (28, "<H"), (42, "<I")))
    value = chance.choice((0, 1, 9, 99, 0xFFFF)) if form == "<H" else chance.choice((0, 1, 2**31, 2**32 - 1))
    return raw[: place + offset] + struct.pack(form, value) + raw[place + offset + struct.calcsize(form) :]


# A source of chance that hypothesis draws and can repeat.
chances = st.randoms(use_true_random=False, note_method_calls=False)
texts = st.one_of(st.sampled_from(NASTY_TEXTS), st.text(max_size=40))
