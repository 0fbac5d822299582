"""The page of a trial's alerts, and acting on them: one by one, or several by selection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dashboards.alerts import listing, services
from dashboards.models import Alert
from dashboards.ui.access import Request, signed_in, visible_trial
from dashboards.ui.http import pushed
from participants.compiled_sql import run_together
from participants.forms import SeeOther
from participants.models import Participant, Trial, User
from participants.team_texts import gettext
from participants.user_input import Entered, form_data, query_params

MOST = 500  # alerts in one act


def context(read: listing.Reading) -> dict[str, Any]:
    """Context of the page and its table."""
    trial, now = read.trial, read.now
    here = reverse("dashboards:alerts", args=[trial.code])
    view = listing.view(read)
    return {
        "trial": trial,
        "section": "alerts",
        "view": view,
        "rules": Alert.Rule.choices,
        "snoozes": listing.SNOOZE_CHOICES,
        "here": here,
        "next": f"{here}?{view.here}" if view.here else here,
        "now": now,
    }


@require_safe
@never_cache
@signed_in
def alerts(request: Request, code: str) -> HttpResponse:
    """A trial's alerts; for HTMX only the table, and 204 where `seen` says that nothing has changed."""
    trial = visible_trial(request, code)
    now, params = timezone.now(), query_params(request)
    seen, filters = params.get("seen", ""), listing.AlertFilters.of(params)
    read = listing.Reading.of(trial, request.user, filters, now)
    part = request.htmx and not request.htmx.boosted and not request.htmx.history_restore_request
    if part and seen:  # mostly nothing has changed
        with run_together(*read.stamp_queries()):
            if read.stamp() == seen:
                return HttpResponse(status=204)
    with run_together(*read.queries()):
        shown = context(read)
        if not part:
            return render(request, "dashboards/alerts/alerts.html", shown)
        answer = render(request, "dashboards/alerts/_alerts.html", shown | {"swapped": True})
        return answer if seen else pushed(request, answer, shown["view"].here)


@require_POST
@signed_in
def alert_act(request: Request, code: str, pk: int, verb: str) -> HttpResponse:
    """Act on one alert: 404 to who may not see it, 403 to who may not act."""
    trial = visible_trial(request, code)
    get_object_or_404(listing.visible(trial, request.user), pk=pk)
    actable = services.actable(request.user, trial).filter(pk=pk)
    if not actable.exists():
        raise PermissionDenied
    done = act(request, trial, actable, verb, f"-{pk}")
    if request.htmx and (request.htmx.target or "").startswith("alert-"):
        return notice(request, trial, pk)
    return result_response(request, trial, done)


@require_POST
@signed_in
def alerts_act(request: Request, code: str, verb: str) -> HttpResponse:
    """Act on those that were selected. Those on which one may not act are left as they are."""
    trial = visible_trial(request, code)
    chosen = form_data(request).numbers("alert", MOST)
    actable = services.actable(request.user, trial).filter(pk__in=chosen)
    manages = Participant.objects.managed_by(request.user).filter(trial=trial)
    if not manages.exists() or (chosen and not actable.exists()):
        raise PermissionDenied
    return result_response(request, trial, act(request, trial, actable, verb))


@dataclass(frozen=True, slots=True)
class ActionResult:
    """Result of an action, as a sentence, and how to undo it: a verb (empty where it cannot be) and the alerts."""

    text: str
    undo: str
    alerts: list[int]


MOST_ADDRESS = 2000
UNDO = {"acknowledge": "unacknowledge", "snooze": "unsnooze"}
DONE = {
    "acknowledge": "acknowledged",
    "unacknowledge": gettext("not acknowledged any more"),
    "snooze": "snoozed",
    "unsnooze": gettext("not snoozed any more"),
    "assign": "assigned",
}


def act(request: Request, trial: Trial, alerts: QuerySet[Alert], verb: str, of: str = "") -> ActionResult:
    """Do what the verb says with alerts on which the person may act. 404 for a verb that there is not.

    `of`: what the names of a row's own fields end with, where a form has those of several rows.
    """
    by: Any = request.user
    now = timezone.now()
    plain = {
        "acknowledge": services.acknowledge,
        "unacknowledge": services.unacknowledge,
        "unsnooze": services.unsnooze,
    }
    if verb in plain:
        changed = plain[verb](alerts, by=by, now=now)
    elif verb == "snooze":
        days = form_data(request).number(_named(request, "days", of))
        if days not in services.SNOOZES:
            raise Http404
        changed = services.snooze(alerts, days=days, trial=trial, by=by, now=now)
    elif verb == "assign":
        changed = services.assign(alerts, to=assignee(request, trial, _named(request, "to", of)), by=by, now=now)
    else:
        raise Http404
    return ActionResult(
        _result_text(changed, verb), UNDO.get(verb, "") if changed else "", [alert.pk for alert in changed]
    )


def _named(request: Request, name: str, of: str) -> str:
    """The name under which a field came: a row's own, else the form's."""
    return f"{name}{of}" if f"{name}{of}" in form_data(request) else name


def assignee(request: Request, trial: Trial, name: str) -> User | None:
    """The member that this field of the form names; None: nobody. 404 for a user who is not of the team."""
    value = form_data(request).get(name, "")
    if not value:
        return None
    team = services.Team(trial).of([])
    member = next((user for user in team if str(user.pk) == value), None)
    if member is None:
        raise Http404
    return member


def _result_text(changed: list[Alert], verb: str) -> str:
    if not changed:
        return gettext(
            "Nothing changed: it was so already, or it is resolved, or that colleague does not see the participant."
        )
    count = len(changed)
    return f"{'Alert' if count == 1 else f'{count} alerts'} {DONE[verb]}"


def notice(request: Request, trial: Trial, pk: int) -> HttpResponse:
    """One alert's notice, as the participant's page shows it."""
    alert = get_object_or_404(listing.with_related_rows(listing.visible(trial, request.user)), pk=pk)
    now = timezone.now()
    row = listing.row(alert, services.Team(trial), True, now)
    shown = {
        "trial": trial,
        "row": row,
        "snoozes": listing.SNOOZE_CHOICES,
        "now": now,
        "next": form_data(request).text("next", MOST_ADDRESS),
        "prefix": reverse("dashboards:alerts", args=[trial.code]),
        "participant": alert.participant,
    }
    return render(request, "dashboards/alerts/_alert.html", shown)


def result_response(request: Request, trial: Trial, result: ActionResult) -> HttpResponse:
    """The table as it was, with a line that takes the act back; without script, back to where the form was."""
    here = reverse("dashboards:alerts", args=[trial.code])
    back = form_data(request).text("next", MOST_ADDRESS)
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = here
    if not request.htmx:
        messages.success(request, result.text + ".")
        return SeeOther(back)
    there = Entered(QueryDict(urlsplit(back).query))
    read = listing.Reading.of(trial, request.user, listing.AlertFilters.of(there), timezone.now())
    with run_together(*read.queries()):
        shown = context(read)
    return render(request, "dashboards/alerts/_alerts.html", shown | {"result": result, "swapped": True})
