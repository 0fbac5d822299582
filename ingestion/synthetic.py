"""Synthetic devices: who wears one, and pulling what it has measured. Demo trials only.

A pull goes step by step, a week of one device in one transaction, newest first. The device's row is locked for
the step and says afterwards how far the data reach, so an interrupted pull goes on where it stopped and two workers
never do the same: the second one passes on.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from ingestion.models import SyntheticDevice
from ingestion.providers.base.live import DeviceState
from ingestion.providers.base.synthetic import SyntheticParticipant, SyntheticProvider
from ingestion.providers.registry import SYNTHETIC_PROVIDERS
from metrics.batch import Payload, joined
from metrics.monitoring import pending
from metrics.selection.collection_window import collected_of
from metrics.writing.writer import Counts, SyntheticRefused, write
from participants.audit import record
from participants.locks import lock_participant
from participants.models import Participant, Trial

STEP = dt.timedelta(days=7)


class DeviceBusy(Exception):
    """Refusal: another worker is pulling this device; what it does not finish, the next pull will."""


@dataclass(frozen=True, slots=True)
class Step:
    """Interval that was taken in."""

    device_id: int
    since: dt.datetime
    until: dt.datetime
    counts: Counts


def provider_of(code: str) -> SyntheticProvider:
    """Synthetic provider with this code. Raises KeyError."""
    return {provider.code: provider for provider in SYNTHETIC_PROVIDERS}[code]


def provider_for(device: str) -> SyntheticProvider:
    """Synthetic provider that has a device of this name. Raises KeyError with the names there are."""
    for provider in SYNTHETIC_PROVIDERS:
        if device in provider.devices:
            return provider
    known = ", ".join(name for provider in SYNTHETIC_PROVIDERS for name in provider.devices)
    raise KeyError(f"There is no synthetic device {device!r}. There are: {known}.")


@transaction.atomic
def device_assign(
    *, participant: Participant, provider: SyntheticProvider, device: str, seed: int, number: int, starts_on: dt.date
) -> SyntheticDevice:
    """Give a participant a synthetic device, or back the one they have; an earlier first day replaces a later one.

    Raises SyntheticRefused where the trial is no demo, ValueError where they have this device with another seed.
    """
    if not participant.trial.is_demo:
        raise SyntheticRefused(f"{participant.trial.code} is not a demo trial: synthetic data is refused.")
    assigned, made = SyntheticDevice.objects.select_for_update().get_or_create(
        participant=participant,
        provider=provider.code,
        device=device,
        defaults={"seed": seed, "number": number, "starts_on": starts_on},
    )
    if made:
        record("device.assign", participant=participant, thing=f"device:{device}", new={"from": starts_on})
        return assigned
    if (assigned.seed, assigned.number) != (seed, number):
        raise ValueError(
            f"{participant} already wears {device} with seed {assigned.seed}: two people's data would mix."
        )
    if starts_on < assigned.starts_on:
        assigned.starts_on = starts_on
        assigned.save(update_fields=["starts_on"])
    return assigned


def devices_active(*, live: bool) -> QuerySet[SyntheticDevice]:
    """Devices to be pulled by themselves: of demo trials that run and participants who are still in.

    `live` chooses between providers whose data come through the day and those whose days come whole.
    """
    return SyntheticDevice.objects.filter(
        provider__in=[provider.code for provider in SYNTHETIC_PROVIDERS if provider.live == live],
        participant__trial__is_demo=True,
        participant__status__in=[Participant.Status.INVITED, Participant.Status.ACTIVE],
    ).exclude(participant__trial__status=Trial.Status.CLOSED)


def synthetic_participant_of(device: SyntheticDevice) -> SyntheticParticipant:
    return SyntheticParticipant(
        device=device.device,
        seed=device.seed,
        number=device.number,
        zone=zoneinfo.ZoneInfo(device.participant.time_zone),
        starts_on=device.starts_on,
    )


def device_states(participant: Participant, at: dt.datetime) -> list[DeviceState]:
    """States of the synthetic devices by an instant: battery and last sync, nothing of the future.

    A function of seed, number and time: any moment of the past can be asked again. Empty where there are none, or
    where none has uploaded yet.
    """
    return [
        state
        for device in participant.synthetic_devices.all()
        for state in provider_of(device.provider).states(synthetic_participant_of(device), at)
    ]


def device_pull(device_id: int, *, now: dt.datetime, until: dt.datetime | None = None) -> Iterator[Step]:
    """Take in all that is missing, step by step; `until` sets an end before that of what was uploaded.

    Raises DeviceBusy where another worker is at it, and what the provider and the writer raise.
    """
    while step := device_step(device_id, now=now, until=until):
        pending.settle_batch()
        yield step


@transaction.atomic
def device_step(device_id: int, *, now: dt.datetime, until: dt.datetime | None = None) -> Step | None:
    """Take in the next missing interval, a week at most; None if nothing is missing. Raises as device_pull."""
    owner = Participant.objects.filter(synthetic_devices=device_id).first()
    if owner is not None:
        lock_participant(owner)
    device = (
        SyntheticDevice.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("participant__trial")
        .filter(pk=device_id)
        .first()
    )
    if device is None:
        raise DeviceBusy(f"synthetic device {device_id} is being pulled, or gone")
    provider, participant = provider_of(device.provider), synthetic_participant_of(device)
    reached = provider.uploaded_until(participant, now)
    if reached is None:
        return None
    collected = collected_of(device.participant)
    begins = provider.day_starts_at(participant, device.starts_on)
    interval = _missing(
        device,
        max(moment for moment in (begins, collected.starts_at) if moment is not None),
        min(moment for moment in (reached, until, collected.ends_at) if moment is not None),
    )
    if interval is None:
        return None
    since, until = interval
    # First how far it reaches, then the data: what is missing in them is missing although we asked.
    device.pulled_from = min(device.pulled_from or since, since)
    device.pulled_until = max(device.pulled_until or until, until)
    device.save(update_fields=["pulled_from", "pulled_until"])
    counts = write(device.participant, _payload(provider, participant, since, until), now=now)
    return Step(device_id, since, until, counts)


def _missing(device: SyntheticDevice, since: dt.datetime, until: dt.datetime) -> tuple[dt.datetime, dt.datetime] | None:
    """Next interval to take in so that [since, until) is stored: what is newer first, then what is older."""
    if device.pulled_from is None or device.pulled_until is None:
        return (max(since, until - STEP), until) if since < until else None
    if device.pulled_until < until:
        return device.pulled_until, min(until, device.pulled_until + STEP)
    if since < device.pulled_from:
        return max(since, device.pulled_from - STEP), device.pulled_from
    return None


def _payload(
    provider: SyntheticProvider, participant: SyntheticParticipant, since: dt.datetime, until: dt.datetime
) -> Payload:
    """Payload of an interval. Local days may lie up to a day beside those of UTC."""
    first, last = since.date() - dt.timedelta(days=1), until.date() + dt.timedelta(days=1)
    dates = (first + dt.timedelta(days=n) for n in range((last - first).days + 1))
    return joined([provider.day(participant, on, since, until) for on in dates])
