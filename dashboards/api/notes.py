"""Notes on participants in the API: added, never edited."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dashboards.models import Note
from dashboards.participant_detail.notes import LONGEST, note_store
from participants.api.base.exceptions import conflicts
from participants.api.base.parameters import Parameters
from participants.api.base.resource import resource
from participants.api.base.viewsets import ResourceSet, created
from participants.audit import record_view


class NoteSerializer(serializers.ModelSerializer[Note]):
    by = serializers.EmailField(source="by.email", default=None, read_only=True, allow_null=True)
    text = serializers.CharField(max_length=LONGEST, help_text="No names.")

    class Meta:
        model = Note
        fields = ("id", "at", "by", "text")
        read_only_fields = ("id", "at")


@resource("monitoring", "code", "study_id")
class NoteSet(ResourceSet):
    """Notes of the trial's team on a participant, the newest first."""

    serializer_class = NoteSerializer
    queryset = Note.objects.none()

    @extend_schema(summary="List notes on a participant")
    def list(self, request: Request, code: str, study_id: str) -> Response:
        Parameters.read(request)
        participant = self.participant(code, study_id)
        record_view(participant, part=True)
        return self.paged(participant.notes.select_related("by"), "-at", "-pk")

    @extend_schema(summary="Add a note on a participant", responses={201: NoteSerializer})
    def create(self, request: Request, code: str, study_id: str) -> Response:
        participant = self.participant(code, study_id, managed=True)
        text = self.validated_body(NoteSerializer)["text"]
        with conflicts():
            note = note_store(participant, text=text, by=self.user)
        return created(self.shown(note), request.path)
