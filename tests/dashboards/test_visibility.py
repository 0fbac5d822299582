"""Who may open what: every address of the room, for every kind of person. A new address fails until it is listed."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from dashboards.urls import urlpatterns
from participants.models import Membership, Participant, Trial, User
from tests import factories

NAMES = [str(pattern.name) for pattern in urlpatterns]
QUERY = {"series": "?metric=heart_rate&start=2026-11-18&end=2026-11-18"}
# Whose page it is: everybody's own list, a trial's, or a participant's.
OF = {"trial-list": "self", "trial": "trial", "participant": "participant", "series": "participant"}
ARGUMENTS = {"self": [], "trial": ["STRIDE-2"], "participant": ["STRIDE-2", "AX-0042"]}


def address(name: str) -> str:
    return reverse(f"dashboards:{name}", args=ARGUMENTS[OF[name]]) + QUERY.get(name, "")


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
    "anonymous": {"self": 302, "trial": 302, "participant": 302},
    "viewer": {"self": 200, "trial": 200, "participant": 200},
    "same site": {"self": 200, "trial": 200, "participant": 200},
    "other site": {"self": 200, "trial": 200, "participant": 404},
    "other trial": {"self": 200, "trial": 404, "participant": 404},
    "former member": {"self": 200, "trial": 404, "participant": 404},
    "superuser": {"self": 200, "trial": 404, "participant": 404},
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("person", EXPECTED, indirect=True)
def test_each_person_gets_only_what_is_hers(
    client: Client, person: User | None, name: str, request: pytest.FixtureRequest
) -> None:
    if person:
        client.force_login(person)
    kind = request.node.callspec.params["person"]
    assert client.get(address(name)).status_code == EXPECTED[kind][OF[name]]


@pytest.mark.parametrize("name", NAMES)
def test_pages_only_answer_reading(manager: Client, participant: Participant, name: str) -> None:
    assert manager.post(address(name)).status_code == 405


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
