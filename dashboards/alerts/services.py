"""Actions on alerts: acknowledge, snooze, assign, and undo. Each change is written down.

Every function takes alerts that the person may act on and changes those that are still open and not so already;
it returns the alerts changed, so that doing the same twice writes one event.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q, QuerySet

from dashboards.models import Alert, AlertEvent
from participants.audit import record
from participants.compiled_sql import compiled
from participants.conditions_sql import ID
from participants.models import Membership, Participant, Trial, User
from participants.team_texts import gettext

What = AlertEvent.What
# Days from today at whose beginning, in the trial's zone, a snoozed alert counts again.
SNOOZES = {1: gettext("until tomorrow"), 3: gettext("for 3 days"), 7: gettext("for a week")}
TAKEN_BACK = "taken back"


def actable(user: User, trial: Trial) -> QuerySet[Alert]:
    """A trial's alerts on which a person may act: of participants that they manage."""
    people = Participant.objects.managed_by(user).filter(trial=trial)
    return Alert.objects.filter(participant__in=people)


def acknowledge(alerts: QuerySet[Alert], *, by: User, now: dt.datetime) -> list[Alert]:
    """Mark alerts as seen by somebody. Stays so until an alert is resolved or it is taken back."""
    changes = {"acknowledged_at": now, "acknowledged_by": by}
    return _change(alerts.filter(acknowledged_at=None), changes, What.ACKNOWLEDGED, "", by=by, now=now)


def unacknowledge(alerts: QuerySet[Alert], *, by: User, now: dt.datetime) -> list[Alert]:
    changes = {"acknowledged_at": None, "acknowledged_by": None}
    acknowledged = alerts.exclude(acknowledged_at=None)
    return _change(acknowledged, changes, What.ACKNOWLEDGED, TAKEN_BACK, by=by, now=now)


def snooze_end(trial: Trial, days: int, now: dt.datetime) -> dt.datetime:
    """The first instant, `days` days from today in the trial's zone, at which a snoozed alert counts again."""
    zone = ZoneInfo(trial.time_zone)
    date = now.astimezone(zone).date() + dt.timedelta(days=days)
    return dt.datetime.combine(date, dt.time(), zone).astimezone(dt.UTC)


def snooze(alerts: QuerySet[Alert], *, days: int, trial: Trial, by: User, now: dt.datetime) -> list[Alert]:
    """Let them not count for some days. Raises ValueError for a span that is not offered."""
    if days not in SNOOZES:
        raise ValueError("Snooze until tomorrow, for 3 days or for a week.")
    until = snooze_end(trial, days, now)
    others = alerts.filter(Q(snoozed_until=None) | ~Q(snoozed_until=until))
    return _change(others, {"snoozed_until": until}, What.SNOOZED, SNOOZES[days], by=by, now=now)


def unsnooze(alerts: QuerySet[Alert], *, by: User, now: dt.datetime) -> list[Alert]:
    snoozed = alerts.filter(snoozed_until__gt=now)
    return _change(snoozed, {"snoozed_until": None}, What.SNOOZED, TAKEN_BACK, by=by, now=now)


def assign(alerts: QuerySet[Alert], *, to: User | None, by: User, now: dt.datetime) -> list[Alert]:
    """Give them to a member who manages and sees the participant, or to nobody. Others' alerts are left as they are."""
    if to is None:
        return _change(alerts.exclude(assigned_to=None), {"assigned_to": None}, What.ASSIGNED, "nobody", by=by, now=now)
    theirs = alerts.filter(participant__in=Participant.objects.managed_by(to))
    others = theirs.filter(Q(assigned_to=None) | ~Q(assigned_to=to))
    return _change(others, {"assigned_to": to}, What.ASSIGNED, f"to {who(to)}", by=by, now=now)


def _change(
    alerts: QuerySet[Alert], changes: dict[str, Any], what: AlertEvent.What, note: str, *, by: User, now: dt.datetime
) -> list[Alert]:
    """Change those that are still open, locked in the order in which the rules lock them too."""
    with transaction.atomic():
        still_open = alerts.filter(resolved_at=None).select_related("participant__trial").order_by("pk")
        changed = list(still_open.select_for_update(of=("self",)))
        Alert.objects.filter(pk__in=[alert.pk for alert in changed]).update(**changes)
        events = [AlertEvent(alert=alert, at=now, what=what, by=by, note=note) for alert in changed]
        AlertEvent.objects.bulk_create(events)
        for alert in changed:
            new = {"what": what.value, "note": note}
            record("alert.change", participant=alert.participant, thing=f"alert:{alert.pk}", new=new)
    return changed


def who(user: User) -> str:
    """A member as the team knows them."""
    return user.get_full_name() or user.email


Names = tuple[tuple[int, str], ...]


@compiled(trial=ID)
def members(trial: Any) -> Any:
    """Current managers and coordinators of a trial, with their users."""
    roles = (Membership.Role.MANAGER, Membership.Role.COORDINATOR)
    current = Membership.objects.filter(trial=trial, ended_at=None, role__in=roles, user__is_active=True)
    return current.select_related("user").order_by("user__first_name", "user__email")


class Team:
    """A trial's members to whom alerts can be given: managers and coordinators. Fetched once. One query."""

    def __init__(self, trial: Trial) -> None:
        self._members = members.rows(trial=trial.pk)
        self._names: dict[frozenset[int | None], Names] = {}

    def names(self, sites: Iterable[int | None]) -> Names:
        """The members of `of` as keys and names; worked out once for all rows of a page that ask for the same sites."""
        key = frozenset(sites)
        if key not in self._names:
            self._names[key] = tuple((user.pk, who(user)) for user in self.of(key))
        return self._names[key]

    def of(self, sites: Iterable[int | None]) -> list[User]:
        """Members who manage participants of all these sites (None: of no site)."""
        needed = set(sites)  # none at all: everybody of the team
        users: dict[int, User] = {}
        for member in self._members:
            if member.site_id is None or needed <= {member.site_id}:
                users.setdefault(member.user_id, member.user)
        return list(users.values())
