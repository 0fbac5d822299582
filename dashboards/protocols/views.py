"""Pages of a trial's protocol: the rules in force, its versions, and a new version."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.forms.models import model_to_dict
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from dashboards.protocols import labels, services
from dashboards.protocols.forms import ProtocolForm
from dashboards.ui.access import Request, managed_trial, may_change, signed_in, visible_trial
from metrics.models import Recompute
from participants.forms import SeeOther
from participants.models import Protocol, Trial
from participants.team_texts import gettext
from participants.user_input import form_data

SHOWN = 10  # recomputes


def today_of(trial: Trial, now: dt.datetime) -> dt.date:
    return now.astimezone(ZoneInfo(trial.time_zone)).date()


@require_safe
@signed_in
def protocol(request: Request, code: str) -> HttpResponse:
    """The rules in force, the versions and the last recomputes."""
    trial = visible_trial(request, code)
    now = timezone.now()
    today = today_of(trial, now)
    in_force = trial.protocols.in_force(today).first()
    protocols = list(trial.protocols.order_by("-version"))
    context = {
        "trial": trial,
        "section": "protocol",
        "protocol": in_force,
        "groups": labels.rules_by_group(in_force) if in_force else [],
        "versions": labels.versions(protocols, in_force, today),
        "recomputes": list(Recompute.objects.filter(trial=trial).select_related("by")[:SHOWN]),
        "may_change": may_change(request.user, trial),
        "now": now,
        "today": today,
    }
    return render(request, "dashboards/protocols/protocol.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def protocol_new(request: Request, code: str) -> HttpResponse:
    """Write the next version, starting from the newest. One that begins in the past must be confirmed."""
    trial = managed_trial(request, code)
    today = today_of(trial, timezone.now())
    newest = services.newest_of(trial, today)
    begins = today + dt.timedelta(days=1)
    if request.method == "POST":
        form = ProtocolForm(form_data(request).form, instance=Protocol(trial=trial), today=today)
        if form.is_valid():
            try:
                return _revised(request, trial, form, today)
            except ValueError as error:
                form.add_error(None, str(error))
    else:
        initial = {**model_to_dict(newest, fields=list(labels.RULES)), "effective_on": begins}
        form = ProtocolForm(initial=initial, instance=Protocol(trial=trial), today=today)
    context = {"trial": trial, "section": "protocol", "form": form, "newest": newest, "begins": begins}
    return render(request, "dashboards/protocols/protocol_new.html", context, status=400 if form.errors else 200)


def _revised(request: Request, trial: Trial, form: ProtocolForm, today: dt.date) -> HttpResponse:
    """Store the version; of one that begins in the past go on to the recompute that it starts."""
    stored, run = services.version_store(form.instance, today=today, by=request.user)
    if run is None:
        messages.success(
            request,
            gettext("Version {version} is in force from {effective_on:%-d %B %Y}.").format(
                version=stored.version, effective_on=stored.effective_on
            ),
        )
        return SeeOther(reverse("dashboards:protocol", args=[trial.code]))
    return SeeOther(reverse("dashboards:recompute", args=[trial.code, run.pk]))
