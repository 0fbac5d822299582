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
    trials = [(t, *counts.get(t.pk, (0, 0, None))) for t in Trial.objects.visible_to(request.user)]
    return render(request, "dashboards/trial_overview/trial_list.html", {"trials": trials, "now": now})
