"""Erasure journal, kept outside the database: so that a restored backup can be made to forget the erased again.

A line a person: the row's number, the trial's code, the erasure's id and when. Nothing else of them is in it. The
journal (settings.ERASURE_JOURNAL) must be kept apart from the backups and live as long as they do. It is a file of
lines, or a bucket with a file an erasure: there any number of hosts may write at once. Of files, each host has its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from participants.models import Participant
from participants.s3 import SCHEME, Bucket

ENDING = ".json"


@dataclass(frozen=True, slots=True)
class Line:
    participant: int
    trial: str
    erasure: str
    at: str


def write(participant: Participant, public_id: str) -> None:
    """Add a line, on the disk when this returns. Called before the erasure's transaction ends: a worker killed in
    between leaves a line of an erasure that two people have approved and that is gone on with, never one without.

    Raises OSError, StoreFault.
    """
    line = Line(participant.pk, participant.trial.code, public_id, timezone.now().isoformat(timespec="seconds"))
    text = json.dumps({"participant": line.participant, "trial": line.trial, "erasure": line.erasure, "at": line.at})
    if is_bucket(settings.ERASURE_JOURNAL):
        Bucket(settings.ERASURE_JOURNAL).put(f"{public_id}{ENDING}", f"{text}\n".encode())
        return
    path = Path(settings.ERASURE_JOURNAL)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def is_bucket(journal: str) -> bool:
    return journal.startswith(f"{SCHEME}://")


def lines(journal: str) -> Iterator[Line]:
    """Lines of a journal, which is a file or a bucket. Raises ValueError, which names the line, where it is not one;
    OSError, StoreFault where it cannot be read.
    """
    for where, text in _texts(journal):
        try:
            values = json.loads(text)
            yield Line(int(values["participant"]), str(values["trial"]), str(values["erasure"]), str(values["at"]))
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{where}, is no line of an erasure journal.") from None


def _texts(journal: str) -> Iterator[tuple[str, str]]:
    """Lines, and where each stands."""
    if is_bucket(journal):
        bucket = Bucket(journal)
        for name in bucket.paths():
            if name.endswith(ENDING):
                with closing(bucket.open(name)) as file:
                    yield f"{journal}/{name}, line 1", file.read().decode()
        return
    for number, text in enumerate(Path(journal).read_text().splitlines(), start=1):
        yield f"{journal}, line {number}", text
