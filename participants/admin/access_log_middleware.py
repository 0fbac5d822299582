"""Reads in the administration count as they do elsewhere: each page about a participant is a look, and each list.

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
    """Middleware, behind audit_context, which says who looks."""

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
        if person := _person(row):
            record_view(person, part=True)
    elif (found := context.get("cl")) and (found.model is Participant or _path(found.model)):
        record("admin.list", thing=found.model._meta.label_lower)


def _path(model: type[Model]) -> str:
    """The lookup from rows of a model to their participant; empty where there is none."""
    if model in STAYS:
        return "participant"
    return next((entry.path for entry in data_inventory() if entry.model is model), "")


def _person(row: Model) -> Participant | None:
    if isinstance(row, Participant):
        return row
    path = _path(type(row))
    try:
        found = reduce(getattr, path.split("__"), row) if path else None
    except (ObjectDoesNotExist, AttributeError):
        return None
    return found if isinstance(found, Participant) else None
