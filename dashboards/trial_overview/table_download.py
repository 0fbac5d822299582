"""The trial's participants as a table to take away: all that match, row by row."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from dashboards.trial_overview import filters as trial_overview_filters
from dashboards.trial_overview.filters import ParticipantFilters
from dashboards.ui import gap_labels
from dashboards.ui.downloads import Table
from dashboards.ui.status_labels import BADGES, CAUSES
from metrics.models import Cause, ParticipantStatusSummary
from metrics.monitoring.status import AttentionStatus
from participants.models import Trial, User
from participants.tables import Column
from participants.team_texts import gettext

CHUNK = 500
COLUMNS = (
    Column("study_id", gettext("Participant's study id (pseudonym)")),
    Column("site", "Site's name"),
    Column("arm", gettext("Arm")),
    Column("participant_status", gettext("invited, active, paused, completed or withdrawn")),
    Column("status", gettext("The status of the page: what needs attention first")),
    Column("cause", gettext("Why data are missing now")),
    Column("cause_since", gettext("Since when, UTC")),
    Column("evidence", gettext("What shows it, in a sentence")),
    Column("adherence", gettext("Valid days as a share of the days that count, 0 to 1; blank: no day counts yet")),
    Column("best_adherence", gettext("The share if every remaining day were valid; blank: no end is set")),
    Column("target", gettext("The protocol's target, 0 to 1")),
    Column("valid_days", gettext("Days with enough wear")),
    Column("counted_days", gettext("Days that count: valid, invalid or lost")),
    Column("pending_days", gettext("Days whose data may still come")),
    Column("lost_days", gettext("Days whose data cannot come any more")),
    Column("excluded_days", gettext("Days that do not count")),
    Column("worn_share", gettext("Worn minutes as a share of the minutes of days that count, 0 to 1")),
    Column("nights_of_7", gettext("Nights with a main sleep among the last seven that are known and count")),
    Column("last_sample_at", gettext("Newest sample, UTC")),
    Column("overwritten_at", gettext("When the device begins to overwrite what was not uploaded, UTC")),
    Column("device", gettext("Device that is worn")),
    Column("battery_percent", gettext("Its last battery reading, percent")),
    Column("battery_at", gettext("When that was, UTC")),
    Column("judged_at", gettext("When all this was worked out, UTC")),
)


def table(trial: Trial, user: User, filters: ParticipantFilters, now: dt.datetime) -> Table:
    """All participants who match, in the order shown."""
    people = trial_overview_filters.ordered(
        trial_overview_filters.matching(trial_overview_filters.of_trial(trial, user, filters), filters, now),
        filters.sort,
    )
    participants = people.select_related("site", "status_summary").iterator(chunk_size=CHUNK)
    name = f"{trial.code}-participants-{now:%Y%m%dT%H%MZ}"
    rows = (_cells(participant, now) for participant in participants)
    return Table(name, "participants", COLUMNS, rows, people.count())


def _cells(participant: Any, now: dt.datetime) -> list[Any]:
    known: ParticipantStatusSummary | None = getattr(participant, "status_summary", None)
    first = [
        participant.study_id,
        participant.site.name if participant.site else "",
        participant.arm,
        participant.status,
        BADGES[AttentionStatus(participant.attention_status)].label,
    ]
    if known is None:
        return first + [None] * (len(COLUMNS) - len(first))
    return [
        *first,
        CAUSES[Cause(known.cause)][0] if known.cause else "",
        known.cause_since,
        gap_labels.sentence(known.cause, known.evidence, zone=ZoneInfo(participant.time_zone), now=now),
        known.adherence,
        known.best_adherence,
        known.target,
        known.valid_days,
        known.counted_days,
        known.pending_days,
        known.lost_days,
        known.excluded_days,
        known.worn_share,
        known.nights_recorded,
        known.last_sample_at,
        known.overwritten_at,
        known.device_model,
        known.battery_percent,
        known.battery_at,
        known.updated_at,
    ]
