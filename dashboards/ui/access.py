"""Who gets in: a person must be signed in, and a partial request of a signed-out person reloads the page."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRefresh
from django_htmx.middleware import HtmxDetails

from participants.models import Participant, Trial, User


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


def visible_participant(request: HttpRequest, code: str, study_id: str) -> Participant:
    """The participant if the signed-in person may see them; else 404, as if there were no such participant."""
    visible = Participant.objects.visible_to(request.user).select_related("trial", "site")
    participant: Participant = get_object_or_404(visible.with_study_id(study_id), trial__code=code)
    return participant


def visible_trial(request: Request, code: str) -> Trial:
    trial: Trial = get_object_or_404(Trial.objects.visible_to(request.user), code=code)
    return trial


def may_change(user: User, trial: Trial) -> bool:
    """Whether the user may change the trial's rules: as a manager of all of it. A site's manager may not."""
    return Trial.objects.led_by(user).filter(pk=trial.pk).exists()


def managed_trial(request: Request, code: str) -> Trial:
    """The trial if the signed-in person may change its rules: 404 to who may not even see it, else 403."""
    trial = visible_trial(request, code)
    if not may_change(request.user, trial):
        raise PermissionDenied
    return trial
