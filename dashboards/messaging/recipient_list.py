"""Recipient list: whom an address or a form names, if the user may write to them, and their rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.http import Http404

from dashboards.messaging import preflight
from dashboards.messaging import recipients as people_to_write_to
from dashboards.messaging.recipients import Recipient
from dashboards.trial_overview import day_strip
from dashboards.trial_overview import filters as trial_overview_filters
from dashboards.trial_overview.status_reason import Why, why
from dashboards.ui.connection_labels import Badge
from metrics.monitoring import pending
from participants.models import Participant, Trial, User
from participants.study_ids import study_key
from participants.user_input import Entered

SHOWN = 100  # recipients in the list; the others are counted
MOST_LISTED = 200_000  # characters of all recipients' study ids in a form


@dataclass(frozen=True, slots=True)
class Row:
    """A recipient in the list."""

    recipient: Recipient
    checked: bool
    why: Why
    badge: Badge
    sub: str


def managed(trial: Trial, user: User, params: Entered, now: dt.datetime) -> list[Recipient]:
    """Recipients whom the address or the form names, whom the user may act for. Raises Http404 for any other.

    `to` (several) or `listed` (one, with commas) names them; `all=1` all that the trial page's query matches.
    """
    managed_here = Participant.objects.managed_by(user).filter(trial=trial)
    pending.settle(managed_here)
    if params.get("all") == "1" and not params.get("listed"):
        filters = trial_overview_filters.parse_filters(params)
        matching = trial_overview_filters.matching(trial_overview_filters.of_trial(trial, user, filters), filters, now)
        people = managed_here.filter(pk__in=matching.values("pk"))
        ids = None
    else:
        listed = params.text("listed", MOST_LISTED)
        named = listed.split(",") if listed else params.texts("to", people_to_write_to.MOST + 1)
        ids = {study_id for study_id in named if study_id}
        people = managed_here.with_study_ids(ids)
    recipients = people_to_write_to.recipients(people, trial, now)
    if ids is not None and len(recipients) < len({study_key(study_id) for study_id in ids}):
        raise Http404("a recipient is not among those whom this person may write to")
    return recipients


def reason_of(recipient: Recipient, now: dt.datetime) -> Why:
    """Reason why a recipient needs attention, as on the trial's page."""
    today = now.astimezone(recipient.zone).date()
    return why(
        recipient.participant,
        recipient.attention_status,
        day_strip.recent_codes(recipient.status_summary, today) if recipient.status_summary else "",
        now,
    )


def rows(recipients: Sequence[Recipient], chosen: Sequence[Recipient], now: dt.datetime) -> list[Row]:
    """The list's rows, the first hundred."""
    checked = {recipient.study_id for recipient in chosen}
    return [
        Row(
            recipient,
            recipient.study_id in checked,
            reason_of(recipient, now),
            preflight.when_badge(recipient, now),
            preflight.last_contact_text(recipient, now),
        )
        for recipient in recipients[:SHOWN]
    ]
