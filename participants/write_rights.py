"""Rights that a write was let in for: kept with its response, and checked again before that is given again.

A right is a list that JSON holds: its name, the row's primary key and, of an enrolment, the site's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404

from participants.models import Participant, Site, Trial, User

Right = list[Any]
TRIAL, LED, ENROLS = "trial", "trial.led", "trial.enrols"
PARTICIPANT, MANAGED = "participant", "participant.managed"
CHECKS: dict[str, Callable[..., QuerySet[Any]]] = {
    TRIAL: Trial.objects.visible_to,
    LED: Trial.objects.led_by,
    ENROLS: lambda user, site: Trial.objects.enrolled_by(user, site and Site.objects.filter(pk=site).first()),
    PARTICIPANT: Participant.objects.visible_to,
    MANAGED: Participant.objects.managed_by,
}
SEEING = (TRIAL, PARTICIPANT)


def recheck(user: User, rights: Iterable[Right]) -> None:
    """Raise Http404 where the user does not see any more what it was about, PermissionDenied where they may not act."""
    for name, pk, *more in rights:
        if not CHECKS[name](user, *more).filter(pk=pk).exists():
            if name in SEEING:
                raise Http404
            raise PermissionDenied("You may not do this any more.")


def about(rights: Iterable[Right]) -> tuple[Trial | None, Participant | None]:
    """The trial and the participant that they are about, where they name one."""
    named = {name: pk for name, pk, *_ in rights}
    participant = Participant.objects.select_related("trial").filter(pk=named.get(PARTICIPANT, 0)).first()
    return (participant.trial if participant else Trial.objects.filter(pk=named.get(TRIAL, 0)).first()), participant
