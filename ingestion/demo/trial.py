"""Demo trial: synthetic participants with synthetic data, so that every page has something to show."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Generator
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from ingestion import synthetic
from ingestion.providers.base.synthetic import SyntheticProvider
from ingestion.providers.registry import SYNTHETIC_PROVIDERS
from metrics.monitoring import pending
from participants.models import Membership, Participant, Site, Trial, User
from participants.services import (
    EnrolmentError,
    participant_changed,
    participant_enrol,
    participant_withdraw,
    pause_begin,
    published_password,
    trial_create,
)

CODE = "DEMO"
TITLE = "Walking after knee replacement (demo)"
ZONE = "Europe/Amsterdam"
SEED = 20_261_123
PASSWORD = published_password.PASSWORD  # see demo_users_ensure for when it is refused
SITES = (("AMS", "Amsterdam"), ("UTR", "Utrecht"), ("RTM", "Rotterdam"))
ARMS = ("usual care", "coached walking")
# So long a new demo goes on: with an end, it can be told who may still reach the target.
DAYS_TO_COME = 90
# Enrolled after those with synthetic devices and not connected to anything: to be invited by who tries the demo.
TO_INVITE = 2
MANAGER, COORDINATOR, STAFF = published_password.ADDRESSES
# By study number: those whose devices tell nothing of their own.
PAUSED, WITHDRAWN = 14, 18
PAUSED_DAYS, WITHDRAWN_DAYS = 3, 6
REASON = "In hospital for a planned stay"


class DemoRefused(Exception):
    """Refusal to make the demo here; the message says why and is fit to show."""


@dataclass(frozen=True, slots=True)
class DemoProgress:
    """Step of feeding the demo. `round`: 1 is everyone's newest week, 2 the one before. `step` None: nothing new."""

    round: int
    study_id: str
    step: synthetic.Step | None
    busy: bool = False


@transaction.atomic
def demo_ensure(*, now: dt.datetime, password: str | None = None, participants: int = 24, days: int = 30) -> Trial:
    """Demo trial with its sites, participants and synthetic devices: made, or completed where parts are missing.

    `days` back from today is its first day, if it has to be made. `password` None: the documented one. Feeding it
    is demo_feed's. Raises DemoRefused if a trial of this code is no demo, if it is closed and incomplete, or if the
    password will not do.
    """
    trial = Trial.objects.filter(code=CODE).first()
    if trial is not None and not trial.is_demo:
        raise DemoRefused(f"Trial {CODE} exists and is not a demo: it is left alone. Give the real one another code.")
    if trial is None:
        today = now.astimezone(zoneinfo.ZoneInfo(ZONE)).date()
        trial = trial_create(
            code=CODE,
            title=TITLE,
            time_zone=ZONE,
            is_demo=True,
            status=Trial.Status.RUNNING,
            starts_on=today - dt.timedelta(days=days),
            ends_on=today + dt.timedelta(days=DAYS_TO_COME),
        )
    sites = [Site.objects.get_or_create(trial=trial, code=code, defaults={"name": name})[0] for code, name in SITES]
    demo_users_ensure(trial, sites[0], password)
    provider = next(provider for provider in SYNTHETIC_PROVIDERS if provider.live)
    enrolled = {participant.study_id: participant for participant in Participant.objects.filter(trial=trial)}
    try:
        for number in range(1, participants + 1):
            study_id = f"{CODE}-{number:03d}"
            participant = enrolled.get(study_id) or _enrol(
                trial, study_id, sites[number % len(sites)], ARMS[number % 2]
            )
            _equip(participant, provider, number, now)
    except EnrolmentError as error:
        raise DemoRefused(str(error)) from error
    return trial


def demo_to_invite_ensure(trial: Trial, *, after: int = 24) -> list[str]:
    """Enrol participants without any device, to be invited by who tries the demo; returns their study ids.

    They have just joined: nobody has lost days of theirs yet, and a short history comes at once when they connect.
    """
    ids = [f"{CODE}-{number:03d}" for number in range(after + 1, after + 1 + TO_INVITE)]
    known = set(trial.participants.values_list("study_id", flat=True))
    site = trial.sites.order_by("pk").first()
    if site is not None and trial.status != Trial.Status.CLOSED:
        for study_id in ids:
            if study_id not in known:
                _enrol(trial, study_id, site, ARMS[0], Participant.Status.INVITED, joined=dt.timedelta(days=2))
    return ids


def _enrol(
    trial: Trial,
    study_id: str,
    site: Site,
    arm: str,
    status: str = Participant.Status.ACTIVE,
    *,
    joined: dt.timedelta | None = None,
) -> Participant:
    """Enrol a participant. `joined`: so long ago; None: as the trial began."""
    starts_on = trial.starts_on
    if joined is not None:
        day = timezone.now().astimezone(zoneinfo.ZoneInfo(trial.time_zone)).date() - joined
        starts_on = max(day, starts_on or day)
    return participant_enrol(
        trial=trial,
        study_id=study_id,
        site=site,
        status=status,
        monitoring_starts_on=starts_on,
        arm=arm,
    )


def _equip(participant: Participant, provider: SyntheticProvider, number: int, now: dt.datetime) -> None:
    """Assign the participant's device. One that would not have uploaded anything in a year was never connected: they
    stay invited."""
    if participant.synthetic_devices.filter(provider=provider.code).exists():
        return
    device = synthetic.device_assign(
        participant=participant,
        provider=provider,
        device=provider.devices[number % len(provider.devices)],
        seed=SEED,
        number=number,
        starts_on=participant.monitoring_starts_on or now.date(),
    )
    if provider.uploaded_until(synthetic.synthetic_participant_of(device), now + dt.timedelta(days=365)) is None:
        participant.status = Participant.Status.INVITED
        participant.save(update_fields=["status"])
        participant_changed(participant)


def demo_users_ensure(trial: Trial, site: Site, password: str | None) -> None:
    """Make a manager of all sites, a coordinator of one, and staff who manage and use the admin.

    Who exists keeps their password, unless one is given. The published password must not open a server that holds
    real trials: there, users are made with a given one only. Accounts that were closed because they had it are opened
    again where the site is a demo. Raises DemoRefused.
    """
    roles: tuple[tuple[str, Site | None, str, dict[str, bool]], ...] = (
        (MANAGER, None, Membership.Role.MANAGER, {}),
        (COORDINATOR, site, Membership.Role.COORDINATOR, {}),
        (STAFF, None, Membership.Role.MANAGER, {"is_staff": True, "is_superuser": True}),
    )
    for email, only_site, role, rights in roles:
        user = User.objects.filter(email=email).first()
        if user is None:
            if password is None and Trial.objects.filter(is_demo=False).exists():
                raise DemoRefused("This server holds real trials: give the demo's users a password with --password.")
            user = User.objects.create_user(email, password or PASSWORD, **rights)
        elif password is not None:
            user.set_password(password)
            user.save(update_fields=["password"])
        elif not user.is_active and published_password.opens() and user.check_password(PASSWORD):
            user.is_active = True
            user.save(update_fields=["is_active"])
        # One that was ended stays ended: it was meant.
        if not Membership.objects.filter(user=user, trial=trial, site=only_site).exists():
            Membership.objects.create(user=user, trial=trial, site=only_site, role=role)


def demo_feed(trial: Trial, *, now: dt.datetime) -> Generator[DemoProgress]:
    """Take in what the participants' devices have uploaded: everyone's newest week first, then the week before it.

    Nobody who has left is fed, nor a trial that is closed. Stops and goes on at any point. Raises as
    synthetic.device_step, but for devices that a worker has at hand: those are left to it.
    """
    waiting = list(
        synthetic.devices_active(live=True)
        .filter(participant__trial=trial)
        .order_by("participant__study_id")
        .values_list("pk", "participant__study_id")
    )
    turn = 0
    while waiting:
        turn += 1
        again = []
        for device_id, study_id in waiting:
            try:
                step = synthetic.device_step(device_id, now=now)
            except synthetic.DeviceBusy:
                yield DemoProgress(turn, study_id, None, busy=True)
                continue
            yield DemoProgress(turn, study_id, step)
            if step is not None:
                again.append((device_id, study_id))
        pending.settle(Participant.objects.filter(trial=trial))
        waiting = again


@transaction.atomic
def demo_stories_ensure(trial: Trial, *, now: dt.datetime) -> list[Participant]:
    """Pause and withdraw those who show it, unless it was done or undone before; returns whom it has changed.

    After the data were taken in: a device of a participant who has left is not read any more.
    """
    today = now.astimezone(zoneinfo.ZoneInfo(trial.time_zone)).date()
    changed = []
    paused = _active(trial, PAUSED)
    if paused is not None and not paused.pauses.exists():
        paused.status = Participant.Status.PAUSED
        paused.save(update_fields=["status"])
        pause_begin(paused, starts_on=today - dt.timedelta(days=PAUSED_DAYS), reason=REASON)
        changed.append(paused)
    gone = _active(trial, WITHDRAWN)
    if gone is not None and gone.withdrawn_on is None:
        participant_withdraw(gone, on=today - dt.timedelta(days=WITHDRAWN_DAYS))
        changed.append(gone)
    return changed


def _active(trial: Trial, number: int) -> Participant | None:
    return trial.participants.filter(study_id=f"{trial.code}-{number:03d}", status=Participant.Status.ACTIVE).first()
