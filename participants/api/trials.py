"""Trials in the API: who takes part in what."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from participants.models import Trial
from participants.rest.parameters import Parameters
from participants.rest.views import ResourceSet


class TrialSerializer(serializers.ModelSerializer[Trial]):
    class Meta:
        model = Trial
        fields = ("code", "title", "status", "is_demo", "starts_on", "ends_on", "time_zone")


class TrialParameters(Parameters):
    status = serializers.ChoiceField(Trial.Status.choices, required=False, help_text="Trials of this status only.")


@extend_schema(tags=["trials"])
class TrialSet(ResourceSet):
    """The trials of which the user is a member."""

    serializer_class = TrialSerializer
    lookup_field = "code"
    lookup_value_regex = "[^/]+"

    def get_queryset(self) -> Any:
        return Trial.objects.visible_to(self.user)

    @extend_schema(parameters=[TrialParameters], summary="List trials")
    def list(self, request: Request) -> Response:
        trials = self.get_queryset().filter(**TrialParameters.read(request)).order_by("code", "pk")
        self.paginator.ordering = ("code", "pk")  # type: ignore[union-attr]
        page = self.paginate_queryset(trials)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(summary="A trial")
    def retrieve(self, request: Request, code: str) -> Response:
        TrialParameters.read(request)
        return Response(self.get_serializer(self.trial(code)).data)
