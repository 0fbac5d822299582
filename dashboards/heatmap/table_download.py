"""Download of the heat map as a table."""

from __future__ import annotations

import datetime as dt

from dashboards.heatmap.filters import MEASURES, HeatmapFilters
from dashboards.heatmap.queries import Everybody
from dashboards.ui import downloads
from dashboards.ui.status_labels import BADGES
from metrics.monitoring.status import AttentionStatus
from participants.models import Trial
from participants.tables import Column
from participants.team_texts import gettext


def table(trial: Trial, everybody: Everybody, filters: HeatmapFilters, now: dt.datetime) -> downloads.Table:
    """A row for each participant, a column for each day, its status as a label."""
    kinds = MEASURES[filters.measure][2]
    labels = {code: kind.label for kind in kinds for code in kind.codes}
    known = ", ".join(dict.fromkeys(kind.label for kind in kinds))
    days = [everybody.first + dt.timedelta(days=i) for i in range(everybody.codes.shape[1])]
    columns = [
        Column("study_id", gettext("Participant's study id (pseudonym)")),
        Column("status", gettext("The status of the page: what needs attention first")),
        Column("adherence", gettext("Valid days as a share of the days that count, 0 to 1; blank: no day counts yet")),
        *(
            Column(day.isoformat(), gettext("That local day: {known}; blank: not monitored").format(known=known))
            for day in days
        ),
    ]
    rows = (
        [
            study_id,
            BADGES[AttentionStatus(attention_status)].label,
            adherence,
            *(labels.get(chr(code), "") for code in codes),
        ]
        for (study_id, attention_status, adherence), codes in zip(everybody.people, everybody.codes, strict=True)
    )
    name = f"{trial.code}-{filters.measure}-{now:%Y%m%dT%H%MZ}"
    return downloads.Table(name, filters.measure, columns, rows, len(everybody.people))
