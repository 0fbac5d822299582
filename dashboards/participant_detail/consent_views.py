"""Pages of a participant's consent: versions agreed to, withdrawal, and the erasure of their data by two people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dashboards.ui.access import Request, may_change, may_manage, signed_in, visible_participant
from metrics.exports import subject_export_create
from participants.audit import record_view
from participants.forms import SeeOther, refusal_text
from participants.models import Consent, ConsentDocument, Erasure, Participant
from participants.privacy import consent as privacy_consent
from participants.privacy import erasure as privacy_erasure
from participants.team_texts import gettext
from participants.user_input import form_data, midnight


@require_safe
@never_cache
@signed_in
def consent(request: Request, code: str, study_id: str) -> HttpResponse:
    """Page of a participant's consent and of requests about their data."""
    participant = visible_participant(request, code, study_id)
    record_view(participant, part=True)
    return render(request, "dashboards/participant_detail/consent.html", _context(request, participant))


@require_POST
@signed_in
def consent_act(request: Request, code: str, study_id: str, verb: str) -> HttpResponse:
    """give, withdraw (managers and coordinators); access, erase, approve, refuse (managers of the whole trial)."""
    participant = visible_participant(request, code, study_id)
    if verb not in ACTS:
        raise Http404
    leads = verb in ("access", "erase", "approve", "refuse")
    if not (may_change(request.user, participant.trial) if leads else may_manage(request.user, participant)):
        raise PermissionDenied
    after = {"approve": reverse("dashboards:trial", args=[code]), "access": reverse("dashboards:exports", args=[code])}
    try:
        done = ACTS[verb](request, participant)
    except (ValueError, ValidationError) as fault:
        context = _context(request, participant) | {
            "fault": refusal_text(fault),
            "asked": {"reason": form_data(request).text("reason")},
        }
        return render(request, "dashboards/participant_detail/consent.html", context, status=422)
    messages.success(request, done)
    return SeeOther(after.get(verb) or reverse("dashboards:consent", args=[code, study_id]))


def _context(request: Request, participant: Participant) -> dict[str, Any]:
    now = timezone.now()
    today = now.astimezone(ZoneInfo(participant.time_zone)).date()
    manages, leads = may_manage(request.user, participant), may_change(request.user, participant.trial)
    taking_part = participant.status not in (Participant.Status.WITHDRAWN, Participant.Status.ERASED)
    erasures = list(participant.erasures.select_related("asked_by", "decided_by"))
    waiting = next((erasure for erasure in erasures if erasure.state == Erasure.State.ASKED), None)
    return {
        "trial": participant.trial,
        "participant": participant,
        "now": now,
        "today": today,
        "consents": participant.consents.select_related("document"),
        "missing": privacy_consent.consent_missing(participant, today) if taking_part else None,
        "taking_part": taking_part,
        "manages": manages,
        "leads": leads,
        "erasures": erasures,
        "waiting": waiting,
        "mine": waiting is not None and waiting.asked_by_id == request.user.pk,
        "open": any(erasure.state in (Erasure.State.ASKED, Erasure.State.APPROVED) for erasure in erasures),
    }


def _day(request: Request, name: str, participant: Participant) -> dt.date:
    """A date of the form that is not in the future where the participant lives."""
    day = form_data(request).day(name)
    if day > timezone.now().astimezone(ZoneInfo(participant.time_zone)).date():
        raise ValueError("That day is still to come.")
    return day


def _give(request: Request, participant: Participant) -> str:
    documents = ConsentDocument.objects.filter(trial=participant.trial)
    document = get_object_or_404(documents, version=form_data(request).text("version"))
    day = _day(request, "on", participant)
    given_at = midnight(day, ZoneInfo(participant.time_zone))
    privacy_consent.consent_give(participant, document, how=Consent.How.PAPER, given_at=given_at)
    return gettext("Saved: they agreed to version {version}.").format(version=document.version)


def _confirmed(request: Request, participant: Participant) -> None:
    if form_data(request).text("confirm") != participant.study_id:
        raise ValueError(f"Type {participant.study_id} to confirm.")


def _withdraw(request: Request, participant: Participant) -> str:
    _confirmed(request, participant)
    day = _day(request, "on", participant)
    privacy_consent.consent_withdraw(participant, on=day, reason=form_data(request).text("reason"))
    return gettext("Withdrawn: no more data are requested from their device’s maker, and their record is frozen.")


def _access(request: Request, participant: Participant) -> str:
    subject_export_create(request.user, participant, reason=form_data(request).text("reason"))
    return gettext("The export is being created, and is listed here; nobody else sees it.")


def _erase(request: Request, participant: Participant) -> str:
    _confirmed(request, participant)
    privacy_erasure.erasure_request(participant, by=request.user, reason=form_data(request).text("reason"))
    return gettext("Requested. Another manager of the trial must approve it.")


def _decide(approve: bool, request: Request, participant: Participant) -> str:
    waiting = get_object_or_404(participant.erasures, state=Erasure.State.ASKED)
    if approve:
        _confirmed(request, participant)
    privacy_erasure.erasure_decide(waiting, by=request.user, approve=approve)
    return (
        gettext("Approved: the participant’s data are being deleted.")
        if approve
        else gettext("Refused: nothing is deleted.")
    )


ACTS: dict[str, Callable[[Request, Participant], str]] = {
    "give": _give,
    "withdraw": _withdraw,
    "access": _access,
    "erase": _erase,
    "approve": partial(_decide, True),
    "refuse": partial(_decide, False),
}
