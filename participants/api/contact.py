"""Contact data in the API: a resource of its own, for those who manage the participant. Each view is recorded."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from participants.api.base.exceptions import Problem
from participants.api.base.fields import Line
from participants.api.base.parameters import Parameters
from participants.api.base.resource import resource
from participants.api.base.viewsets import ResourceView
from participants.models import Participant
from participants.privacy import contacts, encryption

UNCACHED = {"Cache-Control": "private, no-store"}


class ContactSerializer(serializers.Serializer[Any]):
    name = Line(max_length=200, allow_blank=True, required=False, default="")
    email = serializers.EmailField(allow_blank=True, required=False, default="")
    phone = Line(max_length=40, allow_blank=True, required=False, default="")
    language = serializers.ChoiceField(
        list(contacts.LANGUAGES),
        required=False,
        default=contacts.DEFAULT_LANGUAGE,
        help_text="Of what is written to them.",
    )
    opted_out_at = serializers.DateTimeField(read_only=True, allow_null=True)
    bounced_at = serializers.DateTimeField(read_only=True, allow_null=True)


@resource("participants", "code", "study_id")
class ContactView(ResourceView):
    """A participant's name, e-mail address and telephone number. A token that may only read does not open them."""

    def _response(self, participant: Participant) -> Response:
        try:
            details = contacts.contact_open(participant)
        except encryption.CannotDecrypt:
            detail = "The contact data were encrypted with a key that this site does not have."
            raise Problem(409, "It cannot be opened.", detail) from None
        reach = contacts.reach(contacts.contact_of(participant))
        shown = {
            "name": details.name,
            "email": details.email,
            "phone": details.phone,
            "language": reach.language,
            "opted_out_at": reach.opted_out_at,
            "bounced_at": reach.bounced_at,
        }
        return Response(ContactSerializer(shown).data, headers=UNCACHED)

    @extend_schema(
        summary="How to reach a participant",
        description="For their managers and coordinators, with a token that may write. Each view is recorded.",
        responses={200: ContactSerializer, 403: None, 409: None},
    )
    def get(self, request: Request, code: str, study_id: str) -> Response:
        Parameters.read(request)
        return self._response(self.participant(code, study_id, managed=True))

    @extend_schema(
        summary="Store how to reach a participant",
        description="Replaces all of it: what is not named is removed.",
        request=ContactSerializer,
        responses=ContactSerializer,
    )
    def put(self, request: Request, code: str, study_id: str) -> Response:
        participant = self.participant(code, study_id, managed=True)
        serializer = ContactSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        contacts.contact_store(participant, **serializer.validated_data)
        return self._response(participant)
