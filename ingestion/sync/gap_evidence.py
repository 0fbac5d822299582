"""Evidence about gaps from connections, windows, devices and synthetic devices, in the shapes of
metrics.monitoring.evidence.

Registered in ingestion.apps. A handful of queries (evidence_rows), whether for one participant or a
thousand.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

from django.conf import settings

from ingestion import live_providers, synthetic
from ingestion.connections import devices
from ingestion.models import (
    Connection,
    ConnectionEvent,
    SyncWindow,
    SyntheticDevice,
)
from ingestion.providers.base.errors import AccessGone
from ingestion.sync import window_coverage
from ingestion.sync.evidence_rows import KnownRows, read_rows
from ingestion.sync.window_faults import due, faults
from metrics.models import Access, Cause
from metrics.monitoring.evidence import BEGINNING, END, Evidence, Reading, Spell, TimeInterval, facts
from metrics.registry import HEART_RATE
from participants.models import Participant

State, Status = SyncWindow.State, Connection.Status


def collect(participants: Iterable[Participant], *, since: dt.datetime, now: dt.datetime) -> Mapping[int, Evidence]:
    """Evidence by participant id; see metrics.monitoring.evidence.Collector."""
    participants_by_id = {participant.pk: participant for participant in participants}
    rows = read_rows(participants_by_id, since)
    return {pk: _evidence(participant, rows[pk], now) for pk, participant in participants_by_id.items()}


def _evidence(participant: Participant, known: KnownRows, now: dt.datetime) -> Evidence:
    connected = [connection for connection in known.connections if connection.connected_at]
    if not connected:
        return _synthetic(participant, known, now) if known.synthetic else _never(participant, known)
    # The one that serves the participant now, else the newest.
    current = next((connection for connection in connected if connection.status == Status.ACTIVE), connected[-1])
    missing = _missing(current)
    access = Access.OK if current.status == Status.ACTIVE else Access.DEAD
    spells = [spell for connection in connected for spell in _spells(connection, known.events[connection.pk])]
    spells += _before_all(known, min(connection.connected_at for connection in connected if connection.connected_at))
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
        answered=window_coverage.covered_intervals([*known.windows, *known.fingerprint_checks], _described(known)),
        due=due(known.windows, now),
        spells=spells,
        faults=faults(known.windows, current, now),
        readings=_readings(known),
        next_pull_at=current.next_due_at,
        device=worn.device if worn else "",
        device_model=worn.model if worn else "",
    )


def _never(participant: Participant, known: KnownRows) -> Evidence:
    """Evidence where nobody has connected: of invited participants, or those whose data come by files."""
    invitation = known.invitations[-1] if known.invitations else None
    if invitation is None and participant.status != Participant.Status.INVITED:
        return Evidence()
    known_facts = facts(
        invited_at=invitation.created_at if invitation else None,
        opened_at=invitation.opened_at if invitation else None,
    )
    since = known.invitations[0].created_at if known.invitations else participant.enrolled_at
    spell = Spell(BEGINNING, END, Cause.NEVER_CONNECTED, known_facts)
    return Evidence(access=Access.NEVER, access_since=since, spells=[spell])


def _before_all(known: KnownRows, connected_at: dt.datetime) -> list[Spell]:
    """Spell before anything was connected."""
    invited = next(
        (invitation for invitation in reversed(known.invitations) if invitation.created_at <= connected_at), None
    )
    known_facts = facts(invited_at=invited.created_at, opened_at=invited.opened_at) if invited else {}
    return [Spell(BEGINNING, connected_at, Cause.NEVER_CONNECTED, known_facts)]


def _spells(connection: Connection, events: Sequence[ConnectionEvent]) -> list[Spell]:
    """Spells without access: from the event that ended it to the one that renewed it."""
    spells: list[Spell] = []
    dead: ConnectionEvent | None = None
    for event in events:
        if event.status == Status.ACTIVE and dead:
            spells.append(_dead(dead.at, event.at, dead.reason))
            dead = None
        elif event.status not in (Status.ACTIVE, Status.INVITED) and dead is None:
            dead = event
    if dead:
        spells.append(_dead(dead.at, END, dead.reason))
    elif connection.status not in (Status.ACTIVE, Status.INVITED):
        spells.append(_dead(connection.status_since, END, connection.status_reason))
    return spells


def _dead(start: dt.datetime, end: dt.datetime, code: str) -> Spell:
    return Spell(start, end, Cause.TOKEN_DEAD, facts(code=code or None, since=start))


def _missing(connection: Connection) -> list[str]:
    """Metrics, or "sleep" and the like, of data types that the consent does not cover."""
    if connection.provider not in settings.LIVE_PROVIDERS:
        return []
    missing: list[str] = []
    for data_type in live_providers.provider(connection.provider).data_types.values():
        if data_type.scope not in connection.scopes:
            missing += [what if isinstance(what, str) else what.value for what in data_type.brings]
    return sorted(set(missing))


def _partial_since(connection: Connection, events: Sequence[ConnectionEvent]) -> dt.datetime:
    """Instant since when a part is not allowed: the last event that took one away, else the consent itself."""
    taken = [event.at for event in events if event.reason == AccessGone.SCOPE_MISSING]
    return max([connection.status_since, *taken])


def _described(known: KnownRows) -> list[tuple[int, devices.Described]]:
    """Descriptions of the devices at their readings, with their connections; last, as they are: of a silent device
    nothing has changed for long."""
    described = [(reading.device.connection_id, devices.as_read(reading)) for reading in known.readings]
    return [*described, *((device.connection_id, devices.as_stored(device)) for device in known.devices)]


def _readings(known: KnownRows) -> list[Reading]:
    """Readings of the device that was worn."""
    readings = {
        _reading(described) for described in devices.worn_through(described for _, described in _described(known))
    }
    return sorted(readings, key=lambda reading: reading.at)


def _reading(described: devices.Described) -> Reading:
    at, synced = described.last_sync_at or described.at, described.last_sync_at is not None
    return Reading(at, described.battery_percent, described.battery_status, synced, described.device)


def _synthetic(participant: Participant, known: KnownRows, now: dt.datetime) -> Evidence:
    """Evidence of a synthetic device: the interval that was taken in counts as answered."""
    pulled = [(d.pulled_from, d.pulled_until) for d in known.synthetic if d.pulled_from and d.pulled_until]
    if not pulled and participant.status == Participant.Status.INVITED:
        return _never(participant, known)
    begins = [begin for begin, _ in pulled]

    def reading_at(at: dt.datetime) -> Reading | None:
        """Reading at any moment of the past; of the future nothing is known."""
        worn = _worn(known.synthetic, min(at, now))
        return _reading(worn) if worn and worn.last_sync_at else None

    worn, latest = _worn(known.synthetic, now), reading_at(now)
    return Evidence(
        access=Access.OK,
        access_since=min(begins, default=participant.enrolled_at),
        live=True,
        answered=[TimeInterval(min(begins), max(end for _, end in pulled))] if pulled else [],
        readings=[latest] if latest else [],
        reading_at=reading_at,
        device=worn.device if worn else "",
        # By its code where it has said nothing yet.
        device_model=worn.model if worn else known.synthetic[-1].device,
    )


def _worn(made_up: Sequence[SyntheticDevice], at: dt.datetime) -> devices.Described | None:
    """Description, at an instant, of the synthetic device that is worn."""
    states = (
        state
        for device in made_up
        for state in synthetic.provider_of(device.provider).states(synthetic.synthetic_participant_of(device), at)
    )
    return devices.worn(devices.as_told(state, at) for state in states)
