"""Invitations of many participants in the administration: pages to print, or a file of links. Either is shown once."""

from __future__ import annotations

from typing import Any

import segno
from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe

from ingestion.connections import invitations as connections_invitations
from ingestion.models import Invitation
from ingestion.models.connections import TAKING_PART
from participants.admin.base import ConfirmedAction
from participants.models import Participant, User
from participants.privacy import languages
from participants.tables import csv_lines
from participants.user_input import form_data


class HowForm(forms.Form):
    how = forms.ChoiceField(
        label="As",
        choices=[("letters", "invitations to print, a page each"), ("csv", "a CSV file of links, for a mail merge")],
        widget=forms.RadioSelect,
        initial="letters",
    )


class Invite(ConfirmedAction):
    title, button, done = "Invite", "Make the links", "invited"
    says = (
        "Each gets a new link to connect their own device with; an earlier link of theirs stops working. The "
        "links are shown this once. Whoever opens one connects a device in that participant's name."
    )
    form = HowForm
    permissions = ["invite"]  # noqa: RUF012  Django's own way

    def fit(self, row: Participant) -> str:
        return "" if row.status in TAKING_PART else f"is {row.get_status_display()}"

    def do(self, request: HttpRequest, row: Participant, cleaned_data: dict[str, Any]) -> None:
        by = request.user if isinstance(request.user, User) else None
        row.made = connections_invitations.invitation_create(participant=row, by=by, now=timezone.now())  # type: ignore[attr-defined]

    def finish(self, request: HttpRequest, rows: list[Any]) -> HttpResponse:
        invitations = [(row, row.made, link_of(row.made)) for row in rows]
        response = _csv(invitations) if form_data(request).get("how") == "csv" else _printable(request, invitations)
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "same-origin"
        return response


def link_of(invitation: Invitation) -> str:
    """Address that the participant opens."""
    return str(settings.PUBLIC_URL) + reverse(
        "ingestion:connect", args=[connections_invitations.invitation_code(invitation)]
    )


def _csv(invitations: list[Any]) -> HttpResponse:
    rows = (
        (participant.trial.code, participant.study_id, link, invitation.expires_at.date().isoformat())
        for participant, invitation, link in invitations
    )
    lines = csv_lines(("trial", "study_id", "link", "works_until"), rows)
    headers = {"Content-Disposition": 'attachment; filename="invitations.csv"'}
    return HttpResponse("".join(lines), content_type="text/csv; charset=utf-8", headers=headers)


def _printable(request: HttpRequest, invitations: list[Any]) -> HttpResponse:
    prefetch_related_objects([participant for participant, _, _ in invitations], "contact")
    printable = [
        {
            "study_id": participant.study_id,
            "trial": participant.trial.code,
            "locale": languages.locale_of(languages.of_participant(participant)),
            "expires_at": invitation.expires_at,
            "link": link,
            "qr": mark_safe(  # noqa: S308  segno draws numbers, and our own title
                segno.make(link, error="m").svg_inline(scale=4, border=2, omitsize=True, title="QR code of the link")
            ),
        }
        for participant, invitation, link in invitations
    ]
    context = {**admin.site.each_context(request), "title": "Invitations", "invitations": printable}
    return TemplateResponse(request, "admin/printable_invitations.html", context).render()
