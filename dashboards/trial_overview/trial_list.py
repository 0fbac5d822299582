"""The trials that the signed-in person may see."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboards.ui.access import Request, signed_in
from metrics.monitoring import status as monitoring_status
from participants.models import Participant, Trial


@require_safe
@signed_in
def trial_list(request: Request) -> HttpResponse:
    """The trials of the signed-in person: how many participants they see there, who needs attention, newest data."""
    now = timezone.now()
    counts = monitoring_status.by_trial(Participant.objects.visible_to(request.user), now)
    nobody = monitoring_status.Counts()
    of_trials = [(trial, counts.get(trial.pk, nobody)) for trial in Trial.objects.visible_to(request.user)]
    trials = [(trial, known.everybody, known.attention, known.newest) for trial, known in of_trials]
    return render(request, "dashboards/trial_overview/trial_list.html", {"trials": trials, "now": now})
