"""Plays the product on a server of its own: one process with its own settings, told what to do line by line.

`python -m tests.backup.player`, DATABASE_URL in the environment. Answers each line with `ok ...` or `fault ...`.
"""

from __future__ import annotations

import io
import sys
import traceback
from collections.abc import Callable
from typing import Any

import django

TRIAL = "BACKUP"


def migrate(*target: str) -> str:
    """To the newest migrations, or an app to a migration: `migrate metrics 0006_subject_export`."""
    from django.core.management import call_command

    call_command("migrate", *target, verbosity=0, interactive=False)
    return ""


def load(first: str, count: str) -> str:
    """Enrols participants and stores half a day of each by the product's own writer, with an entry in the trail."""
    from metrics.writing.writer import store
    from participants import audit
    from participants.models import Trial
    from tests.factories import ParticipantFactory, TrialFactory
    from tests.metrics.samples import NOW, deliver, random_day

    trial = Trial.objects.filter(code=TRIAL).first() or TrialFactory.create(code=TRIAL)
    for number in range(int(first), int(first) + int(count)):
        person = ParticipantFactory.create(trial=trial, study_id=f"B-{number:03d}", status="active")
        store(person, deliver(random_day(number, rows=2000)), now=NOW)
        audit.record("participant.create", participant=person, new={"study_id": person.study_id})
    return ""


def erase(study_id: str) -> str:
    from participants.models import Participant
    from participants.privacy import erasure as privacy_erasure

    privacy_erasure.remove(
        Participant.objects.get(trial__code=TRIAL, study_id=study_id), "00000000-0000-0000-0000-000000000001"
    )
    return ""


def command(name: str, *arguments: str) -> str:
    """A command of manage.py; what it says, on one line."""
    from django.core.management import call_command

    said = io.StringIO()
    options: dict[str, Any] = {"check_unapplied": True} if name == "migrate" else {}
    call_command(name, *arguments, stdout=said, **options)
    return said.getvalue().strip().replace("\n", " | ")


def main() -> None:
    django.setup()
    deeds: dict[str, Callable[..., str]] = {"migrate": migrate, "load": load, "erase": erase, "command": command}
    for line in sys.stdin:
        name, *arguments = line.split()
        try:
            answer = f"ok {deeds[name](*arguments)}"
        except (Exception, SystemExit):  # the test that asked reads it, with all its lines
            answer = "fault " + traceback.format_exc().replace("\n", " | ")
        sys.stdout.write(answer.strip() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
