"""Long work of a trial that is going on: a recompute, an e-mail to many, an import. Said on the trial's page.

A line's numbers come from the tables that the work itself keeps, so they are true whoever started it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Count, Min, Q
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboards.models import Outreach
from dashboards.ui.access import Request, signed_in, visible_trial
from dashboards.ui.formatting import NO_BREAK
from ingestion.models import ImportFile
from metrics.models import Recompute
from participants.models import Participant, Trial, User

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
        return f"{self.done:,} of {self.total:,}" if self.people else f"{100 * self.done // self.total}{NO_BREAK}%"


def going_on(trial: Trial, user: User, now: dt.datetime) -> list[Work]:
    """The trial's running work, in three queries. Counts of people are of those whom the user may see."""
    return [*_recomputes(trial, now), *_batches(trial, user, now), *_imports(trial, now)]


def _recomputes(trial: Trial, now: dt.datetime) -> list[Work]:
    running = Recompute.objects.filter(trial=trial, finished_at=None, asked_at__gt=now - GIVEN_UP)
    return [
        Work("Past days are being re-checked", run.done, run.total, run.started_at or run.asked_at, people=False)
        for run in running.order_by("asked_at")
    ]


def _batches(trial: Trial, user: User, now: dt.datetime) -> list[Work]:
    """E-mails written together of which some are gone and some are due now."""
    visible = Participant.objects.visible_to(user).filter(trial=trial)
    due = Q(state=Outreach.State.SENDING) | Q(state=Outreach.State.HELD, send_after__lte=now)
    batches = (
        Outreach.objects.filter(
            participant__in=visible, kind=Outreach.Kind.EMAIL, created_at__gt=now - GIVEN_UP, state_at__lte=now
        )
        .order_by()
        .values("batch")
        .annotate(total=Count("pk"), open=Count("pk", filter=due), since=Min("created_at"))
        .filter(open__gt=0, total__gt=1)
        .order_by("since")
    )
    return [Work("E-mails are going out", b["total"] - b["open"], b["total"], b["since"]) for b in batches]


def _imports(trial: Trial, now: dt.datetime) -> list[Work]:
    running = ImportFile.objects.filter(
        trial=trial, status=ImportFile.Status.RUNNING, started_at__gt=now - GIVEN_UP
    ).aggregate(files=Count("pk"), since=Min("started_at"))
    if not running["files"]:
        return []
    files = "A file is" if running["files"] == 1 else f"{running['files']} files are"
    return [Work(f"{files} being imported", 0, 0, running["since"])]


@require_safe
@signed_in
def progress(request: Request, code: str) -> HttpResponse:
    """The lines alone, asked for again while there are any."""
    trial = visible_trial(request, code)
    now = timezone.now()
    works = going_on(trial, request.user, now)
    return render(request, "dashboards/ui/_progress.html", {"trial": trial, "works": works, "now": now})
