"""Evidence rows about missing data: connections, their events, windows, devices and invitations, by participant."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db.models import Exists, OuterRef

from ingestion import live_providers
from ingestion.models import (
    Connection,
    ConnectionEvent,
    Device,
    DeviceReading,
    Invitation,
    SyncWindow,
    SyntheticDevice,
)
from metrics.registry import HEART_RATE
from participants.models import Participant

# Batteries before the intervals requested: how they fell is seen over some days.
READINGS_BEFORE = dt.timedelta(days=5)


@dataclass(slots=True)
class KnownRows:
    """Rows of one participant."""

    connections: list[Connection] = field(default_factory=list)
    events: dict[int, list[ConnectionEvent]] = field(default_factory=lambda: defaultdict(list))
    windows: list[SyncWindow] = field(default_factory=list)  # reads of heart rates
    fingerprint_checks: list[SyncWindow] = field(default_factory=list)  # at the sums of heart rates
    devices: list[Device] = field(default_factory=list)
    readings: list[DeviceReading] = field(default_factory=list)
    invitations: list[Invitation] = field(default_factory=list)
    synthetic: list[SyntheticDevice] = field(default_factory=list)


def read_rows(participants: Mapping[int, Participant], since: dt.datetime) -> dict[int, KnownRows]:
    """Rows of these participants, by their ids: a handful of queries, whether for one or a thousand."""
    rows: dict[int, KnownRows] = defaultdict(KnownRows)
    owner: dict[int, int] = {}
    queried = Participant.objects.filter(pk__in=participants).order_by()
    there = queried.values_list(
        "pk",
        Exists(Connection.objects.filter(participant=OuterRef("pk"))),
        Exists(SyntheticDevice.objects.filter(participant=OuterRef("pk"))),
        Exists(Invitation.objects.filter(participant=OuterRef("pk"))),
    )
    # One query before the others: of participants whose data come by files there is nothing to read.
    connected, made_up, invited = ([row[0] for row in there if row[n]] for n in (1, 2, 3))
    if connected:
        theirs = Connection.objects.filter(participant__in=connected).select_related("trial")
        for connection in theirs.order_by("connected_at", "pk"):
            connection.participant = participants[connection.participant_id]
            rows[connection.participant_id].connections.append(connection)
            owner[connection.pk] = connection.participant_id
    if made_up:
        for device in SyntheticDevice.objects.filter(participant__in=made_up):
            device.participant = participants[device.participant_id]
            rows[device.participant_id].synthetic.append(device)
    if invited:
        for invitation in Invitation.objects.filter(participant__in=invited).order_by("created_at"):
            rows[invitation.participant_id].invitations.append(invitation)
    if owner:
        _read_connections(owner, rows, since)
    return rows


def _read_connections(owner: Mapping[int, int], rows: Mapping[int, KnownRows], since: dt.datetime) -> None:
    """Read events, windows of heart rates, devices and readings of these connections: four queries."""
    for event in ConnectionEvent.objects.filter(connection__in=owner).order_by("at", "pk"):
        rows[owner[event.connection_id]].events[event.connection_id].append(event)
    windows = SyncWindow.objects.filter(connection__in=owner, data_type__in=_heart_types(), ends_at__gt=since)
    for window in windows.order_by("starts_at"):
        known = rows[owner[window.connection_id]]
        (known.windows if window.kind == SyncWindow.Kind.READ else known.fingerprint_checks).append(window)
    readings = DeviceReading.objects.filter(device__connection__in=owner, at__gte=since - READINGS_BEFORE)
    for reading in readings.select_related("device").order_by("at"):
        rows[owner[reading.device.connection_id]].readings.append(reading)
    for device in Device.objects.filter(connection__in=owner).order_by("seen_at"):
        rows[owner[device.connection_id]].devices.append(device)


def _heart_types() -> list[str]:
    """Data types that bring heart rates, of all providers that are set up."""
    return [
        code
        for provider in live_providers.providers()
        for code, data_type in provider.data_types.items()
        if HEART_RATE.code in data_type.metrics
    ]
