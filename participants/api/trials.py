"""Trials in the API: what is studied, when, and under which name."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from participants import services
from participants.models import Trial
from participants.rest.described import IF_MATCH
from participants.rest.fields import Line
from participants.rest.parameters import Parameters
from participants.rest.views import ResourceSet
from participants.services.changes import locked


class TrialSerializer(serializers.ModelSerializer[Trial]):
    class Meta:
        model = Trial
        fields = ("code", "title", "status", "is_demo", "starts_on", "ends_on", "time_zone")


class TrialChangesSerializer(serializers.ModelSerializer[Trial]):
    reason = Line(max_length=500, required=False, help_text="For the audit trail.")

    class Meta:
        model = Trial
        fields = ("title", "status", "starts_on", "ends_on", "time_zone", "reason")


class TrialParameters(Parameters):
    status = serializers.ChoiceField(Trial.Status.choices, required=False, help_text="Trials of this status only.")


@extend_schema(tags=["trials"])
class TrialSet(ResourceSet):
    """The trials of which the user is a member."""

    serializer_class = TrialSerializer
    lookup_field = "code"

    def get_queryset(self) -> Any:
        return Trial.objects.visible_to(self.user)

    @extend_schema(parameters=[TrialParameters], summary="List trials")
    def list(self, request: Request) -> Response:
        trials = self.get_queryset().filter(**TrialParameters.read(request))
        return self.paged(trials, "code", "pk")

    @extend_schema(summary="A trial")
    def retrieve(self, request: Request, code: str) -> Response:
        Parameters.read(request)
        return Response(self.shown(self.trial(code)))

    @extend_schema(
        summary="Change a trial",
        description="For managers of the whole trial. Its code and whether it is a demo are the operator's.",
        parameters=[IF_MATCH],
        request=TrialChangesSerializer,
        responses=TrialSerializer,
    )
    def partial_update(self, request: Request, code: str) -> Response:
        trial = locked(self.trial(code, led=True))
        self.unchanged(self.shown(trial))
        return Response(self.shown(services.trial_update(trial, **self.said(TrialChangesSerializer, partial=True))))
