"""Days and their verdicts, gaps and why, and how participants stand, in the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers

from metrics.api.records import Choices, OfDates, OfPeople, RecordSet, on_dates
from metrics.models import Access, Cause, DayStatus, DayVerdict, Exclusion, Gap, ParticipantDay
from metrics.monitoring import status as monitoring_status
from metrics.reading.summaries import unmeasured
from metrics.selection.collection_window import collected
from participants.models import Participant

STATUSES = {status.label: status for status in DayStatus}
EXCLUSIONS = [(value, value) for value in Exclusion.values]
STATUS_WORDS = [(word, word) for word in STATUSES]
WORDS = {word.name.lower(): word for word in monitoring_status.Word}
MINUTES = {"type": "object", "additionalProperties": {"type": "integer"}}


class Plain(serializers.Serializer[Any]):
    """A record of a participant, who is named by their study id."""

    participant = serializers.CharField(source="participant.study_id")


class DayOf(Plain):
    date = serializers.DateField(help_text="Local.")
    status = serializers.SerializerMethodField()
    reason = serializers.ChoiceField(EXCLUSIONS, allow_blank=True, help_text="Why an excluded day does not count.")
    known_at = serializers.DateTimeField(allow_null=True, help_text="Since when the status is known.")
    protocol_version = serializers.IntegerField(allow_null=True, help_text="By which it was judged.")
    worn_minutes = serializers.IntegerField(
        allow_null=True, help_text="Minutes with a heart rate, from any source; null: the day is not collected."
    )

    @extend_schema_field(serializers.ChoiceField(list(STATUSES)))
    def get_status(self, day: Any) -> str:
        return str(DayStatus(day.status).label)


class ParticipantDaySerializer(DayOf):
    """The verdict on a local day as it stands."""

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


class DayVerdictSerializer(DayOf):
    """A verdict as it became known; later ones replace earlier ones."""

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


class StandingSerializer(serializers.Serializer[Any]):
    """How a participant stands now. Null: not known yet."""

    participant = serializers.CharField(source="study_id")
    word = serializers.SerializerMethodField()
    adherence = serializers.FloatField(
        source="standing.adherence", default=None, allow_null=True, help_text="Valid / counted days."
    )
    best_adherence = serializers.FloatField(
        source="standing.best_adherence",
        default=None,
        allow_null=True,
        help_text="Were all pending and remaining days valid.",
    )
    target = serializers.FloatField(source="standing.target", default=None, allow_null=True)
    worn_share = serializers.FloatField(source="standing.worn_share", default=None, allow_null=True)
    valid_days = serializers.IntegerField(source="standing.valid_days", default=None, allow_null=True)
    counted_days = serializers.IntegerField(source="standing.counted_days", default=None, allow_null=True)
    pending_days = serializers.IntegerField(source="standing.pending_days", default=None, allow_null=True)
    lost_days = serializers.IntegerField(source="standing.lost_days", default=None, allow_null=True)
    excluded_days = serializers.IntegerField(source="standing.excluded_days", default=None, allow_null=True)
    nights_recorded = serializers.IntegerField(
        source="standing.nights_recorded", default=None, allow_null=True, help_text="Of the last 7."
    )
    access = serializers.ChoiceField(Access.values, source="standing.access", default=None, allow_null=True)
    cause = serializers.ChoiceField(
        [*Cause.values, ""], source="standing.cause", default=None, allow_null=True, help_text="Of what is missing now."
    )
    cause_since = serializers.DateTimeField(source="standing.cause_since", default=None, allow_null=True)
    last_sample_at = serializers.DateTimeField(source="standing.last_sample_at", default=None, allow_null=True)
    overwritten_at = serializers.DateTimeField(
        source="standing.overwritten_at",
        default=None,
        allow_null=True,
        help_text="When the device begins to overwrite what is missing.",
    )
    device_model = serializers.CharField(source="standing.device_model", default=None, allow_null=True)
    battery_percent = serializers.IntegerField(source="standing.battery_percent", default=None, allow_null=True)
    updated_at = serializers.DateTimeField(source="standing.updated_at", default=None, allow_null=True)

    @extend_schema_field(serializers.ChoiceField(list(WORDS)))
    def get_word(self, person: Any) -> str:
        """The most urgent that is true of the participant."""
        return monitoring_status.Word(person.word).name.lower()


class DayParameters(OfDates):
    status = Choices(child=serializers.ChoiceField(list(STATUSES)), required=False)


class VerdictParameters(DayParameters):
    as_of = serializers.DateTimeField(
        required=False, help_text="What was known at this instant: one verdict a day, instead of all that there were."
    )


class GapParameters(OfDates):
    cause = Choices(child=serializers.ChoiceField(Cause.values), required=False)


class StandingParameters(OfPeople):
    word = Choices(child=serializers.ChoiceField(list(WORDS)), required=False)


def _collected(page: Sequence[Any]) -> Sequence[Any]:
    """Days that are not collected say how they were judged, and nothing that was measured."""
    held = collected({day.participant_id: day.participant for day in page}.values())
    for day in page:
        if day.date not in held[day.participant_id]:
            if isinstance(day, ParticipantDay):
                unmeasured(day)
            day.worn_minutes = None
    return page


def _of_status(days: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
    days = on_dates(days, asked).select_related("participant")
    if wanted := asked.get("status"):
        days = days.filter(status__in=[STATUSES[word] for word in wanted])
    return days


@extend_schema_view(
    list=extend_schema(
        operation_id="participant_days", tags=["days"], summary="Participant-days", parameters=[DayParameters]
    )
)
class ParticipantDaySet(RecordSet):
    """The verdicts on local days as they stand, by participant and date: worn minutes, coverage, status and reason."""

    serializer_class = ParticipantDaySerializer
    parameters = DayParameters
    key = ("participant_id", "date")
    look = "days.view"

    def shown(self, page: Sequence[Any]) -> Sequence[Any]:
        return _collected(page)

    def records(self, people: QuerySet[Participant], asked: dict[str, Any]) -> QuerySet[Any]:
        return _of_status(ParticipantDay.objects.filter(participant__in=people), asked)


@extend_schema_view(
    list=extend_schema(
        operation_id="day_verdicts", tags=["days"], summary="Verdicts on days", parameters=[VerdictParameters]
    )
)
class DayVerdictSet(RecordSet):
    """Verdicts as they became known, by participant, date and time; or what was known at an instant (`as_of`)."""

    serializer_class = DayVerdictSerializer
    parameters = VerdictParameters
    key = ("participant_id", "date", "known_at")
    look = "days.view"

    def shown(self, page: Sequence[Any]) -> Sequence[Any]:
        return _collected(page)

    def records(self, people: QuerySet[Participant], asked: dict[str, Any]) -> QuerySet[Any]:
        verdicts = DayVerdict.objects.filter(participant__in=people)
        if at := asked.get("as_of"):
            later = DayVerdict.objects.filter(
                participant=models.OuterRef("participant"),
                date=models.OuterRef("date"),
                known_at__gt=models.OuterRef("known_at"),
                known_at__lte=at,
            )
            verdicts = verdicts.filter(~models.Exists(later), known_at__lte=at)
        return _of_status(verdicts, asked)


@extend_schema_view(
    list=extend_schema(operation_id="gaps", tags=["days"], summary="Gaps and their causes", parameters=[GapParameters])
)
class GapSet(RecordSet):
    """Missing intervals of monitored days, by participant and start: why data are missing, and the evidence."""

    serializer_class = GapSerializer
    parameters = GapParameters
    key = ("participant_id", "starts_at")
    look = "gaps.view"

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "now": timezone.now()}

    def records(self, people: QuerySet[Participant], asked: dict[str, Any]) -> QuerySet[Any]:
        # The last gap of today reaches to the day's end; one that lies ahead is none yet.
        gaps = on_dates(Gap.objects.filter(participant__in=people, starts_at__lt=timezone.now()), asked)
        if wanted := asked.get("cause"):
            gaps = gaps.filter(cause__in=wanted)
        return gaps.select_related("participant")


@extend_schema_view(
    list=extend_schema(
        operation_id="standings", tags=["days"], summary="How participants stand", parameters=[StandingParameters]
    )
)
class StandingSet(RecordSet):
    """How each participant stands now: their word, adherence, newest data, what is missing and why."""

    serializer_class = StandingSerializer
    parameters = StandingParameters
    key = ("pk",)
    look = "participant.view"

    def records(self, people: QuerySet[Participant], asked: dict[str, Any]) -> QuerySet[Any]:
        worded = monitoring_status.with_word(people.select_related("standing"), timezone.now())
        wanted = asked.get("word")
        return worded.filter(word__in=[WORDS[word] for word in wanted]) if wanted else worded

    def whose(self, record: Any) -> Participant:
        person: Participant = record
        return person
