"""The manager's side of connections: invite, show the link once, disconnect; and the page's pulse."""

from __future__ import annotations

import datetime as dt

import segno
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import trigger_client_event

from dashboards.participant_detail import side_panel, stored
from dashboards.ui.access import Request, managed_participant, signed_in, visible_participant
from ingestion.connections import invitations
from ingestion.connections import services as connections_services
from ingestion.models import Connection, Invitation
from participants.forms import SeeOther
from participants.models import Participant
from participants.privacy import languages
from participants.team_texts import gettext
from participants.user_input import query_params

# In the session: invitations made in it, whose links it may still show.
SHOWN = "invitations"
SHOWN_FOR = dt.timedelta(minutes=15)


def page_of(participant: Participant) -> str:
    return reverse("dashboards:participant", args=[participant.trial.code, participant.study_id])


@require_POST
@signed_in
def invite(request: Request, code: str, study_id: str) -> HttpResponse:
    """A new link for a participant; the one before stops working."""
    participant = managed_participant(request, code, study_id)
    try:
        made = invitations.invitation_create(participant=participant, by=request.user, now=timezone.now())
    except ValueError as error:
        messages.error(request, str(error))
        return SeeOther(page_of(participant))
    request.session[SHOWN] = [*request.session.get(SHOWN, [])[-9:], made.pk]
    return SeeOther(reverse("dashboards:invitation", args=[code, study_id, made.pk]))


@require_safe
@never_cache
@signed_in
def invitation(request: Request, code: str, study_id: str, pk: int) -> HttpResponse:
    """The link of an invitation with its QR code: for some minutes, to the user who made it. Can be printed."""
    participant = managed_participant(request, code, study_id)
    made = get_object_or_404(Invitation, pk=pk, participant=participant)
    now = timezone.now()
    is_shown = pk in request.session.get(SHOWN, []) and now - made.created_at < SHOWN_FOR
    context = {"trial": participant.trial, "participant": participant, "invitation": made, "now": now}
    context["locale"] = languages.locale_of(languages.of_participant(participant))
    if is_shown and not made.cancelled_at:
        path = reverse("ingestion:connect", args=[invitations.invitation_code(made)])
        context |= {"link": settings.PUBLIC_URL + path, "qr": qr(settings.PUBLIC_URL + path)}
    response = render(request, "dashboards/connections/invitation.html", context)
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def qr(text: str) -> SafeString:
    """A QR code as SVG, to stand in a page."""
    drawn = segno.make(text, error="m").svg_inline(
        scale=4, border=2, omitsize=True, title=gettext("QR code of the link")
    )
    return mark_safe(drawn)  # noqa: S308  segno draws numbers, and our own title


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def disconnect(request: Request, code: str, study_id: str, provider: str) -> HttpResponse:
    """Ask whether it is meant; then end the connection here at once and the grant at the vendor's."""
    participant = managed_participant(request, code, study_id)
    connection = get_object_or_404(participant.connections, provider=provider)
    if connection.status not in (Connection.Status.ACTIVE, Connection.Status.RECONNECT):
        messages.info(request, gettext("It is disconnected already."))
        return SeeOther(page_of(participant))
    shown = side_panel.link(connection, timezone.now())
    if request.method != "POST":
        context = {"trial": participant.trial, "participant": participant, "link": shown}
        return render(request, "dashboards/connections/disconnect.html", context)
    name = shown.described.provider
    if connections_services.disconnect(connection, reason="manager", now=timezone.now()):
        messages.success(
            request, gettext("Disconnected from {name}. No more data are requested there.").format(name=name)
        )
    else:
        messages.warning(
            request,
            gettext("No more data are requested from {name}, but it has not confirmed the end yet.").format(name=name),
        )
    return SeeOther(page_of(participant))


@require_safe
@never_cache
@signed_in
def pulse(request: Request, code: str, study_id: str) -> HttpResponse:
    """Parts above and beside the charts, where anything has changed since `seen`; else 204, which is cheap."""
    participant = visible_participant(request, code, study_id)
    seen = query_params(request).get("seen", "")
    now = timezone.now()
    with stored.pulse_read(participant):
        unchanged = side_panel.pulse(participant, now) == seen
    if unchanged:
        return HttpResponse(status=204)
    context = side_panel.live_part(participant, request.user, now)
    shown = context | {"participant": participant, "trial": participant.trial, "oob": True}
    response = render(request, "dashboards/participant_detail/_live_parts.html", shown)
    if context["pulse"].partition(".")[0] != seen.partition(".")[0]:
        return trigger_client_event(response, "newdata")
    return response
