"""API resources for contacts: the log of e-mails and calls, logging a call, the trial's message templates.

Nothing here holds a name or an address. Letters are sent from the pages, where they are read before they go.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dashboards.messaging import services as messaging_services
from dashboards.messaging import templates
from dashboards.messaging.views import REACHED
from dashboards.models import Alert, MessageTemplate, Outreach
from participants.api.base.exceptions import BadParameters
from participants.api.base.fields import Line
from participants.api.base.parameters import Parameters
from participants.api.base.resource import resource
from participants.api.base.viewsets import ResourceSet, created


class OutreachSerializer(serializers.ModelSerializer[Outreach]):
    study_id = serializers.CharField(source="participant.study_id", read_only=True)
    by = serializers.EmailField(source="by.email", default=None, read_only=True, allow_null=True)
    template = serializers.CharField(source="template.code", default=None, read_only=True, allow_null=True)
    alert = serializers.IntegerField(
        source="alert_id", read_only=True, allow_null=True, help_text="The alert that it answers."
    )

    class Meta:
        model = Outreach
        fields: tuple[str, ...] = (
            "id",
            "study_id",
            "kind",
            "title",
            "language",
            "template",
            "reason",
            "alert",
            "by",
            "batch",
            "created_at",
            "send_after",
            "state",
            "state_at",
            "state_reason",
            "sent_at",
            "back_at",
        )
        read_only_fields = fields


class OutreachWithBodySerializer(OutreachSerializer):
    class Meta(OutreachSerializer.Meta):
        fields = (*OutreachSerializer.Meta.fields, "body")
        read_only_fields = fields


class OutreachParameters(Parameters):
    participant = serializers.CharField(required=False, max_length=64, help_text="A study id.")
    kind = serializers.ChoiceField(Outreach.Kind.choices, required=False)
    state = serializers.ChoiceField(Outreach.State.choices, required=False)
    batch = serializers.UUIDField(required=False, help_text="What was sent together.")
    answered = serializers.BooleanField(
        required=False, allow_null=True, default=None, help_text="Whether newer data have arrived since."
    )


class CallSerializer(serializers.Serializer[Any]):
    study_id = serializers.CharField(max_length=64)
    outcome = serializers.ChoiceField(REACHED)
    said = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="", help_text="No names.")
    reason = Line(max_length=messaging_services.REASON_LENGTH, help_text="Why the participant was called.")
    alert = serializers.IntegerField(required=False, allow_null=True, default=None, help_text="The alert it answers.")


FIELDS = {"kind": "kind", "state": "state", "batch": "batch"}


@resource("monitoring", "code")
class OutreachSet(ResourceSet):
    """E-mails and calls to a trial's participants, the newest first."""

    serializer_class = OutreachSerializer
    queryset = Outreach.objects.none()
    lookup_field = "id"
    lookup_value_regex = "[0-9]{1,9}"

    @extend_schema(summary="List contacts with a trial's participants", parameters=[OutreachParameters])
    def list(self, request: Request, code: str) -> Response:
        params = OutreachParameters.read(request)
        _, people = self.trial_participants(code)
        if "participant" in params:
            people = people.with_study_id(params["participant"])
        outreaches = Outreach.objects.filter(participant__in=people)
        outreaches = outreaches.filter(**{FIELDS[name]: value for name, value in params.items() if name in FIELDS})
        if params["answered"] is not None:
            outreaches = outreaches.filter(back_at__isnull=not params["answered"])
        return self.paged(outreaches.select_related("participant", "by", "template"), "-id")

    @extend_schema(summary="A contact, with what was written or said", responses=OutreachWithBodySerializer)
    def retrieve(self, request: Request, code: str, id: str) -> Response:
        Parameters.read(request)
        _, people = self.trial_participants(code)
        outreaches = Outreach.objects.filter(participant__in=people).select_related("participant", "by", "template")
        return Response(OutreachWithBodySerializer(get_object_or_404(outreaches, pk=id)).data)

    @extend_schema(
        summary="Log a call to a participant",
        request=CallSerializer,
        responses={201: OutreachWithBodySerializer},
    )
    def create(self, request: Request, code: str) -> Response:
        self.trial(code)
        fields = self.validated_body(CallSerializer)
        participant = self.participant(code, fields["study_id"], managed=True)
        alert = None
        if fields["alert"] is not None:
            alert = Alert.objects.filter(pk=fields["alert"], participant=participant).first()
            if alert is None:
                raise BadParameters({"alert": ["The participant has no such alert."]})
        batch = uuid.uuid4()
        messaging_services.call_store(
            participant,
            outcome=fields["outcome"],
            said=fields["said"],
            reason=fields["reason"],
            by=self.user,
            batch=batch,
            now=timezone.now(),
            alert=alert,
        )
        call = Outreach.objects.get(participant=participant, batch=batch)
        return created(OutreachWithBodySerializer(call).data, f"{request.path}/{call.pk}")


class MessageTemplateSerializer(serializers.ModelSerializer[MessageTemplate]):
    causes = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Causes that it answers; none: any."
    )

    class Meta:
        model = MessageTemplate
        fields = ("code", "language", "title", "subject", "body", "causes")
        read_only_fields = fields


@resource("monitoring", "code")
class MessageTemplateSet(ResourceSet):
    """A trial's active message templates, one in each language."""

    serializer_class = MessageTemplateSerializer
    queryset = MessageTemplate.objects.none()

    @extend_schema(summary="List a trial's message templates")
    def list(self, request: Request, code: str) -> Response:
        Parameters.read(request)
        trial = self.trial(code)
        templates.templates_of(trial)  # a trial that has none yet gets them
        active = trial.message_templates.filter(active=True)
        return self.paged(active.order_by("code", "language"), "code", "language")
