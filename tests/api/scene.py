"""One of everything that the API's addresses can name, for tests that ask every operation."""

from __future__ import annotations

import datetime as dt

from dashboards.models import Outreach
from ingestion.models import Connection, ImportFile, Invitation
from metrics.models import Recompute
from participants.models import ApiToken, ColleagueInvitation, Trial
from tests import factories
from tests.dashboards.measured import heart_rate, steps, store

CODE = "STRIDE-2"
STUDY_ID = "AX-0042"
SITE = "here"
PK = 90_001
# What the path parameters of the contract are called, and what exists under that name.
KNOWN: dict[str, str | int] = {
    "code": CODE,
    "trial": CODE,
    "study_id": STUDY_ID,
    "site": SITE,
    "provider": "vendor",
    "metric": "heart_rate",
    "version": 1,
    "pk": PK,
    "id": PK,
}
MORNING = dt.datetime(2026, 11, 18, 8, tzinfo=dt.UTC)


def scene() -> Trial:
    """The trial STRIDE-2 with a site, where AX-0042 has data, a connection, an alert and an invitation."""
    trial: Trial = factories.TrialFactory.create(code=CODE)
    here = factories.SiteFactory.create(trial=trial, code=SITE)
    participant = factories.ParticipantFactory.create(trial=trial, study_id=STUDY_ID, site=here)
    factories.AlertFactory.create(pk=PK, participant=participant)
    Recompute.objects.create(pk=PK, trial=trial, why="a correction", asked_at="2026-11-01T00:00Z")
    Invitation.objects.create(pk=PK, participant=participant, expires_at="2036-12-01T00:00Z")
    Outreach.objects.create(
        pk=PK,
        participant=participant,
        kind="call",
        state="sent",
        title="A call",
        reason="no upload",
        **dict.fromkeys(("created_at", "send_after", "state_at", "sent_at"), MORNING),
    )
    ImportFile.objects.create(
        pk=PK, trial=trial, name="steps.csv", size=1, format="fitabase", sha256="0" * 64, started_at=MORNING
    )
    ColleagueInvitation.objects.create(
        pk=PK,
        trial=trial,
        role="viewer",
        email="new@example.org",
        invited_by=factories.UserFactory.create(),
        expires_at="2036-12-01T00:00Z",
    )
    program = factories.UserFactory.create(email="program@service.invalid", is_service=True)
    factories.MembershipFactory.create(pk=PK, trial=trial, user=program, role="viewer")
    ApiToken.objects.create(
        pk=PK, user=factories.UserFactory.create(), name="x", prefix="x", expires_at="2036-12-01T00:00Z"
    )
    Connection.objects.create(pk=PK, participant=participant, trial=trial, provider="vendor", status="active")
    store(participant, heart_rate(MORNING, 60, step=60), steps(MORNING, [20] * 60))
    return trial
