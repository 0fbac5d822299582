"""Sync windows in the API: what was asked of the vendors, and what came of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion.models import SyncWindow
from participants.api.base.parameters import Parameters
from participants.api.base.resource import resource
from participants.api.base.viewsets import ResourceSet


class SyncWindowSerializer(serializers.ModelSerializer[SyncWindow]):
    study_id = serializers.CharField(source="connection.participant.study_id", read_only=True)
    provider = serializers.CharField(source="connection.provider", read_only=True)

    class Meta:
        model = SyncWindow
        fields = (
            "id",
            "study_id",
            "provider",
            "data_type",
            "kind",
            "starts_at",
            "ends_at",
            "reason",
            "state",
            "attempts",
            "due_at",
            "claimed_at",
            "finished_at",
            "points",
            "requests",
            "bytes",
            "unreadable",
            "unfinished",
            "error_code",
        )
        read_only_fields = fields


class SyncWindowParameters(Parameters):
    participant = serializers.CharField(required=False, max_length=64, help_text="A study id.")
    provider = serializers.CharField(required=False, max_length=40)
    state = serializers.ChoiceField(SyncWindow.State.choices, required=False)
    data_type = serializers.CharField(required=False, max_length=60)
    start = serializers.DateTimeField(
        required=False,
        default_timezone=dt.UTC,
        help_text="Windows that end after this instant; UTC unless stated.",
    )
    end = serializers.DateTimeField(
        required=False, default_timezone=dt.UTC, help_text="Windows that begin before this instant."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "start" in attrs and "end" in attrs and attrs["start"] >= attrs["end"]:
            raise serializers.ValidationError({"end": "The end does not come after the start."})
        return attrs


# Parameter -> the field that it narrows.
FIELDS = {
    "provider": "connection__provider",
    "state": "state",
    "data_type": "data_type",
    "start": "ends_at__gt",
    "end": "starts_at__lt",
}


@resource("connections", "code")
class SyncWindowSet(ResourceSet):
    """Windows of a trial's connections, the newest first."""

    serializer_class = SyncWindowSerializer
    queryset = SyncWindow.objects.none()

    @extend_schema(summary="List a trial's sync windows", parameters=[SyncWindowParameters])
    def list(self, request: Request, code: str) -> Response:
        parameters = SyncWindowParameters.read(request)
        _, participants = self.trial_participants(code)
        if "participant" in parameters:
            participants = participants.with_study_id(parameters.pop("participant"))
        windows = SyncWindow.objects.filter(connection__participant__in=participants)
        windows = windows.filter(**{FIELDS[name]: value for name, value in parameters.items()})
        return self.paged(windows.select_related("connection__participant"), "-id")
