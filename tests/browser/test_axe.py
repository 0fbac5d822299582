"""No page keeps anybody out: axe-core looks at each, light and dark, wide and as a phone shows it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext

from benchmarks import monitoring_data
from dashboards.models import Alert
from ingestion.connections import invitations
from participants.models import Participant, Trial
from tests import factories
from tests.browser.axe import needs_axe, violations
from tests.browser.conftest import PASSWORD, OpenContext, signed_in
from tests.dashboards.measured import heart_rate, steps, store

pytestmark = [pytest.mark.browser, needs_axe]

WIDTHS = {"wide": {"width": 1440, "height": 1000}, "phone": {"width": 390, "height": 844}}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@pytest.fixture
def trial(transactional_db: None) -> Trial:
    """Two dozen people of all kinds, one of them with two days of data; and a trial without anybody."""
    now = dt.datetime.now(dt.UTC)
    made: Trial = monitoring_data.fill("KNEE", 24, 40, now=now)
    made.is_demo = True
    made.save(update_fields=["is_demo"])
    user = factories.UserFactory.build(email="manager@example.org")
    user.set_password(PASSWORD)
    user.save()
    empty = factories.TrialFactory.create(code="EMPTY")
    for one in (made, empty):
        factories.MembershipFactory.create(trial=one, user=user)
    measured = someone(made)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for day in (1, 2):
        start = midnight - dt.timedelta(days=day)
        store(measured, heart_rate(start, 660, step=30), steps(start + dt.timedelta(hours=8), [20] * 120))
    factories.ParticipantFactory.create(trial=made, study_id="NO-DATA")
    return made


def someone(trial: Trial) -> Participant:
    """One with an alert: their page and what is written to them show most."""
    alert = Alert.objects.filter(participant__trial=trial, resolved_at=None).order_by("pk").first()
    assert alert is not None
    return alert.participant


PAGES: dict[str, tuple[str, dict[str, str], str]] = {
    # what it is: URL name, its arguments, query
    "trials": ("trial-list", {}, ""),
    "trial": ("trial", {}, ""),
    "trial, nobody in it": ("trial", {"code": "EMPTY"}, ""),
    "trial, nobody found": ("trial", {}, "?q=nobody-is-called-so"),
    "heat map": ("heatmap", {}, ""),
    "participant": ("participant", {"study_id": ""}, ""),
    "participant without data": ("participant", {"study_id": "NO-DATA"}, ""),
    "contact": ("contact", {}, "?to={study_id}"),
    "contacts": ("contacts", {}, ""),
    "call list": ("call-list", {}, "?to={study_id}"),
    "alerts": ("alerts", {}, ""),
    "protocol": ("protocol", {}, ""),
    "adherence": ("adherence", {}, ""),
    "connections": ("sync", {}, ""),
    "exports": ("exports", {}, ""),
    "digests": ("digests", {}, ""),
    "mailbox": ("mailbox", {}, ""),
}


def address(page: str, trial: Trial) -> str:
    name, arguments, query = PAGES[page]
    study_id = someone(trial).study_id
    given = {name: value or study_id for name, value in arguments.items()}
    if name not in ("trial-list", "digests", "mailbox"):
        given.setdefault("code", trial.code)
    return reverse(f"dashboards:{name}", kwargs=given) + query.format(study_id=study_id)


def faults_on(open_context: OpenContext, trial: Trial, page: str | None, where: str) -> list[str]:
    """What axe finds on a page in each width and scheme; `page` None: nobody is signed in."""
    found = []
    # The pages' own policy forbids what the browser's driver does to ask anything of them.
    context: BrowserContext = open_context(bypass_csp=True)
    tab = context.new_page() if page is None else signed_in(context)
    for scheme in SCHEMES:
        tab.emulate_media(color_scheme=scheme)
        for name, size in WIDTHS.items():
            tab.set_viewport_size(size)  # type: ignore[arg-type]
            response = tab.goto(where)
            assert response is not None
            assert response.ok, f"{where} answers {response.status}"
            tab.wait_for_load_state("load")
            wide = tab.evaluate("document.documentElement.scrollWidth") - size["width"]
            if wide > 0:
                found.append(f"{scheme}, {name}: {wide} px wider than the window")
            found += [f"{scheme}, {name}: {one}" for one in violations(tab)]
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_violation(
    page: str, open_context: OpenContext, trial: Trial, settings: Any, tmp_path: Any
) -> None:
    settings.DEMO_MAIL_FOLDER = str(tmp_path)
    found = faults_on(open_context, trial, page, address(page, trial))
    assert not found, "\n".join(found)


def test_signing_in_has_no_violation(open_context: OpenContext, transactional_db: None, trial: Trial) -> None:
    found = faults_on(open_context, trial, None, "/login/")
    assert not found, "\n".join(found)


def test_the_participants_own_page_has_no_violation(open_context: OpenContext, trial: Trial, settings: Any) -> None:
    settings.LIVE_PROVIDERS = {"google_health": {"client_id": "a", "client_secret": "b"}}
    now = dt.datetime.now(dt.UTC)
    invitation = invitations.invitation_create(participant=someone(trial), by=None, now=now)
    where = reverse("ingestion:connect", args=[invitations.invitation_code(invitation)])
    found = faults_on(open_context, trial, None, where)
    assert not found, "\n".join(found)


def test_axe_finds_what_is_wrong(open_context: OpenContext) -> None:
    """Were it never to find anything, the tests above would say nothing."""
    page = open_context(bypass_csp=True).new_page()
    page.set_content("<html><body><img src='x'><button></button></body></html>")
    assert {"image-alt", "button-name"} <= {one.split(": ")[1].split(" ")[0] for one in violations(page)}
