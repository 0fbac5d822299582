"""API resources for alerts: list, history, and the actions of the alerts' page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import F, Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from dashboards.alerts import listing as alerts_listing
from dashboards.alerts import services as alerts_services
from dashboards.models import Alert, AlertEvent
from dashboards.trial_overview.open_alerts import awake
from participants.api.base.exceptions import BadParameters, Problem, conflicts
from participants.api.base.fields import Address, ChoiceOrNull
from participants.api.base.parameters import Parameters
from participants.api.base.resource import resource
from participants.api.base.viewsets import ResourceSet
from participants.models import Trial, User

LEVELS = (("warning", "warning"), ("critical", "critical"))
STATES = ("open", "acknowledged", "unacknowledged", "snoozed", "resolved")


class AlertEventSerializer(serializers.ModelSerializer[AlertEvent]):
    by = serializers.EmailField(source="by.email", default=None, read_only=True, allow_null=True)

    class Meta:
        model = AlertEvent
        fields = ("at", "what", "by", "note")
        read_only_fields = fields


class AlertSerializer(serializers.ModelSerializer[Alert]):
    study_id = serializers.CharField(source="participant.study_id", read_only=True)
    level = serializers.SerializerMethodField()
    resolution = ChoiceOrNull(Alert.Resolution.choices, help_text="Null: it is open.")
    facts = serializers.DictField(read_only=True, help_text="What the rule saw, newest.")
    acknowledged_by = serializers.EmailField(
        source="acknowledged_by.email", default=None, read_only=True, allow_null=True
    )
    assigned_to = serializers.EmailField(source="assigned_to.email", default=None, read_only=True, allow_null=True)

    class Meta:
        model = Alert
        fields: tuple[str, ...] = (
            "id",
            "study_id",
            "rule",
            "level",
            "raised_at",
            "updated_at",
            "facts",
            "resolved_at",
            "resolution",
            "acknowledged_at",
            "acknowledged_by",
            "snoozed_until",
            "assigned_to",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(LEVELS))
    def get_level(self, alert: Alert) -> str:
        return Alert.Level(alert.level).label


class AlertWithEventsSerializer(AlertSerializer):
    events = AlertEventSerializer(many=True, read_only=True)

    class Meta(AlertSerializer.Meta):
        fields = (*AlertSerializer.Meta.fields, "events")
        read_only_fields = fields


class AlertParameters(Parameters):
    state = serializers.ChoiceField(
        STATES, required=False, help_text="open: neither resolved nor snoozed; (un)acknowledged: of those, these."
    )
    rule = serializers.ChoiceField(Alert.Rule.choices, required=False)
    level = serializers.ChoiceField(LEVELS, required=False)
    participant = serializers.CharField(required=False, max_length=64, help_text="A study id.")
    site = serializers.CharField(required=False, max_length=32, help_text="A site's code.")
    assigned_to = Address(required=False, help_text="A member's e-mail address.")


class SnoozeSerializer(serializers.Serializer[Any]):
    days = serializers.ChoiceField(
        sorted(alerts_services.SNOOZES),
        help_text="Until the beginning of the day so many days from today, trial's time.",
    )


class AssignSerializer(serializers.Serializer[Any]):
    to = Address(allow_null=True, help_text="A manager or coordinator who sees the participant; null: nobody.")


# Parameter -> the field that it narrows.
FIELDS = {
    "rule": "rule",
    "site": "participant__site__code",
    "assigned_to": "assigned_to__email",
}


def of_state(state: str) -> Q:
    """Alerts of a state, now."""
    now = timezone.now()
    states = {
        "open": awake(now),
        "acknowledged": awake(now) & Q(acknowledged_at__isnull=False),
        "unacknowledged": awake(now) & Q(acknowledged_at=None),
        "snoozed": Q(resolved_at=None, snoozed_until__gt=now),
        "resolved": Q(resolved_at__isnull=False),
    }
    return states[state]


@resource("monitoring", "code")
class AlertSet(ResourceSet):
    """A trial's alerts, the newest first."""

    serializer_class = AlertSerializer
    queryset = Alert.objects.none()
    lookup_field = "id"
    lookup_value_regex = "[0-9]{1,9}"

    @extend_schema(summary="List a trial's alerts", parameters=[AlertParameters])
    def list(self, request: Request, code: str) -> Response:
        params = AlertParameters.read(request)
        trial, people = self.trial_participants(code)
        alerts = alerts_listing.visible(trial, self.user)
        if "participant" in params:
            alerts = alerts.filter(participant__in=people.with_study_id(params["participant"]))
        alerts = alerts.filter(**{FIELDS[name]: value for name, value in params.items() if name in FIELDS})
        if "state" in params:
            alerts = alerts.filter(of_state(params["state"]))
        if "level" in params:
            alerts = alerts.filter(level=Alert.Level[{"warning": "WARN"}.get(params["level"], "CRITICAL")])
        return self.paged(alerts.select_related("participant", "acknowledged_by", "assigned_to"), "-id")

    @extend_schema(summary="An alert with its history", responses=AlertWithEventsSerializer)
    def retrieve(self, request: Request, code: str, id: str) -> Response:
        Parameters.read(request)
        return self._response(self.trial(code), id)

    def _response(self, trial: Trial, id: str) -> Response:
        alerts = alerts_listing.with_related_rows(alerts_listing.visible(trial, self.user))
        return Response(AlertWithEventsSerializer(get_object_or_404(alerts, pk=id)).data)

    def _act(self, code: str, id: str, do: Callable[[QuerySet[Alert], Trial], Any]) -> Response:
        """Do something with an alert: 404 to who may not see it, 403 to who may not act, 409 if it is resolved."""
        trial = self.trial(code)
        alert = get_object_or_404(alerts_listing.visible(trial, self.user), pk=id)
        self.about(alert.participant, managed=True)
        alerts = alerts_services.actable(self.user, trial).filter(pk=alert.pk)
        if alert.resolved_at:
            raise Problem(409, "It cannot be done as things stand.", "This alert is resolved.")
        with conflicts():
            do(alerts, trial)
        return self._response(trial, id)

    @extend_schema(summary="Acknowledge an alert", request=None, responses={200: AlertWithEventsSerializer})
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, code: str, id: str) -> Response:
        now = timezone.now()
        return self._act(code, id, lambda alerts, _: alerts_services.acknowledge(alerts, by=self.user, now=now))

    @extend_schema(summary="Undo the acknowledgement", request=None, responses={200: AlertWithEventsSerializer})
    @action(detail=True, methods=["post"])
    def unacknowledge(self, request: Request, code: str, id: str) -> Response:
        now = timezone.now()
        return self._act(code, id, lambda alerts, _: alerts_services.unacknowledge(alerts, by=self.user, now=now))

    @extend_schema(
        summary="Let it not count for some days",
        request=SnoozeSerializer,
        responses={200: AlertWithEventsSerializer},
    )
    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, code: str, id: str) -> Response:
        days, now = self.validated_body(SnoozeSerializer)["days"], timezone.now()

        def do(alerts: QuerySet[Alert], trial: Trial) -> None:
            alerts_services.snooze(alerts, days=days, trial=trial, by=self.user, now=now)

        return self._act(code, id, do)

    @extend_schema(summary="Let it count again", request=None, responses={200: AlertWithEventsSerializer})
    @action(detail=True, methods=["post"])
    def unsnooze(self, request: Request, code: str, id: str) -> Response:
        now = timezone.now()
        return self._act(code, id, lambda alerts, _: alerts_services.unsnooze(alerts, by=self.user, now=now))

    @extend_schema(
        summary="Give it to a member, or to nobody",
        request=AssignSerializer,
        responses={200: AlertWithEventsSerializer},
    )
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, code: str, id: str) -> Response:
        address, now = self.validated_body(AssignSerializer)["to"], timezone.now()

        def do(alerts: QuerySet[Alert], trial: Trial) -> None:
            to = member(trial, alerts.annotate(site=F("participant__site")).values_list("site", flat=True), address)
            alerts_services.assign(alerts, to=to, by=self.user, now=now)

        return self._act(code, id, do)


def member(trial: Trial, sites: Any, address: str | None) -> User | None:
    """User with this address who manages these sites' participants; None where none is named. Raises BadParameters."""
    if address is None:
        return None
    team = alerts_services.Team(trial).of(sites)
    user = next((user for user in team if user.email == address), None)
    if user is None:
        raise BadParameters({"to": ["No manager or coordinator who sees the participant has this address."]})
    return user
