"""Access log of the administration: each page about a participant and each list is recorded, as on other pages.

The templates' context says what a page shows, so that no page, and none that is added, has to say so itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model
from django.http import HttpRequest, HttpResponseBase
from django.template.response import SimpleTemplateResponse

from participants.audit import record, record_view
from participants.models import Participant
from participants.privacy.data_map import STAYS, data_inventory


class AdminAccessLog:
    """Middleware, behind audit_context, which says who views."""

    def __init__(self, ask: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.ask = ask

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.ask(request)

    def process_template_response(
        self, request: HttpRequest, response: SimpleTemplateResponse
    ) -> SimpleTemplateResponse:
        match = request.resolver_match
        if match is not None and match.app_name == "admin" and request.method == "GET":
            _note(response.context_data or {})
        return response


def _note(context: dict[str, Any]) -> None:
    row = context.get("original") or context.get("object")  # a form, a history, a question whether to delete
    if isinstance(row, Model):
        if participant := _participant_of(row):
            record_view(participant, part=True)
    elif (changelist := context.get("cl")) and (changelist.model is Participant or _path(changelist.model)):
        record("admin.list", thing=changelist.model._meta.label_lower)


def _path(model: type[Model]) -> str:
    """The lookup from rows of a model to their participant; empty where there is none."""
    if model in STAYS:
        return "participant"
    return next((entry.path for entry in data_inventory() if entry.model is model), "")


def _participant_of(row: Model) -> Participant | None:
    if isinstance(row, Participant):
        return row
    path = _path(type(row))
    try:
        participant = reduce(getattr, path.split("__"), row) if path else None
    except (ObjectDoesNotExist, AttributeError):
        return None
    return participant if isinstance(participant, Participant) else None
