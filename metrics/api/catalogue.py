"""Catalogue in the API: the registry of metrics, and the sources of the data that the user may see."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from metrics.api.keyset_pagination import KeysetPages
from metrics.models import DayRollup, ImplausibleCount, Metric, Source
from metrics.registry import BY_ID, Aggregate, Kind
from metrics.selection.plausible_range import per_minute
from participants.api.base.parameters import Parameters
from participants.api.base.viewsets import ResourceSet
from participants.models import Participant


class MetricSerializer(serializers.ModelSerializer[Metric]):
    """A kind of measurement. `concept` is its code in `concept_system`: LOINC where LOINC has one."""

    kind = serializers.ChoiceField(
        [kind.value for kind in Kind],
        help_text="sample: of an instant; interval: of a length of time; daily: of a local day.",
    )
    aggregate = serializers.ChoiceField([a.value for a in Aggregate], help_text="What sums it up.")
    plausible_low = serializers.FloatField(help_text="The lowest value that counts.")
    plausible_high = serializers.FloatField(help_text="The highest value that counts.")
    plausible_per_minute = serializers.SerializerMethodField(
        help_text="Whether the range is that of a minute: an interval that lasts longer may hold as much more."
    )

    class Meta:
        model = Metric
        fields = (
            "code", "name", "unit", "kind", "aggregate", "concept", "concept_system",
            "plausible_low", "plausible_high", "plausible_per_minute",
        )  # fmt: skip

    def get_plausible_per_minute(self, metric: Metric) -> bool:
        known = BY_ID.get(metric.pk)  # a newer version's row may be there already
        return known is not None and per_minute(known)


class SourceSerializer(serializers.ModelSerializer[Source]):
    """A provider, a platform and a device model."""

    class Meta:
        model = Source
        fields = ("id", "provider", "platform", "device_model", "synthetic")


class MetricParameters(Parameters):
    """None but those of pages."""


class SourceParameters(Parameters):
    trial = serializers.CharField(required=False, help_text="Sources of this trial's data alone.")


@extend_schema_view(list=extend_schema(operation_id="metrics", tags=["series"], summary="Metrics"))
class MetricSet(ResourceSet):
    """The metrics that are known: codes, UCUM units, LOINC or local codes, plausible ranges."""

    queryset = Metric.objects.all()
    serializer_class = MetricSerializer
    pagination_class = KeysetPages
    key, then = ("pk",), ()

    def list(self, request: Request) -> Response:
        MetricParameters.read(request)
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


@extend_schema_view(
    list=extend_schema(operation_id="sources", tags=["series"], summary="Sources", parameters=[SourceParameters])
)
class SourceSet(ResourceSet):
    """Sources of the data that the user may see."""

    serializer_class = SourceSerializer
    pagination_class = KeysetPages
    key, then = ("pk",), ()

    def list(self, request: Request) -> Response:
        parameters = SourceParameters.read(request)
        people = Participant.objects.visible_to(self.user)
        if code := parameters.get("trial"):
            people = people.filter(trial=self.trial(code))
        heard, marked = (
            Exists(model._default_manager.filter(source=OuterRef("pk"), participant__in=people))
            for model in (DayRollup, ImplausibleCount)
        )
        page: Any = self.paginate_queryset(Source.objects.filter(heard | marked))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)
