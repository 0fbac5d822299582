"""A trial with participants who can be written to, and a real SMTP server that takes, refuses or puts off mail."""

from __future__ import annotations

import datetime as dt
import socket
from collections.abc import Callable, Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.test import Client

from dashboards.models import Outreach
from metrics.models import Access, Cause
from participants.models import Participant, Site, Trial
from participants.privacy import contacts
from tests import factories

# Monday, 09:12 in Amsterdam.
NOW = dt.datetime(2026, 11, 23, 8, 12, tzinfo=dt.UTC)


class FakeSmtpServer:
    """The server's handler. `answers`: local part of an address -> what RCPT is told."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.on_data = "250 OK"
        self.raw: list[bytes] = []

    @property
    def mails(self) -> list[EmailMessage]:
        parser = BytesParser(_class=EmailMessage, policy=policy.default)
        return [parser.parsebytes(raw) for raw in self.raw]

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        answer = self.answers.get(address.partition("@")[0], "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.on_data.startswith("250"):
            self.raw.append(envelope.content)
        return self.on_data


def part(mail: EmailMessage, kind: str) -> str:
    """The text of a mail's part: plain or html."""
    body = mail.get_body((kind,))
    assert body is not None
    text: str = body.get_content()
    return text


@pytest.fixture
def smtp_server(settings: Any) -> Iterator[FakeSmtpServer]:
    handler = FakeSmtpServer()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Controller(handler, hostname="127.0.0.1", port=port)
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 5
    settings.DEFAULT_FROM_EMAIL = "Trials <trials@site.example>"
    settings.PUBLIC_URL = "https://trials.site.example"
    yield handler
    server.stop()


@pytest.fixture(autouse=True)
def _keys(settings: Any) -> None:
    settings.TOKEN_KEYS = ["a-key-for-the-tests"]


@pytest.fixture
def trial(db: None) -> Trial:
    made: Trial = factories.TrialFactory.create(code="STRIDE-2")
    return made


@pytest.fixture
def site(trial: Trial) -> Site:
    made: Site = factories.SiteFactory.create(
        trial=trial, code="HARB", name="Harbour", phone="+31 20 555 0100", email="harbour@site.example"
    )
    return made


@pytest.fixture
def enrol(trial: Trial, site: Site) -> Callable[..., Participant]:
    """A silent participant with a contact: five days without an upload, unless told otherwise."""

    def make(study_id: str, *, language: str = "en", email: str | None = None, **summary: Any) -> Participant:
        person: Participant = factories.ParticipantFactory.create(trial=trial, site=site, study_id=study_id)
        last = NOW - dt.timedelta(days=3)
        values = {
            "last_sample_at": last,
            "arrived_at": last,
            "silent_at": last + dt.timedelta(hours=48),
            "critical_at": last + dt.timedelta(hours=120),
            "overwritten_at": last + dt.timedelta(days=7),
            "cause": Cause.NOT_SYNCED,
            "cause_since": last,
            "device_model": "Band 4",
            "access": Access.OK,
            **summary,
        }
        factories.ParticipantStatusSummaryFactory.create(participant=person, **values)
        address = f"{study_id.lower()}@example.org" if email is None else email
        contacts.contact_store(
            person, name="Zwaantje Quickenborne", email=address, phone="+31 6 555 77777", language=language
        )
        return person

    return make


@pytest.fixture
def manager(client: Client, trial: Trial) -> Client:
    client.force_login(factories.MembershipFactory.create(trial=trial, user__email="manager@site.example").user)
    return client


def held(person: Participant, **fields: Any) -> Outreach:
    """An e-mail that is due."""
    values = {
        "participant": person,
        "title": "A check for {{ first_name }}",
        "body": "Dear {{ first_name }},\n\nNothing since {{ last_upload }}.\n\n{{ site_name }}, {{ site_phone }}",
        "language": "en",
        "reason": "silent",
        "created_at": NOW,
        "send_after": NOW,
        "state_at": NOW,
        "newest_before": person.status_summary.last_sample_at,
        **fields,
    }
    return Outreach.objects.create(**values)
