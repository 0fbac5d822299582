"""A new version of a trial's protocol, with its rules: the page and the API call these."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from dashboards.protocols import labels
from metrics.models import Recompute
from metrics.reevaluation import recompute
from participants import services
from participants.models import Protocol, Trial, User
from participants.services.changes import locked
from participants.team_texts import gettext


def newest_of(trial: Trial, today: dt.date) -> Protocol:
    """The newest version, from which the next one starts; the defaults where there is none."""
    return trial.protocols.order_by("-version").first() or Protocol(trial=trial, effective_on=today)


def wrong_begin(begins: dt.date, today: dt.date, *, retroactive: bool, confirmed: bool) -> dict[str, str]:
    """Errors of the day on which a version begins, by field: a past day needs both boxes."""
    if begins > today:
        return {}
    if not retroactive:
        return {
            "effective_on": gettext("A new version begins tomorrow at the earliest, unless past days are re-checked.")
        }
    return {} if confirmed else {"confirmed": gettext("Confirm that past days are re-checked.")}


@transaction.atomic
def version_store(made: Protocol, *, today: dt.date, by: User) -> tuple[Protocol, Recompute | None]:
    """Store a version, checked and unsaved; of one that begins today or before, the recompute that it starts.

    Raises ValueError where nothing is different from the newest version.
    """
    locked(made.trial)  # two at once would get the same number
    if not labels.changes(newest_of(made.trial, today), made):
        raise ValueError("Nothing is different from the newest version.")
    retroactive = made.effective_on <= today
    stored = services.protocol_revise(made, today=today, retroactive=retroactive)
    if not retroactive:
        return stored, None
    why = f"Version {stored.version} of the protocol"
    return stored, recompute.recompute_start(made.trial, stored.effective_on, why, by)
