"""Who was erased, kept outside the database: so that a restored backup can be made to forget them again.

A line a person: her row's number, the trial's code, the erasure's id and when. Nothing else of her is in it. The file
(settings.ERASURE_JOURNAL) must be kept apart from the backups and live as long as they do.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from participants.models import Participant


@dataclass(frozen=True, slots=True)
class Line:
    participant: int
    trial: str
    erasure: str
    at: str


def write(participant: Participant, public_id: str) -> None:
    """Add a line, on the disk when this returns. Called before the erasure's transaction ends: a worker killed in
    between leaves a line of an erasure that two people have approved and that is gone on with, never one without.
    """
    line = Line(participant.pk, participant.trial.code, public_id, timezone.now().isoformat(timespec="seconds"))
    path = Path(settings.ERASURE_JOURNAL)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w") as file:
        said = {"participant": line.participant, "trial": line.trial, "erasure": line.erasure, "at": line.at}
        file.write(json.dumps(said) + "\n")
        file.flush()
        os.fsync(file.fileno())


def lines(path: Path) -> Iterator[Line]:
    """What a journal holds. Raises ValueError, which names the line, where it is not one."""
    for number, text in enumerate(path.read_text().splitlines(), start=1):
        try:
            said = json.loads(text)
            yield Line(int(said["participant"]), str(said["trial"]), str(said["erasure"]), str(said["at"]))
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path}, line {number}, is no line of an erasure journal.") from None
