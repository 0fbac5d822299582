"""Exports in the API: asked for, watched, called off, and downloaded in pieces that can be taken up again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from metrics.exports import downloads, export_request, service
from metrics.models import Export, ExportFile
from metrics.registry import METRICS
from participants.api.base.exceptions import Problem
from participants.api.base.fields import Day
from participants.api.base.parameters import Parameters
from participants.api.base.resource import resource
from participants.api.base.viewsets import ResourceSet, created
from participants.s3 import StoreFault

log = logging.getLogger(__name__)
CODES = [metric.code for metric in METRICS]
MOST_NAMED = 10_000
RANGE = OpenApiParameter(
    "Range",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="One byte range, e.g. `bytes=1048576-`: 206 with the rest.",
)
BYTES = "application/octet-stream"
DOWNLOAD: dict[Any, Any] = {
    (200, BYTES): OpenApiTypes.BINARY,
    (206, BYTES): OpenApiTypes.BINARY,
    416: OpenApiResponse(description="The byte range lies beyond the end."),
    503: OpenApiResponse(description="The files cannot be reached from this server. Tell its operator."),
}


class ExportFileSerializer(serializers.ModelSerializer[ExportFile]):
    class Meta:
        model = ExportFile
        fields = ("path", "rows", "size", "sha256", "as_of")
        read_only_fields = fields


class ExportSerializer(serializers.ModelSerializer[Export]):
    id = serializers.UUIDField(source="uuid", read_only=True)
    metrics = serializers.ListField(child=serializers.CharField(), read_only=True, help_text="None: all.")
    sources = serializers.ListField(child=serializers.IntegerField(), read_only=True, help_text="None: all.")
    progress = serializers.SerializerMethodField(help_text="Share that is written, 0 to 1; by what was expected.")

    class Meta:
        model = Export
        fields: tuple[str, ...] = (
            "id",
            "format",
            "compressed",
            "compression",
            "metrics",
            "sources",
            "start_on",
            "end_on",
            "clock",
            "state",
            "error",
            "progress",
            "rows_done",
            "rows_expected",
            "asked_at",
            "started_at",
            "finished_at",
            "expires_at",
        )
        read_only_fields = fields

    def get_progress(self, export: Export) -> float:
        if export.state == Export.State.DONE:
            return 1.0
        return min(export.rows_done / export.rows_expected, 1.0) if export.rows_expected else 0.0


class ExportWithFilesSerializer(ExportSerializer):
    files = ExportFileSerializer(many=True, read_only=True)

    class Meta(ExportSerializer.Meta):
        fields = (*ExportSerializer.Meta.fields, "files")
        read_only_fields = fields


@extend_schema_serializer(component_name="ExportAsk")
class ExportRequestSerializer(serializers.Serializer[Any]):
    format = serializers.ChoiceField(list(export_request.FORMATS), default=Export.Format.PARQUET.value)
    participants = serializers.ListField(
        child=serializers.CharField(max_length=64),
        max_length=MOST_NAMED,
        required=False,
        allow_null=True,
        help_text="Study ids; none: all whom you see.",
    )
    metrics = serializers.ListField(
        child=serializers.ChoiceField(CODES), max_length=100, required=False, allow_null=True, help_text="None: all."
    )
    sources = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**31 - 1),
        max_length=1000,
        required=False,
        allow_null=True,
        help_text="None: all.",
    )
    start_on = Day(required=False, allow_null=True, help_text="The first date.")
    end_on = Day(required=False, allow_null=True, help_text="The last date, included.")
    clock = serializers.ChoiceField(
        Export.Clock.choices, default=Export.Clock.LOCAL.value, help_text="Dates of the participants, or of UTC."
    )
    compressed = serializers.BooleanField(default=True, help_text="Of text formats.")
    compression = serializers.ChoiceField(
        Export.Compression.choices,
        default=Export.Compression.GZIP.value,
        help_text="By what, where `compressed`.",
    )


class ExportParameters(Parameters):
    state = serializers.ChoiceField(Export.State.choices, required=False)


class AnyAccepted(DefaultContentNegotiation):
    """A file is what it is; an error is JSON whatever was accepted."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


@resource("exports", "code")
class ExportSet(ResourceSet):
    """Your own exports of a trial, the newest first. An export holds those whom you saw when you asked for it."""

    serializer_class = ExportSerializer
    queryset = Export.objects.none()
    lookup_field = "uuid"
    lookup_url_kwarg = "export"
    lookup_value_regex = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

    def _export(self, code: str, export: str) -> Export:
        trial = self.trial(code)
        row: Export = get_object_or_404(service.exports_of(self.user).filter(trial=trial), uuid=export)
        return row

    @extend_schema(summary="List your exports of a trial", parameters=[ExportParameters])
    def list(self, request: Request, code: str) -> Response:
        parameters = ExportParameters.read(request)
        trial = self.trial(code)
        return self.paged(service.exports_of(self.user).filter(trial=trial, **parameters), "-asked_at", "-pk")

    @extend_schema(summary="An export with its files", responses=ExportWithFilesSerializer)
    def retrieve(self, request: Request, code: str, export: str) -> Response:
        Parameters.read(request)
        return Response(ExportWithFilesSerializer(self._export(code, export)).data)

    @extend_schema(
        summary="Create an export",
        description="It is written by a worker: follow `state` and `progress` at the address in `Location`.",
        request=ExportRequestSerializer,
        responses={201: ExportWithFilesSerializer},
    )
    def create(self, request: Request, code: str) -> Response:
        trial = self.trial(code)
        made = service.export_create(self.user, trial, **self.validated_body(ExportRequestSerializer))
        return created(ExportWithFilesSerializer(made).data, f"{request.path}/{made.uuid}")

    @extend_schema(summary="Call an export off", request=None, responses={200: ExportWithFilesSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, code: str, export: str) -> Response:
        row = self._export(code, export)
        if not service.export_cancel(row):
            raise Problem(409, "It cannot be done as things stand.", "It has ended already.")
        row.refresh_from_db()
        return Response(ExportWithFilesSerializer(row).data)

    @extend_schema(summary="Download an export as one archive", parameters=[RANGE], responses=DOWNLOAD)
    @action(detail=True, content_negotiation_class=AnyAccepted)
    def archive(self, request: Request, code: str, export: str) -> HttpResponseBase:
        Parameters.read(request)
        return _download(lambda row: downloads.archive_response(request._request, row), self._export(code, export))

    @extend_schema(
        summary="Download one file of an export",
        parameters=[RANGE, OpenApiParameter("path", OpenApiTypes.STR, OpenApiParameter.PATH, description="As listed.")],
        responses=DOWNLOAD,
    )
    @action(detail=True, url_path="files/(?P<path>.+)", content_negotiation_class=AnyAccepted)
    def files(self, request: Request, code: str, export: str, path: str) -> HttpResponseBase:
        Parameters.read(request)
        return _download(lambda row: downloads.file_response(request._request, row, path), self._export(code, export))


def _download(answer: Callable[[Export], HttpResponseBase], export: Export) -> HttpResponseBase:
    try:
        return answer(export)
    except ExportFile.DoesNotExist:
        raise Http404 from None
    except StoreFault as fault:
        log.error("%s", fault)
        detail = "The store of its files cannot be reached from this server. Tell whoever runs it."
        raise Problem(503, "The files cannot be had now.", detail) from None
