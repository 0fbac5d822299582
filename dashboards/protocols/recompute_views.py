"""Pages of the re-evaluation of a trial's days: start, progress, and changes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from dashboards.ui import access, downloads
from dashboards.ui.access import Request, signed_in
from dashboards.ui.status_labels import DAY_STATUS
from metrics.models import DayStatus, Recompute
from metrics.monitoring import day_codes
from metrics.reevaluation import recompute as reevaluation_recompute
from participants.forms import SeeOther
from participants.models import Participant, Trial, User
from participants.tables import Column
from participants.team_texts import gettext
from participants.user_input import form_data


@dataclass(frozen=True, slots=True)
class Transition:
    """Days that went from one status to another."""

    before: str
    after: str
    days: int


@dataclass(frozen=True, slots=True)
class ChangedParticipant:
    """A participant of whom days changed; adherence None: no day counted."""

    study_id: str
    days: int
    before: float | None
    after: float | None

    @property
    def difference(self) -> float | None:
        """Percentage points."""
        return None if self.before is None or self.after is None else (self.after - self.before) * 100


COLUMNS = (
    Column("study_id", gettext("Participant's study id (pseudonym)")),
    Column("days_changed", gettext("Days whose status changed")),
    Column("adherence_before", gettext("Valid days as a share of the days that count, 0 to 1; blank: no day counted")),
    Column("adherence_after", gettext("The same, after the re-check")),
)


def transitions(run: Recompute) -> list[Transition]:
    """Changes of day statuses, the most frequent first. Raises ValueError for a status that there is not."""

    def label(code: str) -> str:
        return DAY_STATUS[DayStatus(day_codes.status_of(code))][0] if code else gettext("Not assessed")

    pairs = [(*key.split(">", 1), days) for key, days in run.changed.items()]
    changes = [Transition(label(before), label(after), int(days)) for before, after, days in pairs]
    return sorted(changes, key=lambda change: (-change.days, change.before, change.after))


def people(run: Recompute, trial: Trial, user: User) -> list[ChangedParticipant]:
    """Those of whom days changed and whom the user may see, by study id."""
    visible = Participant.objects.visible_to(user).filter(trial=trial, study_id__in=list(run.people))
    return [
        ChangedParticipant(study_id, *run.people[study_id])
        for study_id in visible.order_by("study_id").values_list("study_id", flat=True)
    ]


def sees_all(user: User, trial: Trial) -> bool:
    """Whether the user sees the whole trial, and so may read counts of all of it."""
    return Trial.objects.visible_whole_to(user).filter(pk=trial.pk).exists()


def left(run: Recompute, now: dt.datetime) -> int | None:
    """Seconds until it is done at the pace so far. None: not known yet."""
    if not run.started_at or not run.done or run.finished_at:
        return None
    passed = (now - run.started_at).total_seconds()
    return max(int(passed / run.done * (run.total - run.done)), 1)


@require_POST
@signed_in
def recompute_start(request: Request, code: str) -> HttpResponse:
    """Start a re-evaluation of all days, or of those since a date, for a reason that is kept."""
    trial = access.managed_trial(request, code)
    form = form_data(request)
    why = form.text("why")
    try:
        since = form.day("since") if form.text("since") else None
    except ValidationError:
        since, why = None, ""
    if not why:
        messages.warning(request, gettext("Say why past days are to be re-checked, and since which date, if not all."))
        return SeeOther(reverse("dashboards:protocol", args=[code]))
    by: Any = request.user
    run = reevaluation_recompute.recompute_start(trial, since, why, by)
    return SeeOther(reverse("dashboards:recompute", args=[code, run.pk]))


@require_safe
@never_cache
@signed_in
def recompute(request: Request, code: str, pk: int) -> HttpResponseBase:
    """Progress of a re-evaluation and what it changed; for HTMX only what moves, `?format=csv` the participants."""
    trial = access.visible_trial(request, code)
    run = get_object_or_404(Recompute.objects.select_related("by"), pk=pk, trial=trial)
    user: Any = request.user
    now = timezone.now()
    if downloads.form(request):
        listed = people(run, trial, user)
        rows = (
            (participant.study_id, participant.days, participant.before, participant.after) for participant in listed
        )
        table = downloads.Table(f"{trial.code}-recompute-{run.pk}", "recompute", COLUMNS, rows, len(listed))
        return downloads.response(request, trial, table, thing=f"recompute:{run.pk}")
    if request.htmx and not request.htmx.boosted and (run.finished_at or run.error):
        return HttpResponseClientRefresh()
    whole = sees_all(user, trial)
    context = {
        "trial": trial,
        "section": "protocol",
        "run": run,
        "whole": whole,
        "left": left(run, now),
        "transitions": transitions(run) if whole and run.finished_at else [],
        "people": people(run, trial, user) if run.finished_at else [],
        "here": request.path,
        "now": now,
    }
    partial = request.htmx and not request.htmx.boosted
    return render(request, f"dashboards/protocols/{'_recompute_progress' if partial else 'recompute'}.html", context)
