"""Serializers of participants: their status, enrolment and changes, and the parameters of lists."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from metrics.models import Cause, ParticipantStatusSummary
from metrics.monitoring.status import AttentionStatus
from participants.api.base.fields import ChoiceOrNull, Day, Line
from participants.api.base.parameters import Parameters
from participants.models import Participant, Pause

CONDITION_CHOICES = tuple((status.name.lower(), status.label) for status in AttentionStatus)
# Statuses that somebody is enrolled with; the others come by acts.
AT_FIRST = ((Participant.Status.INVITED.value, "invited"), (Participant.Status.ACTIVE.value, "active"))


@extend_schema_serializer(component_name="ParticipantStanding")
class ParticipantStatusSummarySerializer(serializers.ModelSerializer[ParticipantStatusSummary]):
    """Status summary of a participant, as last evaluated."""

    cause = ChoiceOrNull(Cause.values, help_text="Of what is missing now; null: nothing is.")

    class Meta:
        model = ParticipantStatusSummary
        fields = (
            "adherence",
            "target",
            "valid_days",
            "counted_days",
            "pending_days",
            "lost_days",
            "excluded_days",
            "worn_share",
            "nights_recorded",
            "last_sample_at",
            "cause",
            "cause_since",
            "device_model",
            "battery_percent",
            "protocol_version",
            "updated_at",
        )
        read_only_fields = fields


class ParticipantSerializer(serializers.ModelSerializer[Participant]):
    trial = serializers.CharField(source="trial.code", read_only=True)
    site = serializers.CharField(source="site.code", default=None, allow_null=True, read_only=True)
    condition = serializers.SerializerMethodField(help_text="The most urgent attention status that is true now.")
    standing = serializers.SerializerMethodField(method_name="get_status_summary", help_text="Null: not evaluated yet.")

    class Meta:
        model = Participant
        fields: tuple[str, ...] = (
            "trial",
            "study_id",
            "site",
            "arm",
            "status",
            "time_zone",
            "monitoring_starts_on",
            "monitoring_ends_on",
            "withdrawn_on",
            "enrolled_at",
            "condition",
            "standing",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(CONDITION_CHOICES))
    def get_condition(self, person: Any) -> str:
        return AttentionStatus(person.attention_status).name.lower()

    @extend_schema_field(ParticipantStatusSummarySerializer(allow_null=True))
    def get_status_summary(self, person: Participant) -> dict[str, Any] | None:
        summary = getattr(person, "status_summary", None)
        return dict(ParticipantStatusSummarySerializer(summary).data) if summary else None


class PauseSerializer(serializers.ModelSerializer[Pause]):
    class Meta:
        model = Pause
        fields = ("id", "starts_on", "ends_on", "reason")
        read_only_fields = fields


class ParticipantWithPausesSerializer(ParticipantSerializer):
    pauses = PauseSerializer(many=True, read_only=True)

    class Meta(ParticipantSerializer.Meta):
        fields = (*ParticipantSerializer.Meta.fields, "pauses")
        read_only_fields = fields


class ParticipantParameters(Parameters):
    status = serializers.ChoiceField(
        [choice for choice in Participant.Status.choices if choice[0] != Participant.Status.ERASED], required=False
    )
    condition = serializers.ChoiceField(
        CONDITION_CHOICES, required=False, help_text="Participants for whom this attention status is true now."
    )
    site = serializers.CharField(required=False, max_length=32, help_text="A site's code.")
    arm = Line(required=False, max_length=40)
    study_id = serializers.CharField(required=False, max_length=64, help_text="What study ids begin with.")


class Record(serializers.Serializer[Any]):
    """Record of a participant."""

    site = serializers.CharField(max_length=32, required=False, allow_null=True, help_text="A site's code.")
    arm = Line(max_length=40, required=False, allow_blank=True)
    time_zone = serializers.CharField(max_length=64, required=False, help_text="IANA; the trial's unless given.")
    monitoring_starts_on = Day(required=False, allow_null=True)
    monitoring_ends_on = Day(required=False, allow_null=True)


class EnrolmentSerializer(Record):
    study_id = serializers.CharField(max_length=64, help_text="Pseudonym, unique in the trial. No names.")
    status = serializers.ChoiceField(AT_FIRST, required=False, default=Participant.Status.INVITED)


class RecordChangesSerializer(Record):
    study_id = serializers.CharField(max_length=64, required=False, help_text="Fixed once data have arrived.")
    reason = Line(max_length=500, required=False, help_text="For the audit trail.")


class PauseBeginSerializer(serializers.Serializer[Any]):
    starts_on = Day(help_text="The participant's first local day that does not count.")
    ends_on = Day(required=False, allow_null=True, default=None, help_text="The last; null: open.")
    reason = Line(max_length=200, help_text="No names, no diagnoses.")


class PauseEndSerializer(serializers.Serializer[Any]):
    ends_on = Day(help_text="The last local day of the pause.")
    reason = Line(max_length=500, required=False, default="", help_text="For the audit trail.")


class LeaveSerializer(serializers.Serializer[Any]):
    on = Day(help_text="Withdraw: the first day that does not count. Complete: the last that does.")
    reason = Line(max_length=500, required=False, default="", help_text="For the audit trail.")
