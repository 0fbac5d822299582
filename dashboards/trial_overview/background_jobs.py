"""Long work of a trial that is going on: a recompute, an e-mail to many, an import. Said on the trial's page.

A line's numbers come from the tables that the work itself keeps, so they are true whoever started it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboards.trial_overview import stored
from dashboards.ui.access import Request, signed_in, visible_trial
from dashboards.ui.formatting import NO_BREAK
from participants.compiled_sql import Query, run_together
from participants.conditions_sql import People
from participants.models import Participant, Trial
from participants.team_texts import gettext, ngettext

# Work that has not moved for so long has died with its worker: it is no progress.
GIVEN_UP = dt.timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Work:
    """Work that goes on: `done` of `total` (0: how much it is nobody knows), since when.

    `people`: these are numbers of people. Work on a whole trial is told in per cent, for whom sees a site of it only.
    """

    what: str
    done: int
    total: int
    since: dt.datetime
    people: bool = True

    @property
    def left(self) -> str:
        """Progress as text."""
        if not self.total:
            return ""
        return (
            gettext("{done:,} of {total:,}").format(done=self.done, total=self.total)
            if self.people
            else f"{100 * self.done // self.total}{NO_BREAK}%"
        )


def going_on(trial: Trial, people: People, now: dt.datetime) -> list[Work]:
    """The trial's running work, in three queries. Counts of people are of these: those whom the user may see."""
    since = now - GIVEN_UP
    recomputes = [
        Work(
            gettext("Past days are being re-checked"), run.done, run.total, run.started_at or run.asked_at, people=False
        )
        for run in stored.recomputes.rows(trial=trial.pk, since=since)
    ]
    mails = [
        Work(gettext("E-mails are going out"), b["total"] - b["open"], b["total"], b["since"])
        for b in stored.batches.rows(people=people, since=since, now=now)
    ]
    return [*recomputes, *mails, *_imports(stored.imports.first(trial=trial.pk, since=since))]


def queries(trial: Trial, people: People, now: dt.datetime) -> list[Query]:
    """What `going_on` asks, to be run together with others."""
    since = now - GIVEN_UP
    return [
        stored.recomputes.with_values(trial=trial.pk, since=since),
        stored.batches.with_values(people=people, since=since, now=now),
        stored.imports.with_values(trial=trial.pk, since=since),
    ]


def _imports(running: dict[str, Any]) -> list[Work]:
    if not running["files"]:
        return []
    text = ngettext("A file is being imported", "{n} files are being imported", running["files"])
    return [Work(text.format(n=running["files"]), 0, 0, running["since"])]


@require_safe
@signed_in
def progress(request: Request, code: str) -> HttpResponse:
    """The lines alone, asked for again while there are any."""
    trial = visible_trial(request, code)
    now = timezone.now()
    people = People.of(Participant.objects.visible_to(request.user).filter(trial=trial))
    with run_together(*queries(trial, people, now)):
        works = going_on(trial, people, now)
    return render(request, "dashboards/ui/_progress.html", {"trial": trial, "works": works, "now": now})
