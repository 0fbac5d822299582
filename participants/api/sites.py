"""Sites in the API: where a trial's participants are seen."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from participants import services
from participants.api.base.fields import Line
from participants.api.base.parameters import Parameters
from participants.api.base.resource import resource
from participants.api.base.viewsets import ResourceSet, created
from participants.models import Site


class SiteSerializer(serializers.ModelSerializer[Site]):
    class Meta:
        model = Site
        fields: tuple[str, ...] = ("code", "name", "phone", "email")


class SiteChangesSerializer(SiteSerializer):
    reason = Line(max_length=500, required=False, help_text="For the audit trail.")

    class Meta(SiteSerializer.Meta):
        fields = (*SiteSerializer.Meta.fields, "reason")


@resource("trials", "code")
class SiteSet(ResourceSet):
    """A trial's sites; who is a member of one site sees that one."""

    serializer_class = SiteSerializer
    queryset = Site.objects.none()
    lookup_field = "code"
    lookup_url_kwarg = "site"

    def _sites(self, code: str) -> Any:
        return Site.objects.visible_to(self.user).filter(trial=self.trial(code))

    @extend_schema(summary="List a trial's sites")
    def list(self, request: Request, code: str) -> Response:
        Parameters.read(request)
        return self.paged(self._sites(code), "code", "pk")

    @extend_schema(summary="A site")
    def retrieve(self, request: Request, code: str, site: str) -> Response:
        Parameters.read(request)
        return Response(self.shown(get_object_or_404(self._sites(code), code=site)))

    @extend_schema(summary="Add a site", responses={201: SiteSerializer})
    def create(self, request: Request, code: str) -> Response:
        trial = self.trial(code, led=True)
        made = services.site_create(trial=trial, **self.validated_body(SiteSerializer))
        return created(self.shown(made), f"{request.path}/{made.code}")

    @extend_schema(
        summary="Change a site",
        description="Its code is fixed with the first participant.",
        request=SiteChangesSerializer,
        responses=SiteSerializer,
    )
    def partial_update(self, request: Request, code: str, site: str) -> Response:
        trial = self.trial(code, led=True)
        row = get_object_or_404(Site, trial=trial, code=site)
        return Response(
            self.shown(services.site_update(row, **self.validated_body(SiteChangesSerializer, partial=True)))
        )
