"""Connections in the API: how they are, what they were given, and what may be started for them. Never a token."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.db.models import F
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion.connections import services as connections_services
from ingestion.models import Connection, ConnectionEvent, Device
from ingestion.sync import manual
from participants.api.base.exceptions import Problem, conflicts
from participants.api.base.fields import Day
from participants.api.base.parameters import Parameters
from participants.api.base.resource import resource
from participants.api.base.viewsets import ResourceSet
from participants.audit import record_view

NOT_CONNECTED = "Nothing can be asked for now: the connection is not active."


class DeviceSerializer(serializers.ModelSerializer[Device]):
    class Meta:
        model = Device
        fields = ("model", "kind", "battery_percent", "battery_status", "last_sync_at", "seen_at")
        read_only_fields = fields


class ConnectionEventSerializer(serializers.ModelSerializer[ConnectionEvent]):
    class Meta:
        model = ConnectionEvent
        fields = ("at", "status", "reason")
        read_only_fields = fields


class ConnectionSerializer(serializers.ModelSerializer[Connection]):
    study_id = serializers.CharField(source="participant.study_id", read_only=True)
    giving_back = serializers.SerializerMethodField(
        help_text="Whether it has ended here and the vendor has not taken the grant back yet: it is asked again."
    )
    scopes = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="What the participant allowed."
    )
    devices = DeviceSerializer(many=True, read_only=True)

    class Meta:
        model = Connection
        fields: tuple[str, ...] = (
            "study_id",
            "provider",
            "status",
            "status_since",
            "status_reason",
            "giving_back",
            "scopes",
            "connected_at",
            "last_pull_at",
            "last_data_at",
            "next_due_at",
            "busy_until",
            "devices",
        )
        read_only_fields = fields

    def get_giving_back(self, connection: Connection) -> bool:
        return connection.give_back_at is not None


class ConnectionWithEventsSerializer(ConnectionSerializer):
    events = ConnectionEventSerializer(many=True, read_only=True)

    class Meta(ConnectionSerializer.Meta):
        fields = (*ConnectionSerializer.Meta.fields, "events")
        read_only_fields = fields


class ConnectionParameters(Parameters):
    status = serializers.ChoiceField(Connection.Status.choices, required=False)
    provider = serializers.CharField(required=False, max_length=40)
    site = serializers.CharField(required=False, max_length=32, help_text="A site's code.")


class BackfillSerializer(serializers.Serializer[Any]):
    first = Day(help_text="The first local day to read.")


class StartedSerializer(serializers.Serializer[Any]):
    windows = serializers.IntegerField(help_text="Windows that were made due; 0: there was nothing to read.")


class DisconnectedSerializer(serializers.Serializer[Any]):
    confirmed = serializers.BooleanField(help_text="Whether the vendor confirmed that the grant has ended.")


@resource("connections", "code")
class TrialConnectionSet(ResourceSet):
    """All connections of a trial."""

    serializer_class = ConnectionSerializer
    queryset = Connection.objects.none()

    @extend_schema(summary="List a trial's connections", parameters=[ConnectionParameters])
    def list(self, request: Request, code: str) -> Response:
        parameters = ConnectionParameters.read(request)
        _, participants = self.trial_participants(code)
        connections = Connection.objects.filter(participant__in=participants).select_related("participant")
        connections = connections.annotate(study_id=F("participant__study_id"))
        if "site" in parameters:
            connections = connections.filter(participant__site__code=parameters["site"])
        connections = connections.filter(
            **{name: parameters[name] for name in ("status", "provider") if name in parameters}
        )
        return self.paged(connections.prefetch_related("devices"), "study_id", "provider")


@resource("connections", "code", "study_id")
class ConnectionSet(ResourceSet):
    """A participant's connections."""

    serializer_class = ConnectionSerializer
    queryset = Connection.objects.none()
    lookup_field = "provider"
    lookup_value_regex = "[A-Za-z0-9_-]+"

    def _connection(self, code: str, study_id: str, provider: str, *, managed: bool = False) -> Connection:
        participant = self.participant(code, study_id, managed=managed)
        connections = participant.connections.select_related("participant__trial").prefetch_related("devices", "events")
        connection: Connection = get_object_or_404(connections, provider=provider)
        return connection

    @extend_schema(summary="List a participant's connections")
    def list(self, request: Request, code: str, study_id: str) -> Response:
        Parameters.read(request)
        participant = self.participant(code, study_id)
        record_view(participant, part=True)
        connections = participant.connections.select_related("participant").prefetch_related("devices")
        return self.paged(connections, "provider")

    @extend_schema(summary="A connection with its history", responses=ConnectionWithEventsSerializer)
    def retrieve(self, request: Request, code: str, study_id: str, provider: str) -> Response:
        Parameters.read(request)
        connection = self._connection(code, study_id, provider)
        record_view(connection.participant, part=True)
        return Response(ConnectionWithEventsSerializer(connection).data)

    def _started(self, connection: Connection, do: Callable[[Connection, dt.datetime], int]) -> Response:
        try:
            count = do(connection, timezone.now())
        except manual.NotConnected:
            raise Problem(409, "It cannot be done as things stand.", NOT_CONNECTED) from None
        return Response(StartedSerializer({"windows": count}).data, status=202)

    @extend_schema(summary="Ask the vendor for what is new, now", request=None, responses={202: StartedSerializer})
    @action(detail=True, methods=["post"], url_path="sync-now")
    def sync_now(self, request: Request, code: str, study_id: str, provider: str) -> Response:
        return self._started(self._connection(code, study_id, provider, managed=True), manual.sync_now)

    @extend_schema(
        summary="Read the past, from a day on",
        description=("All of it is asked for, whatever was answered before; nothing outside the collection interval."),
        request=BackfillSerializer,
        responses={202: StartedSerializer},
    )
    @action(detail=True, methods=["post"])
    def backfill(self, request: Request, code: str, study_id: str, provider: str) -> Response:
        connection = self._connection(code, study_id, provider, managed=True)
        first: dt.date = self.validated_body(BackfillSerializer)["first"]
        return self._started(connection, lambda row, now: manual.backfill(row, first, now))

    @extend_schema(summary="Try again what has failed", request=None, responses={202: StartedSerializer})
    @action(detail=True, methods=["post"])
    def requeue(self, request: Request, code: str, study_id: str, provider: str) -> Response:
        return self._started(self._connection(code, study_id, provider, managed=True), manual.requeue)

    @extend_schema(
        summary="Disconnect",
        description="Nothing is asked of the vendor from then on; the grant is ended there too.",
        request=None,
        responses={200: DisconnectedSerializer},
    )
    @action(detail=True, methods=["post"])
    def disconnect(self, request: Request, code: str, study_id: str, provider: str) -> Response:
        connection = self._connection(code, study_id, provider, managed=True)
        with conflicts():
            if connection.status not in (Connection.Status.ACTIVE, Connection.Status.RECONNECT):
                raise ValueError("It is disconnected already.")
            confirmed = connections_services.disconnect(connection, reason="manager", now=timezone.now())
        return Response(DisconnectedSerializer({"confirmed": confirmed}).data)
