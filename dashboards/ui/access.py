"""Who gets in: a person must be signed in, and a partial request of a signed-out person reloads the page."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRefresh
from django_htmx.middleware import HtmxDetails

from participants.models import User


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
