"""Pages of corrections: fix what was entered or connected by mistake, each with a reason."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dashboards.ui.access import Request, led_participant, signed_in
from ingestion.connections import vendor_accounts
from ingestion.models import Connection
from ingestion.source_deletion import delete_of_source, would_come_again
from metrics.corrections import data_deletion, data_moves, time_zone_change
from metrics.corrections.data_deletion import Selection
from metrics.models import DataMove
from metrics.registry import BY_CODE
from participants.after_commit import after_commit
from participants.audit import record_view
from participants.forms import SeeOther, refusal_text
from participants.models import Participant, Reinstatement
from participants.models.trials import time_zones
from participants.services import reinstatement
from participants.task_queue import enqueue
from participants.team_texts import gettext
from participants.user_input import form_data


@require_safe
@never_cache
@signed_in
def corrections(request: Request, code: str, study_id: str) -> HttpResponse:
    """Page of possible corrections and of requests that wait for a second manager. Managers of the whole trial."""
    participant = led_participant(request, code, study_id)
    record_view(participant, part=True)
    return render(request, "dashboards/participant_detail/corrections.html", _context(request, participant))


@require_POST
@signed_in
def corrections_act(request: Request, code: str, study_id: str, verb: str) -> HttpResponse:
    """reinstate, approve, refuse, zone, release, new-account, move, delete; look and look-source say what these two
    would do.
    """
    participant = led_participant(request, code, study_id)
    if verb not in ACTS and verb not in PREVIEWS:
        raise Http404
    try:
        if verb in PREVIEWS:
            context = _context(request, participant) | PREVIEWS[verb](request, participant)
            return render(request, "dashboards/participant_detail/corrections.html", context)
        messages.success(request, ACTS[verb](request, participant))
    except (ValueError, ValidationError) as fault:
        context = _context(request, participant) | {
            "fault": refusal_text(fault),
            "given": {"reason": form_data(request).text("reason")},
        }
        return render(request, "dashboards/participant_detail/corrections.html", context, status=422)
    return SeeOther(reverse("dashboards:corrections", args=[code, study_id]))


def _context(request: Request, participant: Participant) -> dict[str, Any]:
    waiting = participant.reinstatements.filter(state=Reinstatement.State.ASKED).select_related("asked_by").first()
    others = Participant.objects.visible_to(request.user).filter(trial=participant.trial).exclude(pk=participant.pk)
    return {
        "trial": participant.trial,
        "participant": participant,
        "now": timezone.now(),
        "withdrawn": participant.status == Participant.Status.WITHDRAWN,
        "waiting": waiting,
        "mine": waiting is not None and waiting.asked_by_id == request.user.pk,
        "connections": [
            {"row": row, "used": row.status in (Connection.Status.ACTIVE, Connection.Status.RECONNECT)}
            for row in participant.connections.exclude(external_user_id="")
        ],
        "zones": sorted(time_zones()),
        "others": others.order_by("study_id").values_list("study_id", flat=True),
        "sources": data_deletion.sources_of(participant),
        "whats": [*data_deletion.SESSIONS, *BY_CODE],
        "deletions": participant.source_deletions.select_related("source"),
        "moves": DataMove.objects.filter(giver=participant).select_related("receiver"),
    }


def _why(request: Request) -> str:
    reason = form_data(request).text("reason").strip()
    if not reason:
        raise ValueError("Say why: it stands in the audit log.")
    return reason[:200]


def _confirmed(request: Request, participant: Participant) -> None:
    if form_data(request).text("confirm") != participant.study_id:
        raise ValueError(f"Type {participant.study_id} to confirm.")


def _reinstate(request: Request, participant: Participant) -> str:
    _confirmed(request, participant)
    reinstatement.reinstatement_request(participant, by=request.user, reason=_why(request))
    return gettext("Requested. Another manager of the trial must approve it.")


def _decide(approve: bool, request: Request, participant: Participant) -> str:
    row = get_object_or_404(participant.reinstatements, state=Reinstatement.State.ASKED)
    reinstatement.reinstatement_decide(row, by=request.user, approve=approve)
    if not approve:
        return gettext("Refused: the withdrawal stands.")
    return gettext("The withdrawal is undone. Consent is needed again; the days between stay left out.")


def _zone(request: Request, participant: Participant) -> str:
    time_zone_change.time_zone_correct(participant, form_data(request).text("zone"), reason=_why(request))
    return gettext("Their days begin and end by {time_zone} now.").format(time_zone=participant.time_zone)


def _connection(request: Request, participant: Participant) -> Connection:
    return get_object_or_404(participant.connections, provider=form_data(request).text("provider"))


def _release(request: Request, participant: Participant) -> str:
    vendor_accounts.account_release(_connection(request, participant), reason=_why(request), now=timezone.now())
    return gettext("The account is released: another participant can connect it.")


def _new_account(request: Request, participant: Participant) -> str:
    vendor_accounts.account_change_allow(_connection(request, participant), reason=_why(request), now=timezone.now())
    return gettext("They can connect with another account now. Invite them.")


def _receiver(request: Request, participant: Participant) -> Participant:
    others = Participant.objects.visible_to(request.user).filter(trial=participant.trial)
    receiver: Participant | None = others.with_study_id(form_data(request).text("to").strip()).first()
    if receiver is None:
        raise ValueError("There is no participant of this study id in the trial.")
    return receiver


def _preview_move(request: Request, participant: Participant) -> dict[str, Any]:
    receiver = _receiver(request, participant)
    data_moves.check(participant, receiver)
    return {"move": {"to": receiver, "what": data_moves.preview(participant, receiver)}}


def _move(request: Request, participant: Participant) -> str:
    _confirmed(request, participant)
    receiver = _receiver(request, participant)
    if participant.connections.filter(status__in=(Connection.Status.ACTIVE, Connection.Status.RECONNECT)).exists():
        raise ValueError("Their account is connected and would bring the data again: disconnect it first.")
    data_moves.move_start(participant, receiver, by=request.user, reason=_why(request))
    return gettext("Their data are being moved to {study_id}. This page says how far it is.").format(
        study_id=receiver.study_id
    )


def _selection(request: Request, participant: Participant) -> Selection:
    """Selection of data to delete, from the form."""
    form = form_data(request)
    source = {source.pk: source for source in data_deletion.sources_of(participant)}.get(form.number("source") or 0)
    if source is None:
        raise ValueError("Choose a source of which something is stored.")
    first, last = (form.day(name) if form.text(name) else None for name in ("first", "last"))
    return Selection(participant, source, form.text("what"), first, last)


def _preview_deletion(request: Request, participant: Participant) -> dict[str, Any]:
    selection = _selection(request, participant)
    counts = data_deletion.going(selection)
    if not counts:
        raise ValueError("Nothing is stored of them from this source on these dates.")
    return {"deletion": {"selection": selection, "going": counts, "again": would_come_again(selection)}}


def _delete(request: Request, participant: Participant) -> str:
    _confirmed(request, participant)
    row = delete_of_source(_selection(request, participant), by=request.user, reason=_why(request))
    after_commit(enqueue, "metrics.delete_of_source", row.pk)
    return gettext("It is being deleted. This page says how far it is.")


# Previews before an action.
PREVIEWS: dict[str, Callable[[Request, Participant], dict[str, Any]]] = {
    "look": _preview_move,
    "look-source": _preview_deletion,
}
ACTS: dict[str, Callable[[Request, Participant], str]] = {
    "reinstate": _reinstate,
    "approve": partial(_decide, True),
    "refuse": partial(_decide, False),
    "zone": _zone,
    "release": _release,
    "new-account": _new_account,
    "move": _move,
    "delete": _delete,
}
