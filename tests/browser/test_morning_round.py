"""A trial manager's morning, from the counter to the closed loop: a real browser, server, database and mail server.

The participant wears a synthetic device that hands its data over every five days: the last time three days ago.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dashboards import tasks
from dashboards.messaging import templates
from dashboards.models import Alert, Outreach
from ingestion import synthetic
from ingestion.models import SyntheticDevice
from ingestion.providers.registry import SYNTHETIC_PROVIDERS
from ingestion.providers.synthetic.profiles import STORIES, Story
from metrics.batch import joined
from metrics.monitoring import evaluation
from metrics.writing.writer import store
from participants.models import Participant, Trial
from participants.privacy import contacts
from tests import factories
from tests.browser.conftest import PASSWORD, OpenContext, sign_in
from tests.dashboards.messaging.conftest import FakeSmtpServer, smtp_server

__all__ = ["smtp_server"]  # the fixture: a mail server that takes everything

pytestmark = pytest.mark.browser

TRIAL = "/trials/STRIDE-2/"
NAME, ADDRESS = "Zwaantje Quickenborne", "z.quickenborne@example.org"
SECRETS = ("Zwaantje", "Quickenborne", ADDRESS)
DAY = dt.timedelta(days=1)


@pytest.fixture
def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@pytest.fixture
def trial(transactional_db: None, now: dt.datetime, settings: Any) -> Trial:
    """Two people: AX-0001 uploads through the day, AX-0042 did so for the last time three days ago."""
    settings.TOKEN_KEYS = ["a-key-for-the-tests"]
    made: Trial = factories.TrialFactory.create(code="STRIDE-2", is_demo=True, protocol=None)
    midnight = dt.time(0)
    factories.ProtocolFactory.create(trial=made, quiet_from=midnight, quiet_until=midnight)
    templates.templates_ensure(made)
    user = factories.UserFactory.build(email="manager@example.org")
    user.set_password(PASSWORD)
    user.save()
    factories.MembershipFactory.create(trial=made, user=user)
    site = factories.SiteFactory.create(trial=made, name="Harbour", phone="+31 20 555 0100", email="h@example.org")
    enrolled(made, site, "AX-0001", Story.WELL, now)
    contacts.contact_store(
        enrolled(made, site, "AX-0042", Story.UPLOADS_EACH_5_DAYS, now), name=NAME, email=ADDRESS, language="en"
    )
    tasks.watch()
    return made


def enrolled(trial: Trial, site: Any, study_id: str, story: Story, now: dt.datetime) -> Participant:
    """Somebody who has lived this story for nine days, as far as their device has uploaded it."""
    starts_on = now.astimezone(zoneinfo.ZoneInfo("Europe/Amsterdam")).date() - 9 * DAY
    person: Participant = factories.ParticipantFactory.create(
        trial=trial, site=site, study_id=study_id, monitoring_starts_on=starts_on
    )
    provider = next(provider for provider in SYNTHETIC_PROVIDERS if provider.live)
    device = synthetic.device_assign(
        participant=person,
        provider=provider,
        device="charge_6",
        seed=5,
        number=STORIES.index(story) + 1,
        starts_on=starts_on,
    )
    for _ in synthetic.device_pull(device.pk, now=now):
        pass
    evaluation.refresh(person, now=now)
    return person


def syncs(person: Participant, now: dt.datetime) -> None:
    """The participant opens the app: all that the device holds arrives."""
    device = SyntheticDevice.objects.select_related("participant").get(participant=person)
    provider, synthetic_participant = synthetic.provider_of(device.provider), synthetic.synthetic_participant_of(device)
    since = device.pulled_until or now - 9 * DAY
    dates = [since.date() + n * DAY for n in range((now - since).days + 3)]
    store(person, joined([provider.day(synthetic_participant, on, since, now) for on in dates]), now=now)


def beat() -> None:
    """What Celery's beat starts each minute."""
    tasks.send_due()
    tasks.close_loop()
    tasks.watch()


def hides_the_name(page: Page) -> None:
    content = page.content()
    assert not [word for word in SECRETS if word in content]


def test_from_who_is_silent_to_data_that_came_back(
    open_context: OpenContext, trial: Trial, smtp_server: FakeSmtpServer, now: dt.datetime
) -> None:
    person = Participant.objects.get(study_id="AX-0042")
    page = sign_in(open_context())
    page.get_by_role("link", name=re.compile("STRIDE-2")).first.click()

    # Who is silent?
    page.get_by_role("link", name=re.compile("^No data")).click()
    row = page.locator("[data-row=AX-0042]")
    expect(page.locator("[data-row]")).to_have_count(1)
    expect(row).to_contain_text("No data")

    # Why?
    expect(row).to_contain_text("Not yet synced")
    row.get_by_role("link", name="AX-0042", exact=True).click()
    expect(page.get_by_role("heading", name=re.compile("AX-0042"))).to_be_visible()
    expect(page.locator("main")).to_contain_text("No data")
    expect(page.locator("main")).to_contain_text(re.compile("[Nn]ot yet synced"))
    page.go_back()

    # The manager writes to the participant.
    page.get_by_role("link", name="Write e-mail: AX-0042").click()
    expect(page.get_by_role("heading", name="Write to 1 participant")).to_be_visible()
    hides_the_name(page)
    page.get_by_role("button", name="Send 1 now").click()
    expect(page.locator("#batch-words")).to_contain_text("0 of 1 sent")
    beat()
    expect(page.locator("#batch-words")).to_contain_text("1 of 1 sent")
    expect(page.get_by_role("row", name=re.compile("AX-0042"))).to_contain_text("Waiting for data")
    hides_the_name(page)
    (mail,) = smtp_server.mails
    assert mail["To"].addresses[0].addr_spec == ADDRESS
    assert "Zwaantje" in str(mail.get_body(("plain",)))

    # The manager takes the alert.
    page.goto(f"{TRIAL}alerts/")
    alert = page.get_by_role("row", name=re.compile("AX-0042"))
    alert.get_by_role("button", name="Acknowledge").click()
    expect(alert.get_by_role("button", name="Undo acknowledge")).to_be_visible()
    assert Alert.objects.get(participant=person, resolved_at=None).acknowledged_by is not None

    # The data come back, and the page that is open says so.
    page.clock.install()
    page.goto(TRIAL)
    expect(row).to_contain_text("No data")
    syncs(person, now)
    beat()
    page.clock.fast_forward(16_000)
    expect(row).to_contain_text("Well")
    page.goto(f"{TRIAL}contacts/")
    expect(page.get_by_role("row", name=re.compile("AX-0042"))).to_contain_text("Data came back after")
    page.goto(f"{TRIAL}alerts/")
    expect(page.get_by_role("row", name=re.compile("AX-0042"))).to_have_count(0)
    assert Alert.objects.get(participant=person).resolution == Alert.Resolution.RECOVERED
    assert Outreach.objects.get().back_at is not None
