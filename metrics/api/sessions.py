"""Nights and exercise, in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers

from metrics.api.records import OfDates, RecordSet, on_dates
from metrics.models import ExerciseSession, SleepSession, SleepStage
from metrics.reading.summaries import collected_only
from metrics.selection.night_source_choice import other_nights
from participants.models import Participant


class SessionSerializer(serializers.Serializer[Any]):
    participant = serializers.CharField(source="participant.study_id")
    source = serializers.IntegerField(source="source_id", help_text="See /api/v1/sources.")  # type: ignore[assignment]
    external_id = serializers.CharField(help_text="The source's own.")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class SleepStageOf(serializers.Serializer[Any]):
    offset_seconds = serializers.IntegerField(help_text="From the session's start.")
    seconds = serializers.IntegerField()
    stage = serializers.ChoiceField(SleepStage.values)


class SleepSessionSerializer(SessionSerializer):
    """A night or a nap, as its source recorded it."""

    date = serializers.DateField(help_text="Local date of waking.")
    is_main = serializers.BooleanField()
    processed = serializers.BooleanField(help_text="false: the vendor may still revise it.")
    asleep_minutes = serializers.IntegerField()
    awake_minutes = serializers.IntegerField()
    light_minutes = serializers.IntegerField(allow_null=True)
    deep_minutes = serializers.IntegerField(allow_null=True)
    rem_minutes = serializers.IntegerField(allow_null=True)
    restless_minutes = serializers.IntegerField(allow_null=True)
    stages = serializers.SerializerMethodField()

    @extend_schema_field(SleepStageOf(many=True))
    def get_stages(self, night: SleepSession) -> list[dict[str, Any]]:
        return [{"offset_seconds": at, "seconds": length, "stage": stage} for at, length, stage in night.stages]


class ExerciseSessionSerializer(SessionSerializer):
    """A walk, a run or another exercise. Null where the source has no number, which is not zero."""

    date = serializers.DateField(help_text="Local date of the start.")
    activity = serializers.CharField(help_text="The vendor's word; empty where it does not say.")
    active_seconds = serializers.IntegerField(allow_null=True, help_text="Without pauses.")
    distance_m = serializers.FloatField(allow_null=True)
    energy_kcal = serializers.FloatField(allow_null=True)
    steps = serializers.IntegerField(allow_null=True)
    mean_heart_rate = serializers.FloatField(allow_null=True, help_text="1/min")


class SleepParameters(OfDates):
    source = serializers.IntegerField(  # type: ignore[assignment]  # a parameter of that name
        required=False, min_value=1, max_value=32_767, help_text="Of this source, whichever counts on the date."
    )
    main = serializers.BooleanField(required=False, allow_null=True, default=None, help_text="true: main sleeps alone.")


@extend_schema_view(
    list=extend_schema(
        operation_id="sleep_sessions", tags=["days"], summary="Nights and naps", parameters=[SleepParameters]
    )
)
class SleepSessionSet(RecordSet):
    """Nights and naps with their stages, by participant and local date of waking: of each date those of one source.

    The source that recorded a main sleep comes first, then the order of the protocol in force on the date decides, then
    the most minutes asleep. What is collected alone.
    """

    serializer_class = SleepSessionSerializer
    parameters = SleepParameters
    key = ("participant_id", "date", "pk")
    audit_action = "sleep.view"

    def records(self, people: QuerySet[Participant], parameters: dict[str, Any]) -> QuerySet[Any]:
        nights = collected_only(on_dates(SleepSession.objects.filter(participant__in=people), parameters), people)
        if parameters.get("main") is not None:
            nights = nights.filter(is_main=parameters["main"])
        if source := parameters.get("source"):
            return nights.filter(source=source).select_related("participant")
        ids = list(people.values_list("pk", flat=True))
        nights = nights.exclude(pk__in=other_nights(ids, parameters.get("start"), parameters.get("end")))
        return nights.select_related("participant")


@extend_schema_view(
    list=extend_schema(operation_id="exercise_sessions", tags=["days"], summary="Exercise", parameters=[OfDates])
)
class ExerciseSessionSet(RecordSet):
    """Exercise of every source, by participant and local date of its start. What is collected alone."""

    serializer_class = ExerciseSessionSerializer
    key = ("participant_id", "date", "pk")
    audit_action = "exercise.view"

    def records(self, people: QuerySet[Participant], parameters: dict[str, Any]) -> QuerySet[Any]:
        exercise = collected_only(on_dates(ExerciseSession.objects.filter(participant__in=people), parameters), people)
        return exercise.select_related("participant")
