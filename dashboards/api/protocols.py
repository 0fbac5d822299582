"""Protocols in the API: a trial's rules by version. A version is never edited: a change is the next one."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dashboards.models import Alert
from dashboards.protocols import services as protocols_services
from dashboards.protocols.labels import RULES
from dashboards.protocols.views import today_of
from metrics.registry import METRICS
from participants.api.base.exceptions import BadParameters, conflicts
from participants.api.base.fields import LocalTime
from participants.api.base.parameters import Parameters
from participants.api.base.resource import resource
from participants.api.base.viewsets import ResourceSet, created
from participants.models import Protocol, Trial

CODES = tuple((metric.code, metric.name) for metric in METRICS)


class ProtocolSerializer(serializers.ModelSerializer[Protocol]):
    expected_metrics = serializers.ListField(
        child=serializers.ChoiceField(CODES), help_text="Metrics whose coverage is reported for each day."
    )
    alert_rules = serializers.ListField(
        child=serializers.ChoiceField(Alert.Rule.choices), help_text="Rules that raise alerts."
    )
    valid_day_variants = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=1440),
        max_length=20,
        help_text="Other definitions of a valid day, in worn minutes.",
    )
    source_priority = serializers.ListField(
        child=serializers.CharField(max_length=80),
        max_length=50,
        help_text="Which source wins where several measured the same, best first.",
    )

    quiet_from = LocalTime(help_text="No e-mail from here on, participant's local time.")
    quiet_until = LocalTime(help_text="No e-mail before this, participant's local time.")

    class Meta:
        model = Protocol
        fields: tuple[str, ...] = ("version", "effective_on", *RULES)
        read_only_fields: tuple[str, ...] = ("version",)


class StoredProtocolSerializer(ProtocolSerializer):
    recompute = serializers.IntegerField(
        allow_null=True, read_only=True, help_text="The recompute that it started, where it begins today or before."
    )

    class Meta(ProtocolSerializer.Meta):
        fields = (*ProtocolSerializer.Meta.fields, "recompute")


class NewProtocolSerializer(ProtocolSerializer):
    retroactive = serializers.BooleanField(default=False, help_text="Past days are to be re-evaluated.")
    confirmed = serializers.BooleanField(default=False, help_text="And that is meant.")

    class Meta(ProtocolSerializer.Meta):
        fields = ("effective_on", *RULES, "retroactive", "confirmed")
        read_only_fields = ()
        extra_kwargs = {name: {"required": False} for name in RULES}  # noqa: RUF012  Django's own way

    def get_fields(self) -> dict[str, Any]:
        """Fields, with the rules optional: missing ones stay as in the newest version."""
        fields: dict[str, Any] = super().get_fields()
        for name in RULES:
            fields[name].required = False
        return fields

    def validate_expected_metrics(self, codes: list[str]) -> list[str]:
        return [code for code, _ in CODES if code in codes]

    def validate_alert_rules(self, codes: list[str]) -> list[str]:
        return [code for code in Alert.Rule.values if code in codes]

    def validate_valid_day_variants(self, minutes: list[int]) -> list[int]:
        return sorted(set(minutes))


@resource("trials", "code")
class ProtocolSet(ResourceSet):
    """Versions of a trial's protocol, the newest first."""

    serializer_class = ProtocolSerializer
    queryset = Protocol.objects.none()
    lookup_field = "version"
    lookup_value_regex = "[0-9]{1,4}"

    @extend_schema(summary="List the versions of a trial's protocol")
    def list(self, request: Request, code: str) -> Response:
        Parameters.read(request)
        return self.paged(self.trial(code).protocols.all(), "-version")

    @extend_schema(summary="A version of a trial's protocol")
    def retrieve(self, request: Request, code: str, version: str) -> Response:
        Parameters.read(request)
        return Response(self.shown(get_object_or_404(self.trial(code).protocols, version=version)))

    @extend_schema(
        summary="Write the next version of a trial's protocol",
        description="For managers of the whole trial. What is not named stays as the newest version has it. It begins "
        "tomorrow at the earliest, unless `retroactive` and `confirmed` say that past days are re-evaluated.",
        request=NewProtocolSerializer,
        responses={201: StoredProtocolSerializer},
    )
    def create(self, request: Request, code: str) -> Response:
        trial = self.trial(code, led=True)
        today = today_of(trial, timezone.now())
        fields = self.validated_body(NewProtocolSerializer)
        confirmation = {name: fields.pop(name) for name in ("retroactive", "confirmed")}
        if wrong := protocols_services.wrong_begin(fields["effective_on"], today, **confirmation):
            raise BadParameters({name: [why] for name, why in wrong.items()})
        protocol = next_version(trial, protocols_services.newest_of(trial, today), fields)
        with conflicts():
            stored, run = protocols_services.version_store(protocol, today=today, by=self.user)
        data = {**self.shown(stored), "recompute": run.pk if run else None}
        return created(data, f"{request.path}/{stored.version}")


def next_version(trial: Trial, newest: Protocol, fields: dict[str, Any]) -> Protocol:
    """Next version with the given fields, unsaved; the rest as in the newest. Raises django's ValidationError."""
    rules = {name: getattr(newest, name) for name in RULES}
    protocol = Protocol(trial=trial, **{**rules, **fields})
    protocol.clean_fields()
    protocol.clean()
    return protocol
