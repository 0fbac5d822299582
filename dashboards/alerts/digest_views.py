"""A person's own settings of the daily digest: at what time of day, for each trial, or none."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboards.alerts.differences import WATCHED
from dashboards.alerts.digests import ROLES
from dashboards.ui.access import Request, signed_in
from participants.forms import SeeOther
from participants.models import Membership
from participants.team_texts import gettext
from participants.user_input import form_data


def own(request: Request) -> QuerySet[Membership]:
    """The signed-in person's memberships that can have a digest."""
    memberships = Membership.objects.filter(user=request.user, ended_at=None, role__in=ROLES)
    return memberships.select_related("trial", "site").order_by("trial__code", "pk")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def digests(request: Request) -> HttpResponse:
    """Show the times; with POST store them. Only one's own memberships are read and written."""
    memberships = list(own(request))
    wrong: set[int] = set()
    if request.method == "POST":
        for member in memberships:
            try:
                member.digest_at = form_data(request).time(f"at-{member.pk}")
            except ValidationError:
                wrong.add(member.pk)
        if not wrong:
            Membership.objects.bulk_update(memberships, ["digest_at"])
            messages.success(
                request, gettext("Saved. Where today’s time is past already, today’s digest comes in a few minutes.")
            )
            return SeeOther(reverse("dashboards:digests"))
    rows = [(member, member.pk in wrong, member.trial.status in WATCHED) for member in memberships]
    return render(request, "dashboards/alerts/digests.html", {"rows": rows}, status=400 if wrong else 200)
