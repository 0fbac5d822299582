"""Base classes of API resources: transactions, repeated writes, ETags, throttling headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.encoding import force_bytes
from rest_framework import viewsets
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from participants import write_rights
from participants.api.base import etags, fields, idempotency, throttling
from participants.api.base.exceptions import BadParameters
from participants.audit import record
from participants.models import IdempotencyKey, Participant, Site, Trial, User
from participants.visible_statements import visible_trial

if TYPE_CHECKING:
    Base = APIView
else:
    Base = object


class Answering(Base):
    """Mixed into each view: a write is one transaction and is undone where the response is an error."""

    _claimed: IdempotencyKey | None = None
    _rights: list[write_rights.Right]  # what this request was let in for

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method in SAFE_METHODS:
            return super().dispatch(request, *args, **kwargs)
        with transaction.atomic():
            response = super().dispatch(request, *args, **kwargs)
            if response.status_code >= 400:
                transaction.set_rollback(True)
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self._rights = []
        super().initial(request, *args, **kwargs)
        if request.method not in SAFE_METHODS and isinstance(request.user, User):
            self._claimed = idempotency.claim(request, request.user)

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, idempotency.Replay):
            return exc.response
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        throttling.tell(request, answer)
        etags.conditional(request, answer)
        if self._claimed and isinstance(answer, Response) and answer.status_code < 400:
            idempotency.keep(self._claimed, answer.render(), self._rights)
        return answer

    @property
    def user(self) -> User:
        """User of the request. Only behind SignedIn."""
        user = self.request.user
        if not isinstance(user, User):
            raise NotAuthenticated
        return user

    def trial(self, code: str, *, led: bool = False) -> Trial:
        """A trial of the user's, or 404; `led`: whose rules and team they decide on, else 403.

        A token that may only read reads what its user leads.
        """
        trial = visible_trial(self.user, code)
        if trial is None:
            raise Http404
        reading = self.request.method in SAFE_METHODS
        if led and not Trial.objects.led_by(self.user, reading=reading).filter(pk=trial.pk).exists():
            raise PermissionDenied("Only managers of the whole trial may do this.")
        self._rights += [[write_rights.TRIAL, trial.pk], *([[write_rights.LED, trial.pk]] if led else [])]
        return trial

    def enrolling(self, trial: Trial, site: Site | None) -> None:
        """Refuse with 403 who may not enrol at this site of the trial; None: for the whole trial."""
        if not Trial.objects.enrolled_by(self.user, site).filter(pk=trial.pk).exists():
            raise PermissionDenied("Only managers and coordinators of the site may enrol there.")
        self._rights.append([write_rights.ENROLS, trial.pk, site and site.pk])

    def trial_participants(self, code: str) -> tuple[Trial, Any]:
        """A trial of the user's, and those of its participants whom they see. That they list them is recorded."""
        trial = self.trial(code)
        record("participants.list", trial=trial)
        return trial, Participant.objects.visible_to(self.user).filter(trial=trial)

    def participant(self, code: str, study_id: str, *, managed: bool = False) -> Participant:
        """A participant of a trial of the user's, or 404; `managed`: whom they may act for, else 403."""
        visible = Participant.objects.visible_to(self.user).select_related("trial", "site")
        participant: Participant = get_object_or_404(visible.with_study_id(study_id), trial__code=code)
        self.about(participant, managed=managed)
        return participant

    def about(self, participant: Participant, *, managed: bool = False) -> None:
        """Note the visible participant whom this request is about; `managed`: 403 where the user may not act."""
        if managed and not Participant.objects.managed_by(self.user).filter(pk=participant.pk).exists():
            raise PermissionDenied("Only managers and coordinators of their site may do this.")
        self._rights += [
            [write_rights.PARTICIPANT, participant.pk],
            *([[write_rights.MANAGED, participant.pk]] if managed else []),
        ]


class ResourceView(Answering, APIView):
    """A single address of the API."""


class ResourceSet(Answering, viewsets.GenericViewSet[Any]):
    """A kind of thing, its list and its single ones."""

    lookup_value_regex = "[^/]+"

    def paged(self, rows: Any, *ordering: str, serializer: type[BaseSerializer[Any]] | None = None) -> Response:
        """A page of these rows in an order, which ends with something unique."""
        self.paginator.ordering = ordering  # type: ignore[union-attr]
        page = self.paginate_queryset(rows)
        shown = serializer or self.get_serializer_class()
        return self.get_paginated_response(shown(page, many=True, context=self.get_serializer_context()).data)

    def shown(self, thing: Any) -> Any:
        """Representation of one row in a response."""
        return self.get_serializer_class()(thing, context=self.get_serializer_context()).data

    def validated_body(self, serializer: type[BaseSerializer[Any]], *, partial: bool = False) -> dict[str, Any]:
        """The body of a write, checked. Raises ValidationError, which names each field that is wrong."""
        checked = serializer(data=self.request.data, partial=partial, context=self.get_serializer_context())
        fields.check_json_types(checked, self.request.data)
        checked.is_valid(raise_exception=True)
        if isinstance(self.request.data, dict) and (strange := set(self.request.data) - set(checked.fields)):  # type: ignore[attr-defined]
            raise BadParameters({name: ["There is no such field here to write."] for name in sorted(strange)})
        values: dict[str, Any] = checked.validated_data
        return values

    def unchanged(self, answer: Any) -> None:
        """Refuse with 412 where `If-Match` names another response than a read would get now. Hold the row before."""
        if "If-Match" in self.request.headers:
            renderer = self.request.accepted_renderer
            rendered = renderer.render(answer, self.request.accepted_media_type, {})
            etags.match(self.request, force_bytes(rendered))


def created(thing: Any, address: str) -> Response:
    """201: what was made and where it is."""
    return Response(thing, status=201, headers={"Location": address})
