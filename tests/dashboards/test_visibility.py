"""Who may open what: every address of the room, for every kind of person. A new address fails until it is listed."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from dashboards.urls import urlpatterns
from ingestion.models import Connection, Invitation
from metrics.models import Export, Recompute
from participants.models import Membership, Participant, Trial, User
from tests import factories

NAMES = [str(pattern.name) for pattern in urlpatterns]
QUERY = {
    "series": "?metric=heart_rate&start=2026-11-18&end=2026-11-18",
    "contact": "?to=AX-0042",
    "call-list": "?to=AX-0042",
}
# Whose page it is: everybody's own list, a trial's, a participant's, one for those who act for her, or an act itself;
# one that to all others does not exist; an export, its asker's own; the demo's, which exists nowhere else; a signed
# link, forged here.
OF = {
    "trial-list": "self",
    "trial": "trial",
    "progress": "trial",
    "heatmap": "trial",
    "heatmap-day": "participant",
    "sync": "trial",
    "participant": "participant",
    "series": "participant",
    "pulse": "participant",
    "note-add": "act",
    "consent": "participant",
    "consent-act": "confirmed-act",
    "sync-detail": "participant",
    "invitation": "managed",
    "disconnect": "managed",
    "invite": "act",
    "sync-now": "act",
    "backfill": "act",
    "requeue": "act",
    "digests": "self",
    "protocol": "trial",
    "adherence": "trial",
    "recompute": "recompute",
    "protocol-new": "rules",
    "recompute-ask": "rules-act",
    "alerts": "trial",
    "alert-act": "act",
    "alerts-act": "trial-act",
    "contacts": "trial",
    "contact": "hidden",
    "call-list": "hidden",
    "call-log": "hidden",
    "mailbox": "nowhere",
    "opt-out": "link",
    "account": "self",
    "sign-ins": "self",
    "session": "self",
    "session-stay": "self-act",
    "sign-out-everywhere": "self-act",
    "join": "colleague",
    "team": "team",
    "team-revoke": "team-act",
    "exports": "trial",
    "export-estimate": "trial",
    **dict.fromkeys(("export", "export-download", "export-file"), "own"),
    "export-cancel": "own-act",
}
ACTS = {"act", "trial-act", "rules-act", "confirmed-act", "self-act", "team-act", "own-act"}
BOTH = {
    "account",
    "join",
    "team",
    "disconnect",
    "digests",
    "exports",
    "contact",
    "call-log",
    "opt-out",
    "protocol-new",
}  # asks with GET and acts with POST
ARGUMENTS: dict[str, list[object]] = {
    "self": [],
    "self-act": [],
    "team": ["STRIDE-2"],
    "team-act": ["STRIDE-2", 1],
    "colleague": ["forged"],
    "trial": ["STRIDE-2"],
    "nowhere": [],
}
SOMEBODYS = "5f0c2f6e-7c0f-4a55-9c39-3a1a5b7d1c11"  # an export that a stranger asked for
# All arguments of addresses that name neither a trial alone nor a participant.
WHOLE: dict[str, list[object]] = {
    "recompute": ["STRIDE-2", 1],
    "protocol-new": ["STRIDE-2"],
    "recompute-ask": ["STRIDE-2"],
    "alert-act": ["STRIDE-2", 1, "acknowledge"],
    "alerts-act": ["STRIDE-2", "acknowledge"],
    "contact": ["STRIDE-2"],
    "call-list": ["STRIDE-2"],
    "opt-out": ["forged"],
    **{name: ["STRIDE-2", SOMEBODYS] for name in ("export", "export-download", "export-cancel")},
    "export-file": ["STRIDE-2", SOMEBODYS, "manifest.json"],
}
FURTHER: dict[str, list[object]] = {
    "invitation": [90_001],
    "heatmap-day": ["2026-11-18"],
    "consent-act": ["withdraw"],
    **{name: ["vendor"] for name in ("disconnect", "sync-detail", "sync-now", "backfill", "requeue")},
}


def address(name: str) -> str:
    arguments: list[Any] = WHOLE.get(name) or ARGUMENTS.get(OF[name], ["STRIDE-2", "AX-0042", *FURTHER.get(name, [])])
    return reverse(f"dashboards:{name}", args=arguments) + QUERY.get(name, "")


@pytest.fixture(autouse=True)
def _connected(participant: Participant) -> None:
    """AX-0042 has an alert, an invitation and a connection, to a vendor that is not set up any more."""
    factories.AlertFactory.create(pk=1, participant=participant)
    Recompute.objects.create(pk=1, trial=participant.trial, why="a correction", asked_at="2026-11-01T00:00Z")
    stranger = factories.MembershipFactory.create(trial=participant.trial).user
    Export.objects.create(
        uuid=SOMEBODYS, trial=participant.trial, user=stranger, format="csv", state="done", asked_at="2026-11-01T00:00Z"
    )
    Invitation.objects.create(pk=90_001, participant=participant, expires_at="2026-12-01T00:00Z")
    Connection.objects.create(participant=participant, trial=participant.trial, provider="vendor", status="active")


@pytest.fixture
def person(request: pytest.FixtureRequest, participant: Participant, trial: Trial) -> User | None:
    """The person that the test's parameter names; AX-0042 belongs to site "here"."""
    here, there = (factories.SiteFactory.create(trial=trial, code=code) for code in ("here", "there"))
    Participant.objects.filter(pk=participant.pk).update(site=here)
    membership = factories.MembershipFactory.create
    kind: str = request.param
    if kind == "anonymous":
        return None
    if kind == "superuser":
        outsider: User = factories.UserFactory.create(is_superuser=True, is_staff=True)
        return outsider
    user: User = {
        "viewer": lambda: membership(trial=trial, role=Membership.Role.VIEWER).user,
        "same site": lambda: membership(trial=trial, site=here).user,
        "other site": lambda: membership(trial=trial, site=there).user,
        "other trial": lambda: membership().user,
        "former member": lambda: membership(trial=trial, ended_at="2026-01-01T00:00Z").user,
    }[kind]()
    return user


EXPECTED = {
    "anonymous": {
        "self": 302,
        "trial": 302,
        "participant": 302,
        "managed": 302,
        "act": 302,
        "trial-act": 302,
        "recompute": 302,
        "rules": 302,
        "rules-act": 302,
    },
    "viewer": {
        "self": 200,
        "trial": 200,
        "participant": 200,
        "managed": 403,
        "act": 403,
        "trial-act": 403,
        "recompute": 200,
        "rules": 403,
        "rules-act": 403,
    },
    "same site": {
        "self": 200,
        "trial": 200,
        "participant": 200,
        "managed": 200,
        "act": 303,
        "trial-act": 303,
        "recompute": 200,
        "rules": 403,
        "rules-act": 403,
    },
    "other site": {
        "self": 200,
        "trial": 200,
        "participant": 404,
        "managed": 404,
        "act": 404,
        "trial-act": 403,
        "recompute": 200,
        "rules": 403,
        "rules-act": 403,
    },
    "other trial": {
        "self": 200,
        "trial": 404,
        "participant": 404,
        "managed": 404,
        "act": 404,
        "trial-act": 404,
        "recompute": 404,
        "rules": 404,
        "rules-act": 404,
    },
    "former member": {
        "self": 200,
        "trial": 404,
        "participant": 404,
        "managed": 404,
        "act": 404,
        "trial-act": 404,
        "recompute": 404,
        "rules": 404,
        "rules-act": 404,
    },
    "superuser": {
        "self": 200,
        "trial": 404,
        "participant": 404,
        "managed": 404,
        "act": 404,
        "trial-act": 404,
        "recompute": 404,
        "rules": 404,
        "rules-act": 404,
    },
}


# Asked without what confirms it: who may do it is told so.
for row in EXPECTED.values():
    row["confirmed-act"] = 422 if row["act"] == 303 else row["act"]


def expected_of_further(kind: str) -> dict[str, int]:
    """The same for the pages that do not tell a stranger that they exist."""
    links = {"link": 404, "colleague": 410}
    if kind == "anonymous":
        return links | dict.fromkeys(("hidden", "nowhere", "self-act", "team", "team-act", "own", "own-act"), 302)
    # A trial's team belongs to managers of all its sites, of whom none is here.
    own = {"self-act": 303, "team": 404, "team-act": 404, "own": 404, "own-act": 404}
    return links | own | {"hidden": 200 if kind == "same site" else 404, "nowhere": 404}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("person", EXPECTED, indirect=True)
def test_each_person_gets_only_what_is_hers(
    client: Client, person: User | None, name: str, request: pytest.FixtureRequest
) -> None:
    if person:
        client.force_login(person)
    kind = request.node.callspec.params["person"]
    ask = client.post if OF[name] in ACTS else client.get
    assert ask(address(name)).status_code == (EXPECTED[kind] | expected_of_further(kind))[OF[name]]


@pytest.mark.parametrize("name", [name for name in NAMES if OF[name] not in ACTS and name not in BOTH])
def test_pages_only_answer_reading(manager: Client, name: str) -> None:
    assert manager.post(address(name)).status_code == 405


@pytest.mark.parametrize("name", [name for name in NAMES if OF[name] in ACTS])
def test_acts_are_not_done_by_following_a_link(manager: Client, name: str) -> None:
    assert manager.get(address(name)).status_code == 405


def test_the_table_shows_a_site_member_her_site_only(client: Client, trial: Trial) -> None:
    here, there = (factories.SiteFactory.create(trial=trial, name=name) for name in ("Harbour", "Riverside"))
    factories.ParticipantFactory.create(trial=trial, site=here, study_id="MINE")
    factories.ParticipantFactory.create(trial=trial, site=there, study_id="THEIRS")
    client.force_login(factories.MembershipFactory.create(trial=trial, site=here).user)
    page = client.get(address("trial")).content.decode()
    assert "MINE" in page
    assert "THEIRS" not in page
    assert "Riverside" not in page


def test_the_list_shows_only_own_trials(manager: Client) -> None:
    factories.TrialFactory.create(code="SECRET")
    page = manager.get(address("trial-list")).content.decode()
    assert "STRIDE-2" in page
    assert "SECRET" not in page


def test_a_signed_out_partial_reloads_the_page(client: Client, trial: Trial) -> None:
    answer = client.get(address("trial"), headers={"HX-Request": "true"})
    assert answer.headers["HX-Refresh"] == "true"
