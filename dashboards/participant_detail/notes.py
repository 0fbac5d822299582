"""Notes of the trial's staff on a participant: added, never edited, read by all who may see the participant."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from dashboards.models import Note
from dashboards.participant_detail.side_panel import notes_of
from dashboards.ui.access import Request, managed_participant, signed_in
from participants.audit import record
from participants.forms import SeeOther
from participants.models import Participant, User
from participants.user_input import form_data

LONGEST = 2000


@transaction.atomic
def note_store(participant: Participant, *, text: str, by: User) -> Note:
    """Keep a note on a participant. Raises ValueError, fit to show, where it says nothing or too much."""
    stripped = text.strip()
    if not stripped:
        raise ValueError("Write something first.")
    if len(stripped) > LONGEST:
        raise ValueError(f"That is longer than {LONGEST:,} characters: make two notes of it.")
    note = Note.objects.create(participant=participant, by=by, text=stripped)
    record("note.add", participant=participant, thing=f"note:{note.pk}")
    return note


@require_POST
@signed_in
def note_add(request: Request, code: str, study_id: str) -> HttpResponse:
    """Store a note. For HTMX the card again, else back to the page. 403 for those who may only view."""
    participant = managed_participant(request, code, study_id)
    text, problem = form_data(request).lines("text", LONGEST + 1), ""
    try:
        note_store(participant, text=text, by=request.user)
    except ValueError as error:
        problem = str(error)
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
    return render(request, "dashboards/participant_detail/_notes.html", context)
