"""Imported files in the API: what was offered to a trial, what became of it, and rows that were not taken."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion.models import ImportFile, RejectedRow
from participants.api.base.parameters import Parameters
from participants.api.base.resource import resource
from participants.api.base.viewsets import ResourceSet
from participants.models import Trial


class ImportSerializer(serializers.ModelSerializer[ImportFile]):
    study_id = serializers.CharField(
        source="whose", read_only=True, help_text="Given by the file's name or the operator; empty: its rows say."
    )
    counts = serializers.DictField(
        read_only=True,
        help_text="Rows read, new, changed, unchanged, flagged, rejected by reason; `can_pass`: for a reason that can"
        " pass. For these the file is read again when it is offered again.",
    )
    assumptions = serializers.DictField(read_only=True, help_text="What the file does not say and was taken to be so.")

    class Meta:
        model = ImportFile
        fields = (
            "id",
            "name",
            "sha256",
            "size",
            "format",
            "study_id",
            "status",
            "counts",
            "assumptions",
            "error",
            "started_at",
            "finished_at",
        )
        read_only_fields = fields


class RejectedRowSerializer(serializers.ModelSerializer[RejectedRow]):
    class Meta:
        model = RejectedRow
        fields = ("line", "reason")
        read_only_fields = fields


class ImportParameters(Parameters):
    status = serializers.ChoiceField(ImportFile.Status.choices, required=False)
    participant = serializers.CharField(required=False, max_length=64, help_text="A study id.")


@resource("connections", "code")
class ImportSet(ResourceSet):
    """Files that were imported into a trial, the newest first. They are read by the operator, not by this API.

    A file may hold several participants' data: who sees one site only sees the files that are said to be of one
    participant of that site.
    """

    serializer_class = ImportSerializer
    queryset = ImportFile.objects.none()
    lookup_field = "id"
    lookup_value_regex = "[0-9]{1,9}"

    def _files(self, code: str) -> Any:
        trial, participants = self.trial_participants(code)
        files = ImportFile.objects.filter(trial=trial)
        if Trial.objects.visible_whole_to(self.user).filter(pk=trial.pk).exists():
            return files.filter(Q(whose="") | Q(whose__in=participants.values("study_id")))
        return files.filter(whose__in=participants.values("study_id"))

    @extend_schema(summary="List a trial's imported files", parameters=[ImportParameters])
    def list(self, request: Request, code: str) -> Response:
        parameters = ImportParameters.read(request)
        files = self._files(code)
        if "status" in parameters:
            files = files.filter(status=parameters["status"])
        if "participant" in parameters:
            _, participants = self.trial_participants(code)
            files = files.filter(whose__in=participants.with_study_id(parameters["participant"]).values("study_id"))
        return self.paged(files, "-id")

    @extend_schema(summary="An imported file")
    def retrieve(self, request: Request, code: str, id: str) -> Response:
        Parameters.read(request)
        return Response(self.shown(get_object_or_404(self._files(code), pk=id)))

    @extend_schema(
        summary="List rows of a file that were not taken",
        description="Where each stood and why. What stood there is not kept: it may be anything.",
        responses=RejectedRowSerializer(many=True),
    )
    @action(detail=True, url_path="rejected-rows")
    def rejected_rows(self, request: Request, code: str, id: str) -> Response:
        Parameters.read(request)
        file = get_object_or_404(self._files(code), pk=id)
        return self.paged(file.rejected_rows.all(), "line", "pk", serializer=RejectedRowSerializer)
