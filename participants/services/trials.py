"""Services of trials, the versions of their protocols, and their sites."""

from __future__ import annotations

import datetime as dt
from typing import TypedDict, Unpack

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from participants import audit, trial_closing
from participants.locks import lock_trial_exclusive
from participants.models import Membership, Protocol, Site, Trial
from participants.services import published_password
from participants.services.changes import change, fixed, locked

HAS_PEOPLE = "It is fixed: there are participants already."


class TrialChanges(TypedDict, total=False):
    """Changes of a trial; what is not named stays."""

    code: str
    title: str
    status: str
    is_demo: bool
    starts_on: dt.date | None
    ends_on: dt.date | None
    time_zone: str
    retain_raw_days: int | None


class SiteChanges(TypedDict, total=False):
    """Changes of a site; what is not named stays."""

    code: str
    name: str
    phone: str
    email: str


@transaction.atomic
def trial_create(
    *,
    code: str,
    title: str,
    time_zone: str = "UTC",
    is_demo: bool = False,
    status: str = Trial.Status.DRAFT,
    starts_on: dt.date | None = None,
    ends_on: dt.date | None = None,
) -> Trial:
    """A trial with version 1 of its protocol, all thresholds at their defaults.

    Raises django's ValidationError for bad values.
    """
    trial = Trial(
        code=code,
        title=title,
        time_zone=time_zone,
        is_demo=is_demo,
        status=status,
        starts_on=starts_on,
        ends_on=ends_on,
    )
    trial.full_clean()
    published_password.settle(is_demo)
    trial.save()
    protocol_first(trial)
    audit.record(
        "trial.create", trial=trial, new={"code": code, "title": title, "status": status, "time_zone": time_zone}
    )
    return trial


def protocol_first(trial: Trial) -> Protocol:
    """Version 1 with default thresholds, in force from the trial's first day (or from ever, if it has none)."""
    return Protocol.objects.create(trial=trial, version=1, effective_on=trial.starts_on or dt.date(2000, 1, 1))


@transaction.atomic
def protocol_revise(protocol: Protocol, *, today: dt.date, retroactive: bool = False) -> Protocol:
    """Store the next version of a trial's protocol, given unsaved: it gets the next number.

    Raises ValueError where it would begin before tomorrow: days that are past were evaluated by their own rules. With
    `retroactive` it may; the caller then has them re-evaluated (metrics.reevaluation.recompute), which says what that
    changed.
    """
    if protocol.effective_on <= today and not retroactive:
        raise ValueError("A new version begins tomorrow at the earliest.")
    locked(protocol.trial)  # versions are counted up
    latest = Protocol.objects.filter(trial=protocol.trial).aggregate(latest=Max("version"))["latest"]
    before = protocol.trial.protocols.order_by("-version").values().first() or {}
    protocol.version = (latest or 0) + 1
    protocol.save()
    old, new = audit.changes(before, {name: getattr(protocol, name) for name in before if name != "id"})
    audit.record("protocol.revise", trial=protocol.trial, thing=f"protocol:{protocol.version}", old=old, new=new)
    return protocol


@transaction.atomic
def trial_update(trial: Trial, *, reason: str = "", **changes: Unpack[TrialChanges]) -> Trial:
    """Change a trial; returns it as it is stored now. Nothing different writes nothing.

    Its code and whether it is a demo are fixed with the first participant: the code stands in addresses and exports,
    and only demo trials hold synthetic data. Closing it (participants.trial_closing says before what that ends) waits
    for what is being stored, and ends its participants' connections afterwards; opened again, they are invited anew.
    Raises django's ValidationError.
    """
    row = locked(trial)
    if row.participants.exists():
        fixed(changes, row, ("code", "is_demo"), HAS_PEOPLE)
    published_password.settle(changes.get("is_demo", row.is_demo))
    old, new = change(row, changes, may=TrialChanges.__annotations__)
    if "status" in new:
        lock_trial_exclusive(row)
        row.closed_at = timezone.now() if row.status == Trial.Status.CLOSED else None
        row.save(update_fields=["closed_at"])
    if new:
        ended = {"ended": str(trial_closing.ends(row))} if new.get("status") == Trial.Status.CLOSED else {}
        audit.record("trial.update", trial=row, thing=f"trial:{row.pk}", old=old, new=new | ended, reason=reason)
        trial_closing.changed(row, new)
    return row


@transaction.atomic
def site_create(*, trial: Trial, code: str, name: str, phone: str = "", email: str = "") -> Site:
    """A site of a trial. Raises django's ValidationError for bad values and a code that is taken."""
    locked(trial)  # two at once: the second finds the first
    site = Site(trial=trial, code=code, name=name, phone=phone, email=email)
    site.full_clean()
    site.save()
    new = {"code": code, "name": name, "phone": phone, "email": email}
    audit.record("site.create", trial=trial, thing=f"site:{site.pk}", new=new)
    return site


@transaction.atomic
def site_update(site: Site, *, reason: str = "", **changes: Unpack[SiteChanges]) -> Site:
    """Change a site; its code is fixed with the first participant. Returns it as it is stored now.

    Raises django's ValidationError.
    """
    row = locked(site)
    if row.participants.exists():
        fixed(changes, row, ("code",), HAS_PEOPLE)
    old, new = change(row, changes, may=SiteChanges.__annotations__)
    if new:
        audit.record("site.update", trial=row.trial, thing=f"site:{row.pk}", old=old, new=new, reason=reason)
    return row


@transaction.atomic
def site_remove(site: Site, *, reason: str = "") -> None:
    """Take back a site that was a mistake. Raises ValueError where anybody was ever enrolled or employed there."""
    row = locked(site)
    if row.participants.exists() or Membership.objects.filter(site=row).exists():
        raise ValueError(f"Site {row.code} has a history: it stays.")
    audit.record(
        "site.remove", trial=row.trial, thing=f"site:{row.pk}", old={"code": row.code, "name": row.name}, reason=reason
    )
    row.delete()
