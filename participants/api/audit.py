"""Audit trail in the API: who did or viewed what."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from participants.api.base.parameters import Parameters
from participants.api.base.resource import resource
from participants.api.base.viewsets import ResourceSet
from participants.audit import record
from participants.models import AuditDetail, AuditEntry, Participant
from participants.models.audit import Via
from participants.querysets import ParticipantQuerySet, reads_whole_audit_trail


class AuditEntrySerializer(serializers.ModelSerializer[AuditEntry]):
    trial = serializers.CharField(source="trial.code", default=None, allow_null=True, read_only=True)
    study_id = serializers.SerializerMethodField(help_text="Whose record it is; empty: nobody's, or erased.")
    actor = serializers.CharField(
        source="actor_name", read_only=True, help_text="The e-mail address then; empty: the platform itself."
    )
    token = serializers.IntegerField(source="token_id", allow_null=True, read_only=True, help_text="An API token's id.")
    old = serializers.SerializerMethodField()
    new = serializers.SerializerMethodField()
    reason = serializers.SerializerMethodField()

    class Meta:
        model = AuditEntry
        fields = (
            "id",
            "at",
            "action",
            "via",
            "actor",
            "token",
            "trial",
            "study_id",
            "thing",
            "old",
            "new",
            "reason",
            "request_id",
        )
        read_only_fields = fields

    def _detail(self, entry: AuditEntry) -> AuditDetail:
        return getattr(entry, "detail", None) or AuditDetail()

    def get_study_id(self, entry: AuditEntry) -> str:
        return self._detail(entry).subject or self.context["study_ids"].get(entry.participant_id, "")

    def get_old(self, entry: AuditEntry) -> dict[str, Any]:
        old: dict[str, Any] = self._detail(entry).old
        return old

    def get_new(self, entry: AuditEntry) -> dict[str, Any]:
        new: dict[str, Any] = self._detail(entry).new
        return new

    def get_reason(self, entry: AuditEntry) -> str:
        return self._detail(entry).reason


class AuditParameters(Parameters):
    actor = serializers.CharField(required=False, max_length=254, help_text="An e-mail address.")
    action = serializers.CharField(required=False, max_length=60, help_text="E.g. participant.view.")
    via = serializers.ChoiceField(Via.choices, required=False)
    participant = serializers.CharField(required=False, max_length=64, help_text="A study id.")
    start = serializers.DateTimeField(
        required=False, default_timezone=dt.UTC, help_text="From this instant on; UTC unless said."
    )
    end = serializers.DateTimeField(required=False, default_timezone=dt.UTC, help_text="Before this instant.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "start" in attrs and "end" in attrs and attrs["start"] >= attrs["end"]:
            raise serializers.ValidationError({"end": "The end does not come after the start."})
        return attrs


# Parameter -> the field that it narrows.
FIELDS = {"actor": "actor_name__iexact", "action": "action", "via": "via", "start": "at__gte", "end": "at__lt"}


class AuditLogViewSet(ResourceSet):
    """Audit entries, the newest first: what both resources share."""

    serializer_class = AuditEntrySerializer
    queryset = AuditEntry.objects.none()

    def entries_response(
        self, entries: QuerySet[AuditEntry], participants: ParticipantQuerySet, params: dict[str, Any]
    ) -> Response:
        """A page of these entries, narrowed. `participants`: those whom `participant` may name."""
        rows = entries.filter(**{FIELDS[name]: value for name, value in params.items() if name in FIELDS})
        if "participant" in params:
            rows = rows.filter(
                participant__in=list(
                    participants.with_study_id(params["participant"]).values_list("pk", flat=True)[:100]
                )
            )
        self.paginator.ordering = ("-id",)  # type: ignore[union-attr]
        page = self.paginate_queryset(rows.select_related("trial", "detail")) or []
        # A view has no detail that would tell whose record it is.
        seen = Participant.objects.filter(pk__in={entry.participant_id for entry in page})
        context = {"study_ids": dict(seen.values_list("pk", "study_id"))}
        return self.get_paginated_response(AuditEntrySerializer(page, many=True, context=context).data)


@resource("trust", "code")
class TrialAuditSet(AuditLogViewSet):
    """A trial's audit trail, for managers of the whole trial."""

    @extend_schema(
        summary="List a trial's audit entries",
        description="For managers of the whole trial.",
        parameters=[AuditParameters],
        responses={200: AuditEntrySerializer(many=True), 403: None},
    )
    def list(self, request: Request, code: str) -> Response:
        params = AuditParameters.read(request)
        trial = self.trial(code, led=True)
        record("audit.list", trial=trial)
        entries = AuditEntry.objects.visible_to(self.user).filter(trial=trial)
        return self.entries_response(entries, Participant.objects.filter(trial=trial), params)


@resource("trust")
class AuditSet(AuditLogViewSet):
    """The whole audit trail, for staff who may view it; with a token of some trials, that of those."""

    @extend_schema(
        summary="List audit entries of the whole site",
        description="For staff who have the permission to view audit entries, as in the administration.",
        parameters=[AuditParameters],
        responses={200: AuditEntrySerializer(many=True), 403: None},
    )
    def list(self, request: Request) -> Response:
        params = AuditParameters.read(request)
        if not reads_whole_audit_trail(self.user):
            raise PermissionDenied("Only staff with the permission to view audit entries may read the whole trail.")
        record("audit.list")
        participants = Participant.objects.all()
        if self.user.token_trials is not None:
            participants = participants.filter(trial__in=self.user.token_trials)
        return self.entries_response(AuditEntry.objects.visible_to(self.user), participants, params)
