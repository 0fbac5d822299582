"""Own account in the API: its memberships, and what the token allows."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from participants.api.base.parameters import Parameters
from participants.api.base.viewsets import ResourceView
from participants.models import ApiToken, Membership, Trial


class MyMembershipSerializer(serializers.ModelSerializer[Membership]):
    trial = serializers.CharField(source="trial.code")
    site = serializers.CharField(source="site.code", default=None, allow_null=True, help_text="Null: the whole trial.")

    class Meta:
        model = Membership
        fields = ("trial", "site", "role", "started_at")


class MyTokenSerializer(serializers.ModelSerializer[ApiToken]):
    trials = serializers.SerializerMethodField(
        help_text="Codes of the trials that it opens; null: all that its owner sees."
    )

    class Meta:
        model = ApiToken
        fields = ("name", "prefix", "can_write", "trials", "created_at", "expires_at", "last_used_at")

    def get_trials(self, token: ApiToken) -> list[str] | None:
        return None if token.all_trials else sorted(token.trials.values_list("code", flat=True))


class MeSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField()
    name = serializers.CharField()
    is_service = serializers.BooleanField(help_text="A program's account.")
    is_staff = serializers.BooleanField(help_text="Of the operator's staff.")
    memberships = MyMembershipSerializer(many=True)
    token = MyTokenSerializer(allow_null=True, help_text="Null: a person signed in.")
    now = serializers.DateTimeField(help_text="The server's clock.")


class MeView(ResourceView):
    """Who asks."""

    @extend_schema(summary="Who I am, and what I may", tags=["trials"], responses=MeSerializer, operation_id="me")
    def get(self, request: Request) -> Response:
        Parameters.read(request)
        user = self.user
        memberships = user.memberships.filter(ended_at=None, trial__in=Trial.objects.visible_to(user))
        values = {
            "email": user.email,
            "name": user.get_full_name(),
            "is_service": user.is_service,
            "is_staff": user.is_staff,
            "memberships": memberships.select_related("trial", "site").order_by("trial__code", "pk"),
            "token": request.auth if isinstance(request.auth, ApiToken) else None,
            "now": timezone.now(),
        }
        return Response(MeSerializer(values).data)
