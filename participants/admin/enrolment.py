"""Enrolling many by a file in the administration: upload, look at every row's check, then enrol all of them.

Between the two pages the file waits in the database, encrypted where it tells of anybody's contact data.
"""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from participants import enrolment
from participants.enrolment import COLUMNS, CONTACT_COLUMNS, NotClean, RowCheck, Unreadable, pending_upload
from participants.models import Trial, User
from participants.privacy import encryption
from participants.services import EnrolmentError
from participants.user_input import form_data

WAITING = "enrolment"  # in the session: the number of the file
CONTACTS = ("participants.add_contact", "participants.change_contact")


class UploadForm(forms.Form):
    trial = forms.ModelChoiceField(Trial.objects.exclude(status=Trial.Status.CLOSED))
    file = forms.FileField(label="CSV file", help_text="At most 1 MB and 500 rows; more in parts.")


def _user(request: HttpRequest) -> User:
    """User who has signed in: the administration lets nobody else in."""
    return cast(User, request.user)


def may_contact(request: HttpRequest) -> bool:
    return request.user.has_perms(CONTACTS)


class EnrolmentPages:
    """Adds the pages of the file to the participants' administration."""

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view  # type: ignore[attr-defined]
        ours = [
            path("enrol/", wrap(self.enrol_view), name="participants_participant_enrol"),
            path("enrol/template.csv", wrap(self.template_view), name="participants_participant_template"),
        ]
        return ours + super().get_urls()  # type: ignore[misc,no-any-return]

    @method_decorator(never_cache)
    def enrol_view(self, request: HttpRequest) -> HttpResponse:
        """The upload, then the preview, then the result; `confirm` in the form enrols what waits."""
        if not self.has_add_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        if request.method == "POST" and "confirm" in form_data(request):
            return self._confirm(request)
        if request.method == "POST" and "cancel" in form_data(request):
            pending_upload.forget(_user(request))
            return HttpResponseRedirect(request.path)
        form = UploadForm(form_data(request).form or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                text = enrolment.decoded(form.cleaned_data["file"].read(enrolment.LIMIT_BYTES + 1))
                sheet = enrolment.read(text)
                trial = form.cleaned_data["trial"]
                preview = enrolment.check(trial, sheet, may_contact=may_contact(request))
                pending_upload.forget(_user(request))
                if preview.clean:
                    pending = pending_upload.keep(trial, _user(request), text, contacts=sheet.has_contacts)
                    request.session[WAITING] = pending.pk
                return self._shown(request, trial, preview)
            except (Unreadable, ImproperlyConfigured) as fault:
                form.add_error("file", str(fault))
        columns = {**COLUMNS, **(CONTACT_COLUMNS if may_contact(request) else {})}
        return self._page(request, {"form": form, "columns": columns}, status=400 if form.errors else 200)

    def _confirm(self, request: HttpRequest) -> HttpResponse:
        try:
            with transaction.atomic():
                pending = pending_upload.waiting(_user(request), request.session.get(WAITING))
                if pending is None:
                    messages.error(request, "There is no file that waits to be confirmed. Upload it again.")
                    return HttpResponseRedirect(request.path)
                trial, sheet = pending.trial, enrolment.read(pending_upload.text_of(pending))
                result = enrolment.enrol_all(trial, sheet, may_contact=may_contact(request))
                pending.delete()
        except NotClean as fault:
            messages.error(request, "Something changed meanwhile: nobody was enrolled. Check the rows below.")
            return self._shown(request, fault.trial, fault.preview)
        except (EnrolmentError, encryption.CannotDecrypt) as fault:
            messages.error(request, str(fault))
            return HttpResponseRedirect(request.path)
        known = f" {result.known} were enrolled already." if result.known else ""
        messages.success(request, f"{len(result.participants)} participants enrolled in {trial.code}.{known}")
        listed = reverse("admin:participants_participant_changelist")
        return HttpResponseRedirect(f"{listed}?trial__id__exact={trial.pk}&status__exact=invited")

    def _shown(self, request: HttpRequest, trial: Trial, preview: enrolment.Preview) -> HttpResponse:
        """The rows, wrong ones first. Of contact data the page says only that they are there."""
        columns = [column for column in preview.columns if column in COLUMNS]
        with_contact = any(column in CONTACT_COLUMNS for column in preview.columns)
        rows = []
        for row in sorted(preview.rows, key=lambda row: (not row.problems, row.line)):
            cells = [(row.cells[column], row.problems.get(column, "")) for column in columns]
            others = [
                f"{column}: {why}" if column else why for column, why in row.problems.items() if column not in columns
            ]
            rows.append({"row": row, "cells": cells, "others": others})
        counts = preview.counts
        context = {
            "preview": preview,
            "trial": trial,
            "columns": columns,
            "with_contact": with_contact,
            "rows": rows,
            "new": counts[RowCheck.NEW],
            "known": counts[RowCheck.KNOWN],
            "wrong": counts[RowCheck.WRONG],
        }
        return self._page(request, context, status=200 if preview.clean else 400)

    def _page(self, request: HttpRequest, context: dict[str, Any], *, status: int) -> HttpResponse:
        shown = {
            **self.admin_site.each_context(request),  # type: ignore[attr-defined]
            "title": "Enrol by a file",
            "opts": self.model._meta,  # type: ignore[attr-defined]
            **context,
        }
        return TemplateResponse(request, "admin/enrol.html", shown, status=status)

    def template_view(self, request: HttpRequest) -> HttpResponse:
        """A file to fill in."""
        if not self.has_add_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        # With the mark that tells a spreadsheet the encoding.
        content = "\ufeff" + enrolment.template(contacts=may_contact(request))
        headers = {"Content-Disposition": 'attachment; filename="participants.csv"'}
        return HttpResponse(content, content_type="text/csv; charset=utf-8", headers=headers)
