"""Trials in the API: what is studied, when, and under which name."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from participants import services, trial_closing
from participants.api.base.fields import Line
from participants.api.base.parameters import Parameters
from participants.api.base.resource import IF_MATCH
from participants.api.base.viewsets import ResourceSet
from participants.models import Trial
from participants.services.changes import locked


class TrialSerializer(serializers.ModelSerializer[Trial]):
    class Meta:
        model = Trial
        fields: tuple[str, ...] = ("code", "title", "status", "is_demo", "starts_on", "ends_on", "time_zone")


class TrialChangesSerializer(serializers.ModelSerializer[Trial]):
    reason = Line(max_length=500, required=False, help_text="For the audit trail.")
    dry_run = serializers.BooleanField(
        default=False, help_text="Answer as if it were changed, with what that ends, and change nothing."
    )

    class Meta:
        model = Trial
        fields = ("title", "status", "starts_on", "ends_on", "time_zone", "reason", "dry_run")


class EndsSerializer(serializers.Serializer[Any]):
    connections = serializers.IntegerField(help_text="Connections that end; their grants are given back.")
    invitations = serializers.IntegerField(help_text="Invitations that are cancelled.")


class TrialChangedSerializer(TrialSerializer):
    ends = serializers.SerializerMethodField(help_text="What the closing of the trial ends; null: it was not closed.")

    class Meta(TrialSerializer.Meta):
        fields = (*TrialSerializer.Meta.fields, "ends")

    @extend_schema_field(EndsSerializer(allow_null=True))
    def get_ends(self, trial: Trial) -> dict[str, Any] | None:
        ends = self.context.get("ends")
        return EndsSerializer(ends).data if ends else None


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
        description="For managers of the whole trial. Its code and whether it is a demo are the operator's. Closing it "
        "ends its participants' connections, gives our access at the vendors back and cancels open invitations: "
        "`dry_run` says first how many. What is opened again needs new invitations.",
        parameters=[IF_MATCH],
        request=TrialChangesSerializer,
        responses=TrialChangedSerializer,
    )
    def partial_update(self, request: Request, code: str) -> Response:
        trial = locked(self.trial(code, led=True))
        self.unchanged(self.shown(trial))
        changes = self.validated_body(TrialChangesSerializer, partial=True)
        dry_run = changes.pop("dry_run", False)
        closes = trial.status != Trial.Status.CLOSED == changes.get("status")
        context = {"ends": trial_closing.ends(trial) if closes else None}
        with transaction.atomic():
            changed = services.trial_update(trial, **changes)
            if dry_run:
                transaction.set_rollback(True)
        return Response(TrialChangedSerializer(changed, context=context).data)
