"""Lists of a trial's records, what they have in common: whose, over which local dates, by pages, and the access log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from metrics.api.keyset_pagination import KeysetPages
from metrics.api.series import requested_participants
from participants import audit
from participants.api.base.fields import Day
from participants.api.base.parameters import Parameters
from participants.api.base.viewsets import ResourceSet
from participants.models import Participant


class TextList(serializers.ListField):
    """A list, given with commas or by repeating the parameter."""

    child = serializers.CharField(max_length=64)

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value([value for text in data for value in str(text).split(",") if value])


class Choices(serializers.ListField):
    """Some of a few choices, given with commas or by repeating the parameter."""

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value([value for text in data for value in str(text).split(",") if value])


class OfPeople(Parameters):
    participants = TextList(required=False, help_text="Study ids; without them all that you may see.")


class OfDates(OfPeople):
    start = Day(required=False, help_text="First local date.")
    end = Day(required=False, help_text="Last local date, included.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Dates in their order."""
        start, end = attrs.get("start"), attrs.get("end")
        if start and end and start > end:
            why = "The end lies before the start."
            raise serializers.ValidationError({"start": why, "end": why})
        return attrs


class RecordSet(ResourceSet):
    """A list of a trial's records of one kind, of the participants whom the user may see."""

    pagination_class = KeysetPages
    parameters: ClassVar[type[OfPeople]] = OfDates
    key: ClassVar[tuple[str, ...]]
    then: tuple[str, ...] = ()
    audit_action: ClassVar[str]  # as the audit trail names it

    def list(self, request: Request, code: str) -> Response:
        parameters = self.parameters.read(request)
        trial = self.trial(code)
        people = Participant.objects.visible_to(self.user).filter(trial=trial)
        if named := parameters.get("participants"):
            people = people.filter(pk__in=[person.pk for person in requested_participants(self.user, trial, named)])
        page = self.shown(self.paginate_queryset(self.records(people, parameters)) or [])
        seen = {person.pk: person for person in map(self.whose, page)}
        audit.record_view(seen.values(), self.audit_action, part="cursor" in request.query_params)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def records(self, people: QuerySet[Participant], parameters: dict[str, Any]) -> QuerySet[Any]:
        """The records asked for, in any order."""
        raise NotImplementedError

    def shown(self, page: Sequence[Any]) -> Sequence[Any]:
        """The records of a page as they may be shown."""
        return page

    def whose(self, record: Any) -> Participant:
        person: Participant = record.participant
        return person


def on_dates(records: QuerySet[Any], parameters: dict[str, Any]) -> QuerySet[Any]:
    """Records of the local dates asked for."""
    if start := parameters.get("start"):
        records = records.filter(date__gte=start)
    if end := parameters.get("end"):
        records = records.filter(date__lte=end)
    return records
