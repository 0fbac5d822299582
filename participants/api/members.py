"""Members of a trial in the API: who may do what, since when. For managers of the whole trial."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from participants import services
from participants.api.base.exceptions import BadParameters, conflicts
from participants.api.base.fields import Address, Line, LocalTime
from participants.api.base.parameters import Parameters
from participants.api.base.resource import resource
from participants.api.base.viewsets import ResourceSet, created
from participants.models import Membership, Site, Trial, User


class MemberSerializer(serializers.ModelSerializer[Membership]):
    email = serializers.EmailField(source="user.email", read_only=True)
    name = serializers.CharField(source="user.get_full_name", read_only=True)
    site = serializers.CharField(
        source="site.code", default=None, allow_null=True, read_only=True, help_text="Null: the whole trial."
    )

    digest_at = LocalTime(read_only=True, allow_null=True)

    class Meta:
        model = Membership
        fields = ("id", "email", "name", "role", "site", "started_at", "ended_at", "digest_at")
        read_only_fields = fields


class GrantSerializer(serializers.Serializer[Any]):
    email = Address(help_text="Of an existing account.")
    role = serializers.ChoiceField(Membership.Role.choices)
    site = serializers.CharField(
        max_length=32, required=False, allow_null=True, default=None, help_text="A site's code; null: the whole trial."
    )
    reason = Line(max_length=500, required=False, help_text="For the audit trail.")


class MemberChangesSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(Membership.Role.choices, required=False)
    site = serializers.CharField(
        max_length=32, required=False, allow_null=True, help_text="A site's code; null: the whole trial."
    )
    digest_at = LocalTime(required=False, allow_null=True, help_text="When the digest comes, trial's time; null: none.")
    reason = Line(max_length=500, required=False, help_text="For the audit trail.")


class EndSerializer(serializers.Serializer[Any]):
    reason = Line(max_length=500, required=False, help_text="For the audit trail.")


class MemberParameters(Parameters):
    role = serializers.ChoiceField(Membership.Role.choices, required=False)
    ended = serializers.BooleanField(
        required=False, allow_null=True, default=False, help_text="true: those who are members no more."
    )


def site_of(trial: Trial, code: str | None) -> Site | None:
    """A trial's site by its code; None for none. Raises BadParameters."""
    if code is None:
        return None
    site: Site | None = Site.objects.filter(trial=trial, code=code).first()
    if site is None:
        raise BadParameters({"site": ["There is no such site in this trial."]})
    return site


@resource("trials", "code")
class MemberSet(ResourceSet):
    """Memberships of a trial's team, the newest first."""

    serializer_class = MemberSerializer
    queryset = Membership.objects.none()
    lookup_field = "id"
    lookup_value_regex = "[0-9]{1,9}"

    def _members(self, code: str) -> tuple[Trial, Any]:
        trial = self.trial(code, led=True)
        return trial, trial.memberships.select_related("user", "site")

    @extend_schema(
        summary="List a trial's members",
        parameters=[MemberParameters],
        responses={200: MemberSerializer(many=True), 403: None},
    )
    def list(self, request: Request, code: str) -> Response:
        params = MemberParameters.read(request)
        _, members = self._members(code)
        members = members.filter(ended_at__isnull=not params["ended"])
        return self.paged(members.filter(**{"role": params["role"]} if "role" in params else {}), "-id")

    @extend_schema(summary="A membership", responses={200: MemberSerializer, 403: None})
    def retrieve(self, request: Request, code: str, id: str) -> Response:
        Parameters.read(request)
        return Response(self.shown(get_object_or_404(self._members(code)[1], pk=id)))

    @extend_schema(summary="Add a member", request=GrantSerializer, responses={201: MemberSerializer})
    def create(self, request: Request, code: str) -> Response:
        trial, _ = self._members(code)
        body = self.validated_body(GrantSerializer)
        user = User.objects.may_join(trial).filter(email=body["email"]).first()
        if user is None:
            raise BadParameters({"email": ["Nobody has an account with this address."]})
        made = services.membership_grant(
            user=user,
            trial=trial,
            role=body["role"],
            site=site_of(trial, body["site"]),
            reason=body.get("reason", ""),
        )
        return created(self.shown(made), f"{request.path}/{made.pk}")

    @extend_schema(
        summary="Change what a member may do, or when their digest comes",
        description="Another role or site ends this membership and begins a new one, which is the answer.",
        request=MemberChangesSerializer,
        responses=MemberSerializer,
    )
    def partial_update(self, request: Request, code: str, id: str) -> Response:
        trial, members = self._members(code)
        member = get_object_or_404(members, pk=id)
        changes = self.validated_body(MemberChangesSerializer, partial=True)
        if "site" in changes:
            changes["site"] = site_of(trial, changes["site"])
        with conflicts():
            return Response(self.shown(services.membership_change(member, **changes)))

    @extend_schema(summary="End a membership", request=EndSerializer, responses={200: MemberSerializer})
    @action(detail=True, methods=["post"])
    def end(self, request: Request, code: str, id: str) -> Response:
        _, members = self._members(code)
        member = get_object_or_404(members, pk=id)
        with conflicts():
            return Response(self.shown(services.membership_end(member, **self.validated_body(EndSerializer))))
