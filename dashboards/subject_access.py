"""Sections of this app for a participant's right of access: what the team did and wrote."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext

from dashboards.models import Alert, AlertEvent, Note, Outreach
from participants.models import Participant
from participants.privacy.subject_access import Section, rows_of


def sections(participant: Participant) -> Iterator[Section]:
    """Sections of this app, in the order in which they are read."""
    yield Section(
        "team/letters-and-calls", gettext("E-mails and calls"),
        gettext("What was written to you or said on the telephone, why, by whom, and whether data came afterwards."),
        (Outreach,), rows_of(Outreach.objects.filter(participant=participant)),
    )  # fmt: skip
    yield Section(
        "team/notes", gettext("Notes"),
        gettext("What the trial's team wrote down about you."),
        (Note,), rows_of(Note.objects.filter(participant=participant)),
    )  # fmt: skip
    yield Section(
        "team/alerts", gettext("Alerts"),
        gettext("When the platform told the team that something needs a look, for example that no data arrive."),
        (Alert,), rows_of(Alert.objects.filter(participant=participant)),
    )  # fmt: skip
    yield Section(
        "team/alerts-history", gettext("What became of the alerts"),
        gettext("Who looked after an alert, when, and with which remark."),
        (AlertEvent,), rows_of(AlertEvent.objects.filter(alert__participant=participant)),
    )  # fmt: skip
