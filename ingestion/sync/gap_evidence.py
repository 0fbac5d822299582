"""What connections, windows, devices and synthetic devices tell of missing data, in the shapes of
metrics.monitoring.evidence.

Registered in ingestion.apps. A handful of queries, whether for one participant or a thousand.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import Exists, OuterRef

from ingestion import live_providers, synthetic
from ingestion.connections import devices
from ingestion.models import (
    Connection,
    ConnectionEvent,
    Device,
    DeviceReading,
    Invitation,
    SyncWindow,
    SyntheticDevice,
)
from ingestion.providers.base.errors import AccessGone
from ingestion.sync import window_coverage
from metrics.models import Access, Cause
from metrics.monitoring.evidence import BEGINNING, END, Evidence, Fault, Reading, Spell, Stretch, facts
from metrics.registry import HEART_RATE
from participants.models import Participant

State, Status = SyncWindow.State, Connection.Status
# Batteries before the stretches asked for: how they fell is told by some days.
READINGS_BEFORE = dt.timedelta(days=5)
OVERDUE = "overdue"
# The vendor asks for a minute's patience now and then: that is no fault.
HELD_UP = dt.timedelta(hours=1)


@dataclass(slots=True)
class _Known:
    """The rows of one participant."""

    connections: list[Connection] = field(default_factory=list)
    events: dict[int, list[ConnectionEvent]] = field(default_factory=lambda: defaultdict(list))
    windows: list[SyncWindow] = field(default_factory=list)  # reads of heart rates
    looks: list[SyncWindow] = field(default_factory=list)  # at the sums of heart rates
    devices: list[Device] = field(default_factory=list)
    readings: list[DeviceReading] = field(default_factory=list)
    invitations: list[Invitation] = field(default_factory=list)
    synthetic: list[SyntheticDevice] = field(default_factory=list)


def collect(participants: Iterable[Participant], *, since: dt.datetime, now: dt.datetime) -> Mapping[int, Evidence]:
    """Evidence by participant id; see metrics.monitoring.evidence.Collector."""
    people = {person.pk: person for person in participants}
    rows: dict[int, _Known] = defaultdict(_Known)
    owner: dict[int, int] = {}
    asked = Participant.objects.filter(pk__in=people).order_by()
    there = asked.values_list(
        "pk",
        Exists(Connection.objects.filter(participant=OuterRef("pk"))),
        Exists(SyntheticDevice.objects.filter(participant=OuterRef("pk"))),
        Exists(Invitation.objects.filter(participant=OuterRef("pk"))),
    )
    # One question before the others: of somebody whose data come by files there is nothing to read.
    connected, made_up, invited = ([row[0] for row in there if row[n]] for n in (1, 2, 3))
    if connected:
        theirs = Connection.objects.filter(participant__in=connected).select_related("trial")
        for connection in theirs.order_by("connected_at", "pk"):
            connection.participant = people[connection.participant_id]
            rows[connection.participant_id].connections.append(connection)
            owner[connection.pk] = connection.participant_id
    if made_up:
        for device in SyntheticDevice.objects.filter(participant__in=made_up):
            device.participant = people[device.participant_id]
            rows[device.participant_id].synthetic.append(device)
    if invited:
        for invitation in Invitation.objects.filter(participant__in=invited).order_by("created_at"):
            rows[invitation.participant_id].invitations.append(invitation)
    if owner:
        _read_connections(owner, rows, since)
    return {pk: _evidence(person, rows[pk], now) for pk, person in people.items()}


def _read_connections(owner: Mapping[int, int], rows: Mapping[int, _Known], since: dt.datetime) -> None:
    """Events, windows of heart rates, devices and readings of these connections: four queries."""
    for event in ConnectionEvent.objects.filter(connection__in=owner).order_by("at", "pk"):
        rows[owner[event.connection_id]].events[event.connection_id].append(event)
    windows = SyncWindow.objects.filter(connection__in=owner, data_type__in=_heart_types(), ends_at__gt=since)
    for window in windows.order_by("starts_at"):
        mine = rows[owner[window.connection_id]]
        (mine.windows if window.kind == SyncWindow.Kind.READ else mine.looks).append(window)
    readings = DeviceReading.objects.filter(device__connection__in=owner, at__gte=since - READINGS_BEFORE)
    for reading in readings.select_related("device").order_by("at"):
        rows[owner[reading.device.connection_id]].readings.append(reading)
    for device in Device.objects.filter(connection__in=owner).order_by("seen_at"):
        rows[owner[device.connection_id]].devices.append(device)


def _heart_types() -> list[str]:
    """The data types that bring heart rates, of all providers that are set up."""
    return [
        code
        for provider in live_providers.providers()
        for code, one in provider.data_types.items()
        if HEART_RATE.code in one.metrics
    ]


def _evidence(person: Participant, known: _Known, now: dt.datetime) -> Evidence:
    connected = [one for one in known.connections if one.connected_at]
    if not connected:
        return _synthetic(person, known, now) if known.synthetic else _never(person, known)
    # The one that serves the participant now, else the newest.
    current = next((one for one in connected if one.status == Status.ACTIVE), connected[-1])
    missing = _missing(current)
    access = Access.OK if current.status == Status.ACTIVE else Access.DEAD
    spells = [spell for one in connected for spell in _spells(one, known.events[one.pk])]
    spells += _before_all(known, min(one.connected_at for one in connected if one.connected_at))
    since = current.status_since
    if access is Access.OK and missing:
        access, since = Access.PARTIAL, _partial_since(current, known.events[current.pk])
        if HEART_RATE.code in missing:
            spells.append(Spell(since, END, Cause.CONSENT_PARTIAL, facts(missing=missing, since=since)))
    worn = devices.worn(map(devices.as_stored, known.devices))
    return Evidence(
        access=access,
        access_since=since,
        live=True,
        answered=window_coverage.stretches([*known.windows, *known.looks], _described(known)),
        due=_due(known.windows, now),
        spells=spells,
        faults=_faults(known, current, now),
        readings=_readings(known),
        next_pull_at=current.next_due_at,
        device=worn.device if worn else "",
        device_model=worn.model if worn else "",
    )


def _never(person: Participant, known: _Known) -> Evidence:
    """Nobody has connected: invited, or somebody whose data come by files."""
    invitation = known.invitations[-1] if known.invitations else None
    if invitation is None and person.status != Participant.Status.INVITED:
        return Evidence()
    said = facts(
        invited_at=invitation.created_at if invitation else None,
        opened_at=invitation.opened_at if invitation else None,
    )
    since = known.invitations[0].created_at if known.invitations else person.enrolled_at
    spell = Spell(BEGINNING, END, Cause.NEVER_CONNECTED, said)
    return Evidence(access=Access.NEVER, access_since=since, spells=[spell])


def _before_all(known: _Known, connected_at: dt.datetime) -> list[Spell]:
    """The time before anything was connected."""
    invited = next((one for one in reversed(known.invitations) if one.created_at <= connected_at), None)
    said = facts(invited_at=invited.created_at, opened_at=invited.opened_at) if invited else {}
    return [Spell(BEGINNING, connected_at, Cause.NEVER_CONNECTED, said)]


def _spells(connection: Connection, events: Sequence[ConnectionEvent]) -> list[Spell]:
    """When access was gone: from the event that ended it to the one that renewed it."""
    found: list[Spell] = []
    dead: ConnectionEvent | None = None
    for event in events:
        if event.status == Status.ACTIVE and dead:
            found.append(_dead(dead.at, event.at, dead.reason))
            dead = None
        elif event.status not in (Status.ACTIVE, Status.INVITED) and dead is None:
            dead = event
    if dead:
        found.append(_dead(dead.at, END, dead.reason))
    elif connection.status not in (Status.ACTIVE, Status.INVITED):
        found.append(_dead(connection.status_since, END, connection.status_reason))
    return found


def _dead(start: dt.datetime, end: dt.datetime, code: str) -> Spell:
    return Spell(start, end, Cause.TOKEN_DEAD, facts(code=code or None, since=start))


def _missing(connection: Connection) -> list[str]:
    """Metrics, or "sleep" and the like, of data types that the consent does not cover."""
    if connection.provider not in settings.LIVE_PROVIDERS:
        return []
    missing: list[str] = []
    for one in live_providers.provider(connection.provider).data_types.values():
        if one.scope not in connection.scopes:
            missing += [what if isinstance(what, str) else what.value for what in one.brings]
    return sorted(set(missing))


def _partial_since(connection: Connection, events: Sequence[ConnectionEvent]) -> dt.datetime:
    """Since when a part is not allowed: the last event that took one away, else the consent itself."""
    taken = [event.at for event in events if event.reason == AccessGone.SCOPE_MISSING]
    return max([connection.status_since, *taken])


def _waiting(windows: Sequence[SyncWindow]) -> list[SyncWindow]:
    return [window for window in windows if window.state in (State.DUE, State.CLAIMED)]


def _patience() -> dt.timedelta:
    """So long a window may wait before we are late: two passes."""
    return dt.timedelta(days=2) if settings.SYNC_AT else 2 * dt.timedelta(minutes=settings.SYNC_EVERY_MINUTES)


def _due(windows: Sequence[SyncWindow], now: dt.datetime) -> list[Stretch]:
    limit = now - _patience()
    mine = [window for window in _waiting(windows) if not window.error_code and window.due_at >= limit]
    return [Stretch(window.starts_at, window.ends_at) for window in mine]


def _faults(known: _Known, connection: Connection, now: dt.datetime) -> list[Fault]:
    """Windows that failed, wait after an error, or wait for too long; and a connection that nobody serves."""
    limit, busy = now - _patience(), connection.busy_until
    held = busy if busy and busy > now else None
    found: list[Fault] = []
    for window in known.windows:
        waits = window.state in (State.DUE, State.CLAIMED)
        if window.error_code == AccessGone.SCOPE_MISSING:
            continue
        if window.state == State.FAILED or (waits and window.error_code) or window_coverage.spoilt(window):
            since = window.finished_at or window.claimed_at or window.due_at
            fault = Fault(window.starts_at, window.ends_at, window.error_code, since, window.due_at if waits else None)
        elif waits and (window.due_at < limit or (held and now - window.due_at > HELD_UP)):
            again = held or connection.next_due_at
            fault = Fault(window.starts_at, window.ends_at, OVERDUE, window.due_at, again)
        else:
            continue
        found.append(_with_neighbour(found, fault))
    if connection.asks and connection.next_due_at and connection.next_due_at < limit:
        found.append(Fault(connection.next_due_at, END, OVERDUE, connection.next_due_at, None))
    return found


def _with_neighbour(found: list[Fault], fault: Fault) -> Fault:
    """Faults of one kind that touch are one: the last is taken off the list and joined."""
    if not found or found[-1].code != fault.code or found[-1].ends_at < fault.starts_at:
        return fault
    if (found[-1].next_at is None) != (fault.next_at is None):
        return fault
    before = found.pop()
    again = min(at for at in (before.next_at, fault.next_at) if at) if fault.next_at else None
    return Fault(before.starts_at, fault.ends_at, fault.code, min(before.since, fault.since), again)


def _described(known: _Known) -> list[tuple[int, devices.Described]]:
    """What the devices said of themselves, with their connections; last, as they are: of a silent device nothing has
    changed for long."""
    said = [(one.device.connection_id, devices.as_read(one)) for one in known.readings]
    return [*said, *((one.connection_id, devices.as_stored(one)) for one in known.devices)]


def _readings(known: _Known) -> list[Reading]:
    """What the device that was worn said of itself."""
    found = {_reading(one) for one in devices.worn_through(one for _, one in _described(known))}
    return sorted(found, key=lambda reading: reading.at)


def _reading(said: devices.Described) -> Reading:
    at, synced = said.last_sync_at or said.at, said.last_sync_at is not None
    return Reading(at, said.battery_percent, said.battery_status, synced, said.device)


def _synthetic(person: Participant, known: _Known, now: dt.datetime) -> Evidence:
    """A synthetic device: the stretch that was taken in is what was asked and answered."""
    pulled = [(d.pulled_from, d.pulled_until) for d in known.synthetic if d.pulled_from and d.pulled_until]
    if not pulled and person.status == Participant.Status.INVITED:
        return _never(person, known)
    begins = [begin for begin, _ in pulled]

    def reading_at(at: dt.datetime) -> Reading | None:
        """Any moment of the past can be asked; of the future nothing is known."""
        worn = _worn(known.synthetic, min(at, now))
        return _reading(worn) if worn and worn.last_sync_at else None

    worn, latest = _worn(known.synthetic, now), reading_at(now)
    return Evidence(
        access=Access.OK,
        access_since=min(begins, default=person.enrolled_at),
        live=True,
        answered=[Stretch(min(begins), max(end for _, end in pulled))] if pulled else [],
        readings=[latest] if latest else [],
        reading_at=reading_at,
        device=worn.device if worn else "",
        # By its code where it has said nothing yet.
        device_model=worn.model if worn else known.synthetic[-1].device,
    )


def _worn(made_up: Sequence[SyntheticDevice], at: dt.datetime) -> devices.Described | None:
    """Of synthetic devices the one that is worn, as it was described at an instant."""
    states = (
        state
        for device in made_up
        for state in synthetic.provider_of(device.provider).states(synthetic.wearer_of(device), at)
    )
    return devices.worn(devices.as_told(state, at) for state in states)
