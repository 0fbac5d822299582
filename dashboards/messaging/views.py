"""Pages for messaging: compose an e-mail, a call list, log a call. Only for those who manage the participants."""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from dashboards.messaging import (
    compose,
    email_builder,
    labels,
    preflight,
    preview,
    recipient_list,
    sending,
    services,
    smtp,
    template_engine,
)
from dashboards.messaging.recipients import protocol_now
from dashboards.ui.access import Request, signed_in, visible_trial
from participants.forms import SeeOther
from participants.models import Participant
from participants.privacy import contacts, encryption
from participants.team_texts import gettext
from participants.user_input import form_data, query_params

log = logging.getLogger(__name__)

SAID_LENGTH = 2000
# Outcomes of a call: as stored and given by the API, and as the page shows them.
REACHED = [
    (outcome, labels.plain(outcome)) for outcome in ("Reached her", "Left a message", "No answer", "Wrong number")
]


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
def contact(request: Request, code: str) -> HttpResponse:
    """Compose page for selected participants. GET and POST without `do` show it; `do=test` and `do=send` send it."""
    trial, now = visible_trial(request, code), timezone.now()
    email = compose.compose_email(trial, request.user, form_data(request) or query_params(request), now)
    if not email.recipients:
        if query_params(request).get("all") == "1":
            messages.info(request, gettext("No participant whom you may write to matches."))
            return SeeOther(reverse("dashboards:trial", args=[code]))
        raise Http404("nobody is named")
    tested = ""
    if request.method == "POST" and form_data(request).get("do") == "send":
        if sent := _send(request, email, now):
            return sent
    elif request.method == "POST" and form_data(request).get("do") == "test":
        tested = _test(request, email, now)
    context = _shown(email, now) | {"tested": tested}
    template = "_contact_live.html" if request.htmx and not request.htmx.boosted else "contact.html"
    context["message_too"] = request.htmx.trigger_name in ("template", "language", "pick") if request.htmx else False
    status = 422 if email.fault and not request.htmx else 200
    return render(request, f"dashboards/messaging/{template}", context, status=status)


def _shown(email: compose.ComposedEmail, now: dt.datetime) -> dict[str, Any]:
    protocol = protocol_now(email.trial, now)
    fault, shown = email.fault, None
    try:
        shown = preview.preview(email, protocol, now)
    except template_engine.InvalidTemplate as error:
        fault = fault or str(error)
    checks = preflight.checks(
        email.trial, email.chosen, protocol, email.templates, email.code, email.texts, email.edited, now
    )
    return {
        "trial": email.trial,
        "email": email,
        "rows": recipient_list.rows(email.recipients, email.chosen, now),
        "preview": shown,
        "checks": checks,
        "fault": fault,
        "variables": list(template_engine.VARIABLES),
        "segments": email.recipients if len(email.recipients) <= preview.SEGMENTS else [],
        "section": "contacts",
        "now": now,
    }


def _send(request: Request, email: compose.ComposedEmail, now: dt.datetime) -> HttpResponse | None:
    """Store the batch and go to the log; None where something is wrong: `fault` then says what."""
    if not email.chosen or email.refused_count == len(email.chosen):
        email.fault = gettext("No chosen participant can be written to.")
        return None
    try:
        services.batch_write(
            email.chosen,
            texts=email.texts,
            templates=email.templates,
            code=email.code,
            reason=email.reason,
            by=request.user,
            batch=uuid.UUID(email.batch),
            now=now,
            alert=email.alert,
        )
    except (services.CannotWrite, template_engine.InvalidTemplate) as error:
        email.fault = str(error)
        return None
    sending.send_soon()
    return SeeOther(f"{reverse('dashboards:contacts', args=[email.trial.code])}?batch={email.batch}")


def _test(request: Request, email: compose.ComposedEmail, now: dt.datetime) -> str:
    """Send a test of the e-mail to the sender, as the recipient shown would get it. Returns the result, to be shown."""
    recipient = email.shown_recipient
    if recipient is None:
        return ""
    language = recipient.reach.language if recipient.reach.language in email.texts else email.language
    text = email.texts[language]
    try:
        template_engine.check(text.subject)
        template_engine.check(text.body)
        if not email_builder.possible():
            return gettext("This site has no mail server: its operator sets EMAIL_HOST.")
        participant = recipient.participant
        message = email_builder.sample(participant, language, text.subject, text.body, to=request.user, now=now)
        smtp.deliver(message)
    except template_engine.InvalidTemplate as error:
        return str(error)
    except (smtp.NotNow, smtp.Refused, smtp.Unsure) as error:
        return gettext("The test was not sent: {error}.").format(error=error)
    return gettext("Sent to {email}, with a made-up name.").format(email=request.user.email)


@require_safe
@never_cache
@signed_in
def call_list(request: Request, code: str) -> HttpResponse:
    """Names and telephone numbers of a selection, with cause and since: to be called, or printed and then called."""
    trial, now = visible_trial(request, code), timezone.now()
    recipients = recipient_list.managed(trial, request.user, query_params(request), now)
    if not recipients:
        raise Http404("nobody is named")
    rows = []
    for recipient in recipients:
        try:
            details = contacts.contact_open(recipient.participant)
        except encryption.CannotDecrypt:
            details = None
        rows.append({"one": recipient, "details": details, "why": recipient_list.reason_of(recipient, now)})
    log.info("user %s opened a call list of %s participants", request.user.pk, len(rows))
    return render(
        request,
        "dashboards/messaging/call_list.html",
        {"trial": trial, "rows": rows, "now": now, "section": "contacts"},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
def call_log(request: Request, code: str, study_id: str) -> HttpResponse:
    """Page to log a call."""
    trial, now = visible_trial(request, code), timezone.now()
    managed = Participant.objects.managed_by(request.user).filter(trial=trial).select_related("trial", "contact")
    participant: Participant = get_object_or_404(managed.with_study_id(study_id))
    fields = form_data(request) or query_params(request)
    form = compose.call_form(participant, fields, now)
    fault = ""
    if request.method == "POST":
        outcome, said_text = fields.get("outcome", ""), fields.lines("said", SAID_LENGTH)
        if outcome not in dict(REACHED) or not form["reason"].strip():
            fault = gettext("Choose the result of the call, and say why you called.")
        else:
            services.call_store(
                participant,
                outcome=outcome,
                said=said_text,
                reason=form["reason"],
                by=request.user,
                batch=uuid.UUID(form["batch"]),
                now=now,
                alert=form["alert"],
            )
            messages.success(request, gettext("The call to {study_id} is in the log.").format(study_id=study_id))
            return SeeOther(reverse("dashboards:participant", args=[code, study_id]))
    filled = {"outcome": fields.get("outcome", ""), "said": fields.lines("said", SAID_LENGTH)}
    context = {"trial": trial, "participant": participant, "outcomes": REACHED, "fault": fault, "asked": filled, **form}
    return render(request, "dashboards/messaging/call_log.html", context, status=422 if fault else 200)
