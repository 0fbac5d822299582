"""Invitations in the API: a link is answered once, to whoever made it, and not stored."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion.connections import invitations
from ingestion.models import Invitation
from participants.api.base.exceptions import conflicts
from participants.api.base.parameters import Parameters
from participants.api.base.resource import resource
from participants.api.base.viewsets import ResourceSet, created
from participants.audit import record_view

STATES = ("open", "opened", "used", "cancelled", "expired")


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    state = serializers.SerializerMethodField()
    created_by = serializers.EmailField(source="created_by.email", allow_null=True, default=None, read_only=True)

    class Meta:
        model = Invitation
        fields: tuple[str, ...] = (
            "id",
            "state",
            "created_at",
            "created_by",
            "expires_at",
            "opened_at",
            "used_at",
            "cancelled_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(STATES))
    def get_state(self, made: Invitation) -> str:
        if made.used_at:
            return "used"
        if made.cancelled_at:
            return "cancelled"
        if made.expires_at <= timezone.now():
            return "expired"
        return "opened" if made.opened_at else "open"


class NewInvitationSerializer(InvitationSerializer):
    link = serializers.SerializerMethodField(help_text="For the participant alone; it is not shown again.")

    class Meta(InvitationSerializer.Meta):
        fields = (*InvitationSerializer.Meta.fields, "link")
        read_only_fields = fields

    def get_link(self, made: Invitation) -> str:
        path = reverse("ingestion:connect", args=[invitations.invitation_code(made)])
        return f"{settings.PUBLIC_URL}{path}"


@resource("connections", "code", "study_id")
class InvitationSet(ResourceSet):
    """A participant's invitations to connect their device."""

    serializer_class = InvitationSerializer
    queryset = Invitation.objects.none()
    lookup_field = "id"
    lookup_value_regex = "[0-9]{1,9}"

    def _invitations(self, code: str, study_id: str, *, managed: bool = False) -> Any:
        participant = self.participant(code, study_id, managed=managed)
        return participant, participant.invitations.select_related("created_by", "participant")

    @extend_schema(summary="List a participant's invitations")
    def list(self, request: Request, code: str, study_id: str) -> Response:
        Parameters.read(request)
        participant, made = self._invitations(code, study_id)
        record_view(participant, part=True)
        return self.paged(made, "-created_at", "-pk")

    @extend_schema(summary="An invitation")
    def retrieve(self, request: Request, code: str, study_id: str, id: str) -> Response:
        Parameters.read(request)
        participant, made = self._invitations(code, study_id)
        invitation = get_object_or_404(made, pk=id)
        record_view(participant, part=True)
        return Response(self.shown(invitation))

    @extend_schema(
        summary="Invite a participant to connect their device",
        description="Their earlier links stop working. The answer holds the new one; it cannot be read again.",
        request=None,
        responses={201: NewInvitationSerializer},
    )
    def create(self, request: Request, code: str, study_id: str) -> Response:
        participant = self.participant(code, study_id, managed=True)
        with conflicts():
            made = invitations.invitation_create(participant=participant, by=self.user, now=timezone.now())
        return created(NewInvitationSerializer(made).data, f"{request.path}/{made.pk}")

    @extend_schema(summary="Cancel an invitation", request=None, responses={200: InvitationSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, code: str, study_id: str, id: str) -> Response:
        _, made = self._invitations(code, study_id, managed=True)
        invitation = get_object_or_404(made, pk=id)
        with conflicts():
            invitations.invitation_cancel(invitation, now=timezone.now())
        return Response(self.shown(invitation))
