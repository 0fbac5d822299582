"""What the pages show of what is not theirs: nothing. Who may open which address, tests/test_access_matrix asks."""

from __future__ import annotations

from django.test import Client
from django.urls import reverse

from participants.models import Trial
from tests import factories

LIST = reverse("dashboards:trial-list")
TABLE = reverse("dashboards:trial", args=["STRIDE-2"])


def test_the_table_shows_a_site_member_that_site_only(client: Client, trial: Trial) -> None:
    here, there = (factories.SiteFactory.create(trial=trial, name=name) for name in ("Harbour", "Riverside"))
    factories.ParticipantFactory.create(trial=trial, site=here, study_id="MINE")
    factories.ParticipantFactory.create(trial=trial, site=there, study_id="THEIRS")
    client.force_login(factories.MembershipFactory.create(trial=trial, site=here).user)
    page = client.get(TABLE).content.decode()
    assert "MINE" in page
    assert "THEIRS" not in page
    assert "Riverside" not in page


def test_the_list_shows_only_own_trials(manager: Client) -> None:
    factories.TrialFactory.create(code="SECRET")
    page = manager.get(LIST).content.decode()
    assert "STRIDE-2" in page
    assert "SECRET" not in page


def test_a_signed_out_partial_reloads_the_page(client: Client, trial: Trial) -> None:
    assert client.get(TABLE, headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"
