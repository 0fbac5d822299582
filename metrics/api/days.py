"""Days and their status, gaps and why, and participants' status summaries, in the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_serializer, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from metrics.api.records import Choices, OfDates, OfPeople, RecordSet, on_dates
from metrics.models import Access, Cause, DayStatus, DayStatusHistory, Exclusion, Gap, ParticipantDay
from metrics.monitoring import pending
from metrics.monitoring import status as monitoring_status
from metrics.reading.summaries import unmeasured
from metrics.selection.collection_window import collected
from participants.models import Participant

STATUSES = {status.label: status for status in DayStatus}
EXCLUSIONS = [(value, value) for value in Exclusion.values]
STATUS_CHOICES = [(label, label) for label in STATUSES]
ATTENTION_STATUSES = {status.name.lower(): status for status in monitoring_status.AttentionStatus}
MINUTES = {"type": "object", "additionalProperties": {"type": "integer"}}


class Plain(serializers.Serializer[Any]):
    """A record of a participant, who is named by their study id."""

    participant = serializers.CharField(source="participant.study_id")


class DayOf(Plain):
    date = serializers.DateField(help_text="Local.")
    status = serializers.SerializerMethodField()
    reason = serializers.ChoiceField(EXCLUSIONS, allow_blank=True, help_text="Why an excluded day does not count.")
    known_at = serializers.DateTimeField(allow_null=True, help_text="Since when the status is known.")
    protocol_version = serializers.IntegerField(allow_null=True, help_text="By which it was evaluated.")
    worn_minutes = serializers.IntegerField(
        allow_null=True, help_text="Minutes with a heart rate, from any source; null: the day is not collected."
    )

    @extend_schema_field(serializers.ChoiceField(list(STATUSES)))
    def get_status(self, day: Any) -> str:
        return str(DayStatus(day.status).label)


class ParticipantDaySerializer(DayOf):
    """The status of a local day as it stands."""

    day_minutes = serializers.IntegerField(
        help_text="1380 and 1500 where clocks change, far less or more on a journey."
    )
    fault_minutes = serializers.IntegerField(help_text="Missing through a fault of the platform or the vendor.")
    asleep_minutes = serializers.IntegerField(allow_null=True, help_text="Of the main sleep that ended on this day.")
    coverage = serializers.SerializerMethodField()
    last_sample_at = serializers.DateTimeField(allow_null=True)
    updated_at = serializers.DateTimeField()

    @extend_schema_field(MINUTES)
    def get_coverage(self, day: ParticipantDay) -> dict[str, int]:
        """Minutes with data by expected metric; a daily value counts 1."""
        return dict(day.coverage)


@extend_schema_serializer(component_name="DayVerdict")
class DayStatusHistorySerializer(DayOf):
    """A day's status as it became known; later ones replace earlier ones."""

    why = serializers.CharField(
        help_text="By what, where it was neither data nor the clock: `ranges v1`, a version of the plausible ranges."
    )


class GapSerializer(Plain):
    """A missing interval of a monitored day, and why."""

    date = serializers.DateField(help_text="Local.")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.SerializerMethodField(help_text="Excluded; now, of the one that is not over.")
    cause = serializers.ChoiceField(Cause.values)
    evidence = serializers.DictField(help_text="The facts behind the cause: instants in UTC, dates, numbers.")
    known_at = serializers.DateTimeField()

    @extend_schema_field(serializers.DateTimeField())
    def get_ends_at(self, gap: Gap) -> Any:
        return serializers.DateTimeField().to_representation(min(gap.ends_at, self.context["now"]))


@extend_schema_serializer(component_name="Standing")
class StatusSummarySerializer(serializers.Serializer[Any]):
    """Status summary of a participant now. Null: not known yet."""

    participant = serializers.CharField(source="study_id")
    word = serializers.SerializerMethodField(method_name="get_attention_status")
    adherence = serializers.FloatField(
        source="status_summary.adherence", default=None, allow_null=True, help_text="Valid / counted days."
    )
    best_adherence = serializers.FloatField(
        source="status_summary.best_adherence",
        default=None,
        allow_null=True,
        help_text="Were all pending and remaining days valid.",
    )
    target = serializers.FloatField(source="status_summary.target", default=None, allow_null=True)
    worn_share = serializers.FloatField(source="status_summary.worn_share", default=None, allow_null=True)
    valid_days = serializers.IntegerField(source="status_summary.valid_days", default=None, allow_null=True)
    counted_days = serializers.IntegerField(source="status_summary.counted_days", default=None, allow_null=True)
    pending_days = serializers.IntegerField(source="status_summary.pending_days", default=None, allow_null=True)
    lost_days = serializers.IntegerField(source="status_summary.lost_days", default=None, allow_null=True)
    excluded_days = serializers.IntegerField(source="status_summary.excluded_days", default=None, allow_null=True)
    nights_recorded = serializers.IntegerField(
        source="status_summary.nights_recorded", default=None, allow_null=True, help_text="Of the last 7."
    )
    access = serializers.ChoiceField(Access.values, source="status_summary.access", default=None, allow_null=True)
    cause = serializers.ChoiceField(
        [*Cause.values, ""],
        source="status_summary.cause",
        default=None,
        allow_null=True,
        help_text="Of what is missing now.",
    )
    cause_since = serializers.DateTimeField(source="status_summary.cause_since", default=None, allow_null=True)
    last_sample_at = serializers.DateTimeField(source="status_summary.last_sample_at", default=None, allow_null=True)
    overwritten_at = serializers.DateTimeField(
        source="status_summary.overwritten_at",
        default=None,
        allow_null=True,
        help_text="When the device begins to overwrite what is missing.",
    )
    device_model = serializers.CharField(source="status_summary.device_model", default=None, allow_null=True)
    battery_percent = serializers.IntegerField(source="status_summary.battery_percent", default=None, allow_null=True)
    updated_at = serializers.DateTimeField(source="status_summary.updated_at", default=None, allow_null=True)

    @extend_schema_field(serializers.ChoiceField(list(ATTENTION_STATUSES)))
    def get_attention_status(self, person: Any) -> str:
        """The most urgent that is true of the participant."""
        return monitoring_status.AttentionStatus(person.attention_status).name.lower()


class EvaluatedRecordSet(RecordSet):
    """Records that evaluations write: what was marked is evaluated first."""

    def list(self, request: Request, code: str) -> Response:
        pending.settle(Participant.objects.visible_to(self.user).filter(trial=self.trial(code)))
        return super().list(request, code)


class DayParameters(OfDates):
    status = Choices(child=serializers.ChoiceField(list(STATUSES)), required=False)


class DayStatusHistoryParameters(DayParameters):
    as_of = serializers.DateTimeField(
        required=False, help_text="What was known at this instant: one status a day, instead of all that there were."
    )


class GapParameters(OfDates):
    cause = Choices(child=serializers.ChoiceField(Cause.values), required=False)


class StatusSummaryParameters(OfPeople):
    word = Choices(child=serializers.ChoiceField(list(ATTENTION_STATUSES)), required=False)


def _collected(page: Sequence[Any]) -> Sequence[Any]:
    """Days that are not collected say how they were evaluated, and nothing that was measured."""
    held = collected({day.participant_id: day.participant for day in page}.values())
    for day in page:
        if day.date not in held[day.participant_id]:
            if isinstance(day, ParticipantDay):
                unmeasured(day)
            day.worn_minutes = None
    return page


def _of_status(days: QuerySet[Any], parameters: dict[str, Any]) -> QuerySet[Any]:
    days = on_dates(days, parameters).select_related("participant")
    if labels := parameters.get("status"):
        days = days.filter(status__in=[STATUSES[label] for label in labels])
    return days


@extend_schema_view(
    list=extend_schema(
        operation_id="participant_days", tags=["days"], summary="Participant-days", parameters=[DayParameters]
    )
)
class ParticipantDaySet(EvaluatedRecordSet):
    """The status of local days as it stands, by participant and date: worn minutes, coverage, status and reason."""

    serializer_class = ParticipantDaySerializer
    parameters = DayParameters
    key = ("participant_id", "date")
    audit_action = "days.view"

    def shown(self, page: Sequence[Any]) -> Sequence[Any]:
        return _collected(page)

    def records(self, people: QuerySet[Participant], parameters: dict[str, Any]) -> QuerySet[Any]:
        return _of_status(ParticipantDay.objects.filter(participant__in=people), parameters)


@extend_schema_view(
    list=extend_schema(
        operation_id="day_verdicts",
        tags=["days"],
        summary="Day status as it became known",
        parameters=[DayStatusHistoryParameters],
    )
)
class DayStatusHistorySet(EvaluatedRecordSet):
    """Day status as it became known, by participant, date and time; or what was known at an instant (`as_of`)."""

    serializer_class = DayStatusHistorySerializer
    parameters = DayStatusHistoryParameters
    key = ("participant_id", "date", "known_at")
    audit_action = "days.view"

    def shown(self, page: Sequence[Any]) -> Sequence[Any]:
        return _collected(page)

    def records(self, people: QuerySet[Participant], parameters: dict[str, Any]) -> QuerySet[Any]:
        history = DayStatusHistory.objects.filter(participant__in=people)
        if at := parameters.get("as_of"):
            later = DayStatusHistory.objects.filter(
                participant=models.OuterRef("participant"),
                date=models.OuterRef("date"),
                known_at__gt=models.OuterRef("known_at"),
                known_at__lte=at,
            )
            history = history.filter(~models.Exists(later), known_at__lte=at)
        return _of_status(history, parameters)


@extend_schema_view(
    list=extend_schema(operation_id="gaps", tags=["days"], summary="Gaps and their causes", parameters=[GapParameters])
)
class GapSet(EvaluatedRecordSet):
    """Missing intervals of monitored days, by participant and start: why data are missing, and the evidence."""

    serializer_class = GapSerializer
    parameters = GapParameters
    key = ("participant_id", "starts_at")
    audit_action = "gaps.view"

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "now": timezone.now()}

    def records(self, people: QuerySet[Participant], parameters: dict[str, Any]) -> QuerySet[Any]:
        # The last gap of today reaches to the day's end; one that lies ahead is none yet.
        gaps = on_dates(Gap.objects.filter(participant__in=people, starts_at__lt=timezone.now()), parameters)
        if causes := parameters.get("cause"):
            gaps = gaps.filter(cause__in=causes)
        return gaps.select_related("participant")


@extend_schema_view(
    list=extend_schema(
        operation_id="standings",
        tags=["days"],
        summary="Status summaries of participants",
        parameters=[StatusSummaryParameters],
    )
)
class StatusSummarySet(EvaluatedRecordSet):
    """Status summaries of participants now: attention status, adherence, newest data, what is missing and why."""

    serializer_class = StatusSummarySerializer
    parameters = StatusSummaryParameters
    key = ("pk",)
    audit_action = "participant.view"

    def records(self, people: QuerySet[Participant], parameters: dict[str, Any]) -> QuerySet[Any]:
        participants = monitoring_status.with_attention_status(people.select_related("status_summary"), timezone.now())
        names = parameters.get("word")
        return (
            participants.filter(attention_status__in=[ATTENTION_STATUSES[label] for label in names])
            if names
            else participants
        )

    def whose(self, record: Any) -> Participant:
        person: Participant = record
        return person
