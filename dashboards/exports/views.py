"""Exports of a trial: asking for one, how far it is, what came of it, and taking it away."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Sum
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from dashboards.exports.forms import ExportForm
from dashboards.ui.access import Request, signed_in, visible_trial
from metrics import exports
from metrics.exports import downloads
from metrics.models import Export, ExportFile
from metrics.registry import BY_CODE
from participants.forms import SeeOther
from participants.s3 import StoreFault
from participants.team_texts import gettext
from participants.user_input import form_data, query_params

log = logging.getLogger(__name__)

SHOWN = 30  # exports
FILES_SHOWN = 200
STATES = {
    Export.State.WAITING: (gettext("Waiting for a worker"), "s-waiting", "mute"),
    Export.State.RUNNING: (gettext("Being written"), "s-waiting", "mute"),
    Export.State.DONE: (gettext("Ready"), "s-active", "ok"),
    Export.State.FAILED: (gettext("Failed"), "s-crit", "crit"),
    Export.State.CANCELLED: (gettext("Cancelled"), "s-withdrawn", "mute"),
    Export.State.EXPIRED: (gettext("Deleted"), "s-withdrawn", "mute"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """An export as the list and its own page show it."""

    export: Any
    now: dt.datetime

    @property
    def name(self) -> str:
        return str(self.export.get_format_display())

    @property
    def what(self) -> str:
        """Metrics in brief; of everything about one participant, whose it is."""
        if self.export.format == Export.Format.SUBJECT:
            return " ".join(self.export.people.values_list("study_id", flat=True))
        names = [BY_CODE[code].name for code in self.export.metrics if code in BY_CODE]
        if not names:
            return gettext("all metrics")
        if len(names) <= 3:
            return ", ".join(names)
        return gettext("{names} and {n} more").format(names=", ".join(names[:3]), n=len(names) - 3)

    @property
    def state(self) -> tuple[str, str, str]:
        """Label, picture and tone."""
        return STATES[Export.State(self.export.state)]

    @property
    def at_work(self) -> bool:
        return not self.export.ended

    @property
    def percent(self) -> int | None:
        """Progress in percent; None where that is not known."""
        expected = self.export.rows_expected
        return min(int(100 * self.export.rows_done / expected), 99) if expected else None

    @property
    def minutes_left(self) -> int | None:
        """At the pace so far; None where that is not known."""
        export = self.export
        if not export.started_at or not export.rows_done or not export.rows_expected:
            return None
        seconds = (self.now - export.started_at).total_seconds()
        left = seconds / export.rows_done * max(export.rows_expected - export.rows_done, 0)
        return max(round(float(left) / 60), 1)


def visible_export(request: Request, code: str, uuid: Any) -> Export:
    """The signed-in person's own export of a trial that they see; to anybody else there is none."""
    export: Export = get_object_or_404(exports.exports_of(request.user), uuid=uuid, trial__code=code)
    return export


def _rows(request: Request, trial: Any) -> list[Row]:
    exports_here = exports.exports_of(request.user).filter(trial=trial)
    return [
        Row(export, timezone.now())
        for export in exports_here.annotate(size=Sum("files__size")).order_by("-asked_at")[:SHOWN]
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
def exports_list(request: Request, code: str) -> HttpResponse:
    """The user's exports and the form for a new one; for HTMX the list alone."""
    trial = visible_trial(request, code)
    form = ExportForm(request.user, trial, form_data(request).form if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            export = exports.export_create_checked(request.user, form.checked)
        except ValidationError as refused:
            form.add_error(None, refused)
        else:
            return SeeOther(reverse("dashboards:export", args=[code, export.uuid]))
    rows = _rows(request, trial)
    context = {
        "trial": trial,
        "section": "exports",
        "form": form,
        "rows": rows,
        "polling": any(row.at_work for row in rows),
        "here": request.path,
        "now": timezone.now(),
    }
    partial = request.htmx and not request.htmx.boosted and request.method != "POST"
    status = 422 if form.is_bound else 200
    return render(request, f"dashboards/exports/{'_exports' if partial else 'exports'}.html", context, status=status)


@require_safe
@never_cache
@signed_in
def export_estimate(request: Request, code: str) -> HttpResponse:
    """Number of rows that the form, as it is filled in, would bring: a sentence."""
    trial = visible_trial(request, code)
    form = ExportForm(request.user, trial, query_params(request).form)
    rows = exports.estimate(form.checked) if form.is_valid() and form.checked else None
    people = len(form.checked.people) if form.checked else 0
    return render(request, "dashboards/exports/_export_estimate.html", {"rows": rows, "people": people, "form": form})


@require_safe
@never_cache
@signed_in
def export(request: Request, code: str, uuid: Any) -> HttpResponse:
    """One export: how far it is, then its files with their sums; for HTMX what moves alone."""
    export_row = visible_export(request, code, uuid)
    partial = request.htmx and not request.htmx.boosted
    if partial and export_row.ended:
        return HttpResponseClientRefresh()
    whole = export_row.files.aggregate(n=Count("pk"), size=Sum("size"))
    first = export_row.files.filter(rows__isnull=False).order_by("as_of").first()
    context = {
        "trial": export_row.trial,
        "section": "exports",
        "row": Row(export_row, timezone.now()),
        "people": export_row.people.count(),
        "files": export_row.files.all()[:FILES_SHOWN] if export_row.state == Export.State.DONE else [],
        "whole": whole,
        "as_of": first.as_of if first else None,
        "here": request.path,
        "now": timezone.now(),
    }
    return render(request, f"dashboards/exports/{'_export_progress' if partial else 'export'}.html", context)


@require_POST
@signed_in
def export_cancel(request: Request, code: str, uuid: Any) -> HttpResponse:
    """Call it off."""
    export_row = visible_export(request, code, uuid)
    if exports.export_cancel(export_row):
        messages.success(request, gettext("The export is cancelled and what was written is deleted."))
    else:
        messages.info(request, gettext("It had ended already."))
    return SeeOther(reverse("dashboards:exports", args=[code]))


@require_POST
@signed_in
def export_again(request: Request, code: str, uuid: Any) -> HttpResponse:
    """Ask anew for what one that ended without files was asked for."""
    ended = visible_export(request, code, uuid)
    try:
        made = exports.export_again(request.user, ended)
    except (ValidationError, ValueError) as refused:
        messages.warning(request, " ".join(getattr(refused, "messages", [str(refused)])))
        return SeeOther(reverse("dashboards:export", args=[code, uuid]))
    return SeeOther(reverse("dashboards:export", args=[code, made.uuid]))


@require_safe
@signed_in
def export_download(request: Request, code: str, uuid: Any, path: str = "") -> HttpResponseBase:
    """One file, or all as an archive; a broken download may be taken up again."""
    export_row = visible_export(request, code, uuid)
    try:
        return (
            downloads.file_response(request, export_row, path)
            if path
            else downloads.archive_response(request, export_row)
        )
    except ExportFile.DoesNotExist:
        raise Http404 from None
    except StoreFault as fault:
        log.error("%s", fault)
        return render(
            request,
            "dashboards/exports/export_unreachable.html",
            {"trial": export_row.trial, "section": "exports"},
            status=503,
        )
