"""API resources for participants: enrol, change, pause, complete; each with their status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from dashboards.api import participant_serializers as shapes
from metrics.monitoring import pending
from metrics.monitoring.status import AttentionStatus, conditions, with_attention_status
from participants import services
from participants.api.base.exceptions import BadParameters, conflicts
from participants.api.base.parameters import Parameters
from participants.api.base.resource import IF_MATCH, resource
from participants.api.base.viewsets import ResourceSet
from participants.audit import record_view
from participants.models import Participant, Site, Trial
from participants.services.changes import locked

Shown = shapes.ParticipantWithPausesSerializer


@resource("participants", "code")
class ParticipantSet(ResourceSet):
    """A trial's participants, by study id."""

    serializer_class = shapes.ParticipantSerializer
    queryset = Participant.objects.none()
    lookup_field = "study_id"

    @extend_schema(summary="List a trial's participants", parameters=[shapes.ParticipantParameters])
    def list(self, request: Request, code: str) -> Response:
        params = shapes.ParticipantParameters.read(request)
        _, people = self.trial_participants(code)
        pending.settle(people)
        matching = with_attention_status(people, now := timezone.now()).select_related(
            "trial", "site", "status_summary"
        )
        fields = {"status": "status", "site": "site__code", "arm": "arm", "study_id": "study_id__istartswith"}
        matching = matching.filter(**{fields[name]: value for name, value in params.items() if name in fields})
        if "condition" in params:
            attention_status = AttentionStatus[params["condition"].upper()]
            matching = (
                matching.filter(attention_status=attention_status)
                if attention_status is AttentionStatus.WELL
                else matching.filter(conditions(now)[attention_status])
            )
        return self.paged(matching, "study_id", "pk")

    def _told(self, participant: Participant, **extra: Any) -> Response:
        """Response with a participant and their status now."""
        pending.settle([participant.pk])
        people = with_attention_status(Participant.objects.filter(pk=participant.pk), timezone.now())
        participant = people.select_related("trial", "site", "status_summary").prefetch_related("pauses").get()
        return Response(Shown(participant).data, **extra)

    @extend_schema(summary="A participant", responses=Shown)
    def retrieve(self, request: Request, code: str, study_id: str) -> Response:
        Parameters.read(request)
        participant = self.participant(code, study_id)
        record_view(participant)
        return self._told(participant)

    @extend_schema(summary="Enrol a participant", request=shapes.EnrolmentSerializer, responses={201: Shown})
    def create(self, request: Request, code: str) -> Response:
        trial = self.trial(code)
        fields = self.validated_body(shapes.EnrolmentSerializer)
        fields["site"] = site_of(trial, self.user, fields.get("site"))
        self.enrolling(trial, fields["site"])
        with conflicts(services.EnrolmentError):
            participant = services.participant_enrol(trial=trial, **fields)
        self.about(participant)
        return self._told(participant, status=201, headers={"Location": f"{request.path}/{participant.study_id}"})

    @extend_schema(
        summary="Change a participant's record",
        description="The study id is fixed once data have arrived, the time zone once days are stored.",
        parameters=[IF_MATCH],
        request=shapes.RecordChangesSerializer,
        responses=Shown,
    )
    def partial_update(self, request: Request, code: str, study_id: str) -> Response:
        participant = locked(self.participant(code, study_id, managed=True))
        self.unchanged(self._told(participant).data)
        fields = self.validated_body(shapes.RecordChangesSerializer, partial=True)
        if "site" in fields:
            fields["site"] = site_of(participant.trial, self.user, fields["site"])
            self.enrolling(participant.trial, fields["site"])
        return self._told(services.participant_update(participant, **fields))

    def _act(self, code: str, study_id: str, do: Callable[[Participant], object]) -> Response:
        """Do something with one whom the user may act for: 409 where the participant's state forbids it."""
        participant = locked(self.participant(code, study_id, managed=True))
        with conflicts():
            do(participant)
        return self._told(participant)

    @extend_schema(
        summary="Pause a participant: days that do not count",
        request=shapes.PauseBeginSerializer,
        responses={200: Shown},
    )
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, code: str, study_id: str) -> Response:
        fields = self.validated_body(shapes.PauseBeginSerializer)
        return self._act(code, study_id, lambda person: services.pause_begin(person, **fields))

    @extend_schema(summary="End a participant's open pause", request=shapes.PauseEndSerializer, responses={200: Shown})
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, code: str, study_id: str) -> Response:
        fields = self.validated_body(shapes.PauseEndSerializer)
        return self._act(code, study_id, lambda person: services.pause_end(person, **fields))

    @extend_schema(summary="Withdraw a participant", request=shapes.LeaveSerializer, responses={200: Shown})
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, code: str, study_id: str) -> Response:
        fields = self.validated_body(shapes.LeaveSerializer)
        return self._act(code, study_id, lambda person: services.participant_withdraw(person, **fields))

    @extend_schema(
        summary="Say that a participant's part is done", request=shapes.LeaveSerializer, responses={200: Shown}
    )
    @action(detail=True, methods=["post"])
    def complete(self, request: Request, code: str, study_id: str) -> Response:
        fields = self.validated_body(shapes.LeaveSerializer)
        return self._act(code, study_id, lambda person: services.participant_complete(person, **fields))


def site_of(trial: Trial, user: Any, code: str | None) -> Site | None:
    """A site of the trial that the user sees; None for none. Raises BadParameters."""
    if code is None:
        return None
    site: Site | None = Site.objects.visible_to(user).filter(trial=trial, code=code).first()
    if site is None:
        raise BadParameters({"site": ["There is no such site here, or it is not yours to see."]})
    return site
