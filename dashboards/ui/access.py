"""Access to the pages: who is signed in, and which trial or participant of an address they may see or act on.

A partial request of a signed-out person reloads the page.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRefresh
from django_htmx.middleware import HtmxDetails

from metrics.monitoring import pending
from participants.accounts import services as accounts_services
from participants.compiled_sql import compiled
from participants.conditions_sql import IDS, TEXT, AnyOf
from participants.models import Participant, Trial, User
from participants.querysets import Reach, acts_for, leads, seen_by


class Request(HttpRequest):
    """A request as the pages get it, behind `signed_in`: with what django-htmx's middleware adds, never anonymous."""

    htmx: HtmxDetails
    user: User


View = Callable[..., HttpResponseBase]


def signed_in(view: View) -> View:
    """Ask for the login first. Without it a page redirects; a partial reloads, or the login would land in a card."""
    guarded = login_required(vary_on_headers("HX-Request")(view))

    @wraps(view)
    def inner(request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        anybody: HttpRequest = request  # who has not been asked yet
        if request.htmx and not anybody.user.is_authenticated:
            return HttpResponseClientRefresh()
        return guarded(request, *args, **kwargs)

    return inner


def visible_participant(
    request: HttpRequest, code: str, study_id: str, *, among: QuerySet[Participant] | None = None
) -> Participant:
    """The participant if the signed-in person may see them; else 404, as if there were no such participant. Their new
    data are evaluated by then.

    `among`: with what is read of them besides; else their trial and their site are.
    """
    participant: Any = None
    if among is None and (seen := seen_by(request.user)) is not None:
        participant = _participants.first(code=code, study_id=study_id, **seen.values())
    if participant is None:
        people: Any = Participant.objects.select_related("trial", "site") if among is None else among
        visible = people.visible_to(request.user).with_study_id(study_id).annotate(is_pending=pending.is_marked())
        participant = get_object_or_404(visible, trial__code=code)
    if participant.is_pending:
        pending.settle([participant.pk])
    shown: Participant = participant
    return shown


@compiled(code=TEXT, study_id=TEXT, whole=IDS, trials=IDS, sites=IDS)
def _participants(code: Any, study_id: Any, **reach: Any) -> Any:
    """Whoever has just this study id, whose letters come before those that differ in case alone."""
    people = Participant.objects.select_related("trial", "site").reached(Reach(**reach))
    return people.filter(trial__code=code, study_id=study_id).annotate(is_pending=pending.is_marked())


def may_manage(user: User, participant: Participant) -> bool:
    """Whether the user may act for this participant: invite, disconnect, start syncs, write to them."""
    return acts_for(user, participant)


def managed_participant(request: Request, code: str, study_id: str) -> Participant:
    """The participant if the signed-in person may act for them: 404 to who may not even see them, else 403."""
    participant = visible_participant(request, code, study_id)
    if not may_manage(request.user, participant):
        raise PermissionDenied
    return participant


def visible_trial(request: Request, code: str) -> Trial:
    """The trial if the signed-in person may see it; else 404, as if there were no such trial."""
    seen = seen_by(request.user)
    known: Trial | None = _trials.first(code=code, among=[*seen.whole, *seen.trials]) if seen else None
    trial: Trial = known or get_object_or_404(Trial.objects.visible_to(request.user), code=code)
    return trial


@compiled(code=TEXT, among=IDS)
def _trials(code: Any, among: Any) -> Any:
    return Trial.objects.filter(AnyOf("pk", among), code=code)


def may_change(user: User, trial: Trial) -> bool:
    """Whether the user may change the trial's rules: as a manager of all of it. A site's manager may not."""
    return leads(user, trial)


def managed_trial(request: Request, code: str) -> Trial:
    """The trial if the signed-in person may change its rules: 404 to who may not even see it, else 403."""
    trial = visible_trial(request, code)
    if not may_change(request.user, trial):
        raise PermissionDenied
    return trial


def led_trial(request: Request, code: str) -> Trial:
    """The trial if the signed-in person leads all of it; to everybody else 404, as if there were no such page."""
    trial: Trial = get_object_or_404(Trial.objects.led_by(request.user), code=code)
    return trial


def led_participant(request: Request, code: str, study_id: str) -> Participant:
    """The participant if the signed-in person leads all of their trial: 404 to who may not even see them, else 403."""
    participant = visible_participant(request, code, study_id)
    if not may_change(request.user, participant.trial):
        raise PermissionDenied
    return participant


def team_trial(request: Request, code: str) -> Trial:
    """The trial if the signed-in person may invite colleagues into it; to everybody else 404."""
    trial: Trial = get_object_or_404(accounts_services.led_by(request.user), code=code)
    return trial
