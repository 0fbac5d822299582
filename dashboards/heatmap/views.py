"""The heat map: every participant, every day, of the whole trial; a page of rows, and everybody beside it."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboards.heatmap.filters import parse_filters
from dashboards.heatmap.picture import draw, queries
from dashboards.heatmap.queries import read
from dashboards.heatmap.table_download import table
from dashboards.ui import downloads
from dashboards.ui.access import Request, signed_in, visible_trial
from dashboards.ui.http import pushed
from metrics.monitoring import pending
from participants import user_input
from participants.audit import record
from participants.compiled_sql import run_together
from participants.models import Participant, User


@require_safe
@signed_in
def heatmap(request: Request, code: str) -> HttpResponseBase:
    """The page; for HTMX the map alone; with format=csv everybody's days as a table."""
    trial = visible_trial(request, code)
    user: User = request.user
    filters, now = parse_filters(user_input.query_params(request)), timezone.now()
    if downloads.form(request):
        pending.settle(Participant.objects.visible_to(user).filter(trial=trial))
    everybody = read(trial, user, filters, now)
    if downloads.form(request):
        return downloads.response(request, trial, table(trial, everybody, filters, now))
    with run_together(*queries(trial, user, everybody, now)):
        context = {"trial": trial, "map": draw(trial, user, filters, everybody), "now": now, "here": request.path}
        context["section"] = "heatmap"
        if request.htmx and not request.htmx.boosted and not request.htmx.history_restore_request:
            return pushed(request, render(request, "dashboards/heatmap/_heatmap.html", context), filters.query())
        record("trial.view", trial=trial, thing="heatmap")
        return render(request, "dashboards/heatmap/heatmap.html", context)
