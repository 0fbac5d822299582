"""Records of the JSON files, decoded by type: one call for a whole file, record by record only where one is bad."""

from __future__ import annotations

import codecs
import re
from typing import TypeVar

import msgspec

from ingestion.providers.base.files import Chunk, FileJob, ForeignFile
from ingestion.providers.takeout.reading import NO_DATA

MOST_BYTES = 256 * 2**20  # a JSON file is held as a whole; real ones have 5 MB

Record = TypeVar("Record", bound=msgspec.Struct)


class Beat(msgspec.Struct):
    bpm: float | None
    confidence: int = 3


class HeartRate(msgspec.Struct):
    dateTime: str  # noqa: N815
    value: Beat


class Amount(msgspec.Struct):
    """Amount of a minute: steps, calories, distance; active minutes of a day. The value is written as text."""

    dateTime: str  # noqa: N815
    value: float | None


class Rest(msgspec.Struct):
    date: str | None = None
    value: float | None = None


class RestingHeartRate(msgspec.Struct):
    dateTime: str  # noqa: N815
    value: Rest


class Fitness(msgspec.Struct):
    filteredDemographicVO2Max: float | None = None  # noqa: N815
    demographicVO2Max: float | None = None  # noqa: N815


class Vo2Max(msgspec.Struct):
    dateTime: str  # noqa: N815
    value: Fitness


class Weight(msgspec.Struct):
    weight: float
    date: str
    time: str
    fat: float | None = None


class Exercise(msgspec.Struct):
    startTime: str  # noqa: N815
    duration: int  # milliseconds
    activityName: str = ""  # noqa: N815
    activeDuration: int | None = None  # noqa: N815
    averageHeartRate: float | None = None  # noqa: N815
    calories: float | None = None
    distance: float | None = None
    distanceUnit: str | None = None  # noqa: N815
    steps: int | None = None


class Level(msgspec.Struct):
    dateTime: str  # noqa: N815
    level: str
    seconds: int


class Levels(msgspec.Struct):
    data: list[Level] = []
    shortData: list[Level] = []  # noqa: N815


class Sleep(msgspec.Struct):
    logId: int  # noqa: N815
    startTime: str  # noqa: N815
    endTime: str  # noqa: N815
    duration: int | None = None  # milliseconds
    mainSleep: bool | None = None  # noqa: N815
    levels: Levels = msgspec.field(default_factory=Levels)


def first_record(head: bytes) -> dict[str, object] | None:
    """First record of a JSON list, from a file's first bytes; None where there is none."""
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if not text.startswith(b"["):
        return None
    # A record ends with a brace, and the first that makes the bytes before it legible is the first record's.
    for brace in re.finditer(rb"\}", text):
        try:
            record = msgspec.json.decode(text[1 : brace.end()])
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        except RecursionError:
            return None
        return record if isinstance(record, dict) else None
    return None


def records(job: FileJob, kind: type[Record], chunk: Chunk) -> tuple[list[Record], list[int]]:
    """Good records of a file and their numbers, 1 the first; bad ones are rejected.

    Raises ForeignFile where the file is no JSON list.
    """
    if job.size > MOST_BYTES:
        raise ForeignFile(f"larger than {MOST_BYTES:,} bytes: no JSON file of an export is")
    with job.open() as stream:
        raw = stream.read().removeprefix(codecs.BOM_UTF8)
    chunk.position = job.size
    if raw.strip() == NO_DATA:
        chunk.skip("no data, says the file")
        return [], []
    try:
        good = msgspec.json.decode(raw, type=list[kind], strict=False)  # type: ignore[valid-type]
    except msgspec.ValidationError:
        return _one_by_one(raw, kind, chunk)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ForeignFile(f"JSON that does not parse: {error}") from error
    chunk.rows += len(good)
    return good, list(range(1, len(good) + 1))


def _one_by_one(raw: bytes, kind: type[Record], chunk: Chunk) -> tuple[list[Record], list[int]]:
    try:
        parts = msgspec.json.decode(raw, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise ForeignFile(f"JSON that is no list of records: {error}") from error
    good: list[Record] = []
    numbers: list[int] = []
    for number, part in enumerate(parts, start=1):
        try:
            good.append(msgspec.json.decode(part, type=kind, strict=False))
        except msgspec.DecodeError as error:
            chunk.reject([number], f"not as expected: {error}"[:200])
        else:
            numbers.append(number)
    chunk.rows += len(parts)
    return good, numbers
