"""Notes of the trial's staff on a participant: added, never edited, read by all who may see her."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from dashboards.access import Request, signed_in
from dashboards.connection_card import may_manage, notes_of
from dashboards.models import Note
from dashboards.views import visible_participant
from ingestion.redirects import SeeOther

LONGEST = 2000


@require_POST
@signed_in
def note_add(request: Request, code: str, study_id: str) -> HttpResponse:
    """Keep a note. For HTMX the card anew, else back to the page. 403 for those who may only look."""
    participant = visible_participant(request, code, study_id)
    if not may_manage(request.user, participant):
        raise PermissionDenied
    text = request.POST.get("text", "").strip()
    problem = "" if text else "Write something first."
    if len(text) > LONGEST:
        problem = f"That is longer than {LONGEST:,} characters: make two notes of it."
    if not problem:
        Note.objects.create(participant=participant, by=request.user, text=text)
    if not request.htmx:
        return SeeOther(reverse("dashboards:participant", args=[code, study_id]) + "#notes")
    context = {
        "trial": participant.trial,
        "participant": participant,
        "now": timezone.now(),
        "may_manage": True,
        "note_problem": problem,
        "note_text": text if problem else "",
        "note_added": not problem,
        **notes_of(participant),
    }
    return render(request, "dashboards/_notes.html", context)
