"""Participant's pages: what is shared, to the vendor's screen and back, how to stop. Nobody signs in here.

No token, code or state is logged or shown. Pages that a link opens send no address to other sites ("same-origin":
with "no-referrer" browsers would hide the origin from our own forms too, and the forgery check would refuse them);
the pages that answer the vendor's redirect have no forms, and send none at all.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ingestion import live_providers
from ingestion.connections import invitations, labels, oauth_state, queueing, services
from ingestion.connections.invitations import InvitationRefused
from ingestion.connections.page_texts import PAGE_TEXTS
from ingestion.connections.services import ConnectRefused
from ingestion.models import Connection, Invitation
from ingestion.providers.base.errors import AccessGone, ClientMisconfigured, VendorBusy, VendorError
from ingestion.providers.base.live import LiveProvider
from participants.forms import SeeOther
from participants.models import Consent, ConsentDocument, Participant, Trial
from participants.privacy import consent, languages
from participants.task_queue import hand_over
from participants.user_input import form_data, query_params

log = logging.getLogger(__name__)

LONGEST_CODE = 4096  # characters of what a vendor sends a browser back with
View = Callable[..., HttpResponse]


def page_headers(referrer: str = "same-origin") -> Callable[[View], View]:
    """Language and headers of these pages: not kept, not found by search engines, addresses told to nobody else.

    They are in the participant's language; where it is not known whose page it is, in the browser's.
    """

    def decorate(view: View) -> View:
        @never_cache
        @wraps(view)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            with languages.in_language_of_browser(request):
                try:
                    response = view(request, *args, **kwargs)
                except InvitationRefused as refused:
                    if refused.participant:
                        languages.switch_to(refused.participant)
                    response = message_page(request, refused.code)
            response.headers["Referrer-Policy"] = referrer
            response.headers["X-Robots-Tag"] = "noindex, nofollow"
            return response

        return inner

    return decorate


def message_page(
    request: HttpRequest,
    code: str,
    *,
    invitation: Invitation | None = None,
    vendor: str = "",
    retry_after: float | None = None,
) -> HttpResponse:
    """Page for a case of `ingestion.connections.page_texts`."""
    page_text = PAGE_TEXTS[code]
    trial: Trial | None = invitation.participant.trial if invitation else None
    names = {
        "vendor": vendor or gettext("the maker of your watch"),
        "study": trial.code if trial else gettext("the study"),
    }
    context = {
        "trial": trial,
        "title": capfirst(page_text.title.format(**names)),
        "text": [paragraph.format(**names) for paragraph in page_text.text],
        "again": address(invitation) if invitation and page_text.again else "",
        "case": code,
    }
    response = render(request, "ingestion/message.html", context, status=page_text.status)
    if retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(retry_after))
    return response


def opened(code: str, now: dt.datetime) -> Invitation:
    """The invitation behind a link; the page goes on in its participant's language. Raises InvitationRefused."""
    invitation = invitations.invitation_open(code, now=now)
    languages.switch_to(invitation.participant)
    return invitation


def address(invitation: Invitation) -> str:
    """Path of an invitation's page."""
    return reverse("ingestion:connect", args=[invitations.invitation_code(invitation)])


def callback_address(provider: str) -> str:
    """Address the vendor sends the participant back to: as it is registered there, letter by letter."""
    return f"{settings.PUBLIC_URL}{reverse('ingestion:callback', args=[provider])}"


def leading_to(response: HttpResponse, providers: Iterable[LiveProvider]) -> HttpResponse:
    """Response whose forms may lead to these vendors' screens: browsers ask its policy on redirects too."""
    screens = [urlsplit(provider.authorize_url("", "", callback_address(provider.slug), ())) for provider in providers]
    response._csp_update = {  # type: ignore[attr-defined]  # where django-csp looks
        "form-action": [f"{screen.scheme}://{screen.netloc}" for screen in screens]
    }
    return response


def set_up(slug: str) -> LiveProvider:
    """Live provider of this name; 404 where there is none."""
    try:
        return live_providers.provider(slug)
    except KeyError:
        raise Http404 from None


# --- before ----------------------------------------------------------------------------------------------------


@require_safe
@page_headers()
def connect(request: HttpRequest, code: str) -> HttpResponse:
    """Page behind an invitation's link: what is shared, or, once that is done, that it is, and how to stop."""
    now = timezone.now()
    invitation = opened(code, now)
    providers = live_providers.providers()
    if not providers:
        return message_page(request, "not_ready", invitation=invitation)
    connections = list(
        invitation.participant.connections.filter(provider__in=[provider.slug for provider in providers])
    )
    context: dict[str, Any] = {
        "invitation": invitation,
        "participant": invitation.participant,
        "trial": invitation.participant.trial,
        "code": code,
        "now": now,
    }
    if active := [c for c in connections if c.status == Connection.Status.ACTIVE]:
        context["shared"] = [(c, labels.described(c)) for c in active]
        context["partial"] = any(described.missing for _, described in context["shared"])
        return leading_to(render(request, "ingestion/connected.html", context), providers)
    if stopped := next((c for c in connections if stopped_by_participant(c, invitation)), None):
        context |= {"connection": stopped, "vendor": labels.described(stopped).provider}
        return leading_to(render(request, "ingestion/stopped.html", context), providers)
    context |= {
        "providers": providers,
        "permissions": {p.label: p for provider in providers for p in labels.permissions(provider, ())}.values(),
        "before": next((c for c in connections if c.status == Connection.Status.RECONNECT), None),
        "document": consent_required(invitation.participant, now),
        "reminded": "agree" in query_params(request),
    }
    return leading_to(render(request, "ingestion/consent.html", context), providers)


def consent_required(participant: Participant, now: dt.datetime) -> ConsentDocument | None:
    """Version of the trial's consent in force that the participant has not agreed to; None where there is none."""
    return consent.consent_missing(participant, now.astimezone(ZoneInfo(participant.time_zone)).date())


def stopped_by_participant(connection: Connection, invitation: Invitation) -> bool:
    """Whether the participant has ended it since this link was made. A newer link asks them anew."""
    return (
        connection.status == Connection.Status.REVOKED
        and connection.status_reason == "participant"
        and connection.status_since >= invitation.created_at
    )


@require_POST
@page_headers()
def start(request: HttpRequest, code: str, provider: str) -> HttpResponse:
    """Redirect to the vendor's screen. Where the trial keeps its consent here, it must have been agreed to first."""
    now = timezone.now()
    vendor = set_up(provider)
    invitation = opened(code, now)
    if document := consent_required(invitation.participant, now):
        if form_data(request).get("agreed") != document.version:
            return SeeOther(f"{address(invitation)}?agree=1#agree")
        consent.consent_give(invitation.participant, document, how=Consent.How.ONLINE, given_at=now)
    state, challenge = oauth_state.begin(request.session, invitation.pk, provider, now)
    return SeeOther(vendor.authorize_url(state, challenge, callback_address(provider), vendor.scopes))


# --- and back ----------------------------------------------------------------------------------------------------


@require_safe
@page_headers("no-referrer")
def callback(request: HttpRequest, provider: str) -> HttpResponse:
    """Page to which the vendor's screen leads back. Each outcome has a page of its own."""
    now = timezone.now()
    vendor = set_up(provider)
    begun = oauth_state.take(request.session, query_params(request).get("state", ""), provider, now)
    invitation = Invitation.objects.filter(pk=begun.invitation_id).first() if begun else None
    if begun is None or invitation is None:
        return message_page(request, "foreign", vendor=vendor.name)
    invitation = opened(invitations.invitation_code(invitation), now)
    if query_params(request).get("error") == "access_denied":
        return message_page(request, "denied", invitation=invitation, vendor=vendor.name)
    if not query_params(request).get("code"):
        log.warning("%s sent a participant back without a code", vendor.name)
        # What the browser brought is not right; that the vendor is at fault cannot be known.
        response = message_page(request, "broken", invitation=invitation, vendor=vendor.name)
        response.status_code = 400
        return response
    refusal = exchanged(request, vendor, invitation, begun.verifier, now)
    return refusal or SeeOther(address(invitation))


def exchanged(
    request: HttpRequest, vendor: LiveProvider, invitation: Invitation, verifier: str, now: dt.datetime
) -> HttpResponse | None:
    """Exchange the code for a connection and queue its first pull; returns the page that says why not, if so."""
    case, retry_after = "", None
    try:
        grant = vendor.exchange(
            query_params(request).text("code", LONGEST_CODE), verifier, callback_address(vendor.slug)
        )
        made = services.connect(
            participant=invitation.participant, provider=vendor, grant=grant, now=now, invitation=invitation
        )
    except ConnectRefused as refused:
        case = refused.code
    except VendorBusy as busy:
        case, retry_after = "busy", busy.retry_after
    except ClientMisconfigured as fault:
        log.critical("%s refuses our own credentials: %s. Nobody can connect.", vendor.name, fault.code)
        case = "ours"
    except AccessGone as gone:
        case = {AccessGone.CODE_REFUSED: "code_refused", AccessGone.ACCOUNT_NOT_LINKED: "no_device"}.get(
            gone.code, "broken"
        )
    except VendorError as fault:
        log.warning("%s broke off a consent: %s", vendor.name, fault.code)
        case = "broken"
    else:
        hand_over(queueing.queue_connection, made.connection.pk)
        return None
    return message_page(request, case, invitation=invitation, vendor=vendor.name, retry_after=retry_after)


# --- the end -----------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@page_headers()
def stop(request: HttpRequest, code: str, provider: str) -> HttpResponse:
    """Page that asks whether the participant is sure; confirmed, the sharing ends at once."""
    now = timezone.now()
    invitation = opened(code, now)
    connection = invitation.participant.connections.filter(provider=provider).first()
    if connection is None or connection.status in (Connection.Status.REVOKED, Connection.Status.INVITED):
        return SeeOther(address(invitation))
    vendor = labels.described(connection).provider
    if request.method == "POST":
        if not services.disconnect(connection, reason="participant", now=now):
            messages.warning(
                request,
                gettext(
                    "{vendor} has not confirmed it yet. We ask it for nothing any more; to be quite sure, "
                    "remove the study in your account there too."
                ).format(vendor=vendor),
            )
        return SeeOther(address(invitation))
    context = {"trial": invitation.participant.trial, "code": code, "connection": connection, "vendor": vendor}
    return render(request, "ingestion/stop.html", context)
