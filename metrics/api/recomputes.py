"""Recomputes in the API: a trial's days re-evaluated, how far that is, and what it changed."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from metrics.models import DayStatus, Recompute
from metrics.monitoring import day_codes
from metrics.reevaluation.recompute import recompute_start
from participants.api.base.fields import Day, Line
from participants.api.base.parameters import Parameters
from participants.api.base.resource import resource
from participants.api.base.viewsets import ResourceSet, created
from participants.models import Trial, User


class ChangedDaysSerializer(serializers.Serializer[Any]):
    before = serializers.CharField(help_text="A day's status, e.g. valid; empty: it was not evaluated.")
    after = serializers.CharField()
    days = serializers.IntegerField()


@extend_schema_serializer(component_name="ChangedPerson")
class ChangedParticipantSerializer(serializers.Serializer[Any]):
    study_id = serializers.CharField()
    days = serializers.IntegerField(help_text="Days that changed.")
    adherence_before = serializers.FloatField(allow_null=True)
    adherence_after = serializers.FloatField(allow_null=True)


class RecomputeSerializer(serializers.ModelSerializer[Recompute]):
    by = serializers.EmailField(source="by.email", default=None, allow_null=True, read_only=True)
    ranges = serializers.IntegerField(
        read_only=True,
        allow_null=True,
        help_text="Version of the plausible ranges by which values were counted anew; null: days were evaluated alone.",
    )
    progress = serializers.SerializerMethodField(help_text="Share of the participants that is done, 0 to 1.")

    class Meta:
        model = Recompute
        fields: tuple[str, ...] = (
            "id",
            "since",
            "why",
            "ranges",
            "by",
            "asked_at",
            "started_at",
            "finished_at",
            "progress",
            "error",
        )
        read_only_fields = fields

    def get_progress(self, run: Recompute) -> float:
        return 1.0 if run.finished_at else min(run.done / run.total, 1.0) if run.total else 0.0


class RecomputeResultSerializer(RecomputeSerializer):
    changed = serializers.SerializerMethodField(
        help_text="Days of all participants, by what they were and are; null for who sees one site only."
    )
    people = serializers.SerializerMethodField(help_text="Those of whom days changed.")

    class Meta(RecomputeSerializer.Meta):
        fields = (*RecomputeSerializer.Meta.fields, "changed", "people")
        read_only_fields = fields

    @extend_schema_field(ChangedDaysSerializer(many=True, allow_null=True))
    def get_changed(self, run: Recompute) -> list[dict[str, Any]] | None:
        if not self.context["whole"]:
            return None
        pairs = [(*key.split(">", 1), days) for key, days in run.changed.items()]
        return [
            {"before": status_label(before), "after": status_label(after), "days": days}
            for before, after, days in pairs
        ]

    @extend_schema_field(ChangedParticipantSerializer(many=True))
    def get_people(self, run: Recompute) -> list[dict[str, Any]]:
        seen = self.context["people"].filter(study_id__in=list(run.people)).order_by("study_id")
        names = ("days", "adherence_before", "adherence_after")
        ids = seen.values_list("study_id", flat=True)
        return [{"study_id": study_id, **dict(zip(names, run.people[study_id], strict=True))} for study_id in ids]


def status_label(code: str) -> str:
    """The label of a day's status; empty for none."""
    return DayStatus(day_codes.status_of(code)).label if code else ""


@extend_schema_serializer(component_name="RecomputeAsk")
class RecomputeRequestSerializer(serializers.Serializer[Any]):
    since = Day(required=False, allow_null=True, default=None, help_text="Local days from here on.")
    why = Line(max_length=200, help_text="The reason, which is kept.")


@resource("days", "code")
class RecomputeSet(ResourceSet):
    """Recomputes of a trial, the newest first."""

    serializer_class = RecomputeSerializer
    queryset = Recompute.objects.none()
    lookup_field = "id"
    lookup_value_regex = "[0-9]{1,9}"

    @extend_schema(summary="List a trial's recomputes")
    def list(self, request: Request, code: str) -> Response:
        Parameters.read(request)
        return self.paged(Recompute.objects.filter(trial=self.trial(code)).select_related("by"), "-id")

    @extend_schema(summary="A recompute, and what it changed", responses=RecomputeResultSerializer)
    def retrieve(self, request: Request, code: str, id: str) -> Response:
        Parameters.read(request)
        trial, people = self.trial_participants(code)
        run = get_object_or_404(Recompute.objects.select_related("by"), trial=trial, pk=id)
        context = {"whole": sees_all(self.user, trial), "people": people}
        return Response(RecomputeResultSerializer(run, context=context).data)

    @extend_schema(
        summary="Have a trial's days re-evaluated",
        description="For managers of the whole trial.",
        request=RecomputeRequestSerializer,
        responses={201: RecomputeSerializer},
    )
    def create(self, request: Request, code: str) -> Response:
        trial = self.trial(code, led=True)
        given = self.validated_body(RecomputeRequestSerializer)
        run = recompute_start(trial, given["since"], given["why"], self.user)
        return created(self.shown(run), f"{request.path}/{run.pk}")


def sees_all(user: User, trial: Trial) -> bool:
    """Whether the user sees the whole trial, and so may read counts of all of it."""
    return Trial.objects.visible_whole_to(user).filter(pk=trial.pk).exists()
