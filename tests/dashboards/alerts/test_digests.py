"""The daily digest: once, at the right hour, and what it says to whom."""

from __future__ import annotations

import datetime as dt
import smtplib
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.test import Client

from dashboards import tasks
from dashboards.alerts import digests
from dashboards.models import Digest, Outreach
from metrics.models import Cause
from participants.models import Membership, Participant, Trial
from tests import factories

NOW = dt.datetime(2026, 11, 23, 8, 12, tzinfo=dt.UTC)


@pytest.fixture
def member(trial: Trial) -> Membership:
    made: Membership = factories.MembershipFactory.create(trial=trial, started_at="2026-01-01T00:00Z")
    return made


def at(hour: int, minute: int = 0, *, day: int = 23, month: int = 11) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, minute, tzinfo=dt.UTC)


def text(member: Membership, now: dt.datetime = NOW) -> str:
    digest = digests.claim(member.pk, now.date(), now)
    assert digest is not None
    assert digests.send(digest, now)
    return str(mail.outbox[-1].body).replace("\u00a0", " ")


CLOCKS: dict[str, tuple[str, dt.time, dt.datetime, bool]] = {
    "before seven in Amsterdam": ("Europe/Amsterdam", dt.time(7), at(5, 59), False),
    "seven in Amsterdam": ("Europe/Amsterdam", dt.time(7), at(6, 0), True),
    "seven in New York": ("America/New_York", dt.time(7), at(12, 0), True),
    "before seven in New York": ("America/New_York", dt.time(7), at(11, 59), False),
    "summer in Amsterdam": ("Europe/Amsterdam", dt.time(7), at(5, 0, month=7), True),
    "an hour that clocks leap over": ("Europe/Amsterdam", dt.time(2, 30), at(1, 0, day=29, month=3), True),
    "before that hour": ("Europe/Amsterdam", dt.time(2, 30), at(0, 59, day=29, month=3), False),
    "late in the day after an outage": ("Europe/Amsterdam", dt.time(7), at(22, 0), True),
}


@pytest.mark.parametrize(("zone", "time", "now", "expected"), CLOCKS.values(), ids=CLOCKS)
def test_it_is_due_at_its_time_of_day_in_the_trials_zone(
    trial: Trial, member: Membership, zone: str, time: dt.time, now: dt.datetime, expected: bool
) -> None:
    Trial.objects.update(time_zone=zone)
    Membership.objects.update(digest_at=time)
    assert bool(digests.due(now)) is expected


def test_an_hour_that_comes_twice_brings_one(trial: Trial, member: Membership) -> None:
    Membership.objects.update(digest_at=dt.time(2, 30))
    first = at(0, 30, day=25, month=10)  # 02:30, and an hour later again
    for now in (first, first + dt.timedelta(hours=1)):
        for pk, on in digests.due(now):
            assert digests.claim(pk, on, now)
    assert Digest.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"digest_at": None},
        {"role": Membership.Role.VIEWER},
        {"role": Membership.Role.ANALYST},
        {"ended_at": NOW},
        {"started_at": NOW + dt.timedelta(days=1)},
    ],
    ids=str,
)
def test_who_gets_none(member: Membership, changes: dict[str, Any]) -> None:
    Membership.objects.update(**changes)
    assert digests.due(NOW) == []


@pytest.mark.parametrize("status", [Trial.Status.DRAFT, Trial.Status.CLOSED])
def test_a_trial_that_does_not_run_sends_none(member: Membership, status: str) -> None:
    Trial.objects.update(status=status)
    assert digests.due(NOW) == []


@pytest.mark.usefixtures("_now")
def test_the_task_run_twice_sends_one(member: Membership) -> None:
    tasks.send_digests()
    tasks.send_digests()
    assert [message.to for message in mail.outbox] == [[member.user.email]]
    assert Digest.objects.get().sent_at == NOW


def test_a_claim_is_had_once(member: Membership) -> None:
    assert digests.claim(member.pk, NOW.date(), NOW)
    assert digests.claim(member.pk, NOW.date(), NOW + dt.timedelta(hours=1)) is None


def test_what_the_mail_server_refuses_is_tried_again(member: Membership, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: EmailMultiAlternatives) -> int:
        raise smtplib.SMTPServerDisconnected("gone")

    digest = digests.claim(member.pk, NOW.date(), NOW)
    assert digest
    with monkeypatch.context() as patched:
        patched.setattr(EmailMultiAlternatives, "send", refuse)
        assert not digests.send(digest, NOW)
    assert "gone" in Digest.objects.get().error
    assert digests.due(NOW + dt.timedelta(minutes=5)) == []
    later = NOW + dt.timedelta(minutes=15)
    assert digests.due(later) == [(member.pk, NOW.date())]
    again = digests.claim(member.pk, NOW.date(), later)
    assert again
    assert digests.send(again, later)
    assert len(mail.outbox) == 1


def test_a_day_without_news_is_said_in_a_line(member: Membership) -> None:
    said = text(member)
    assert mail.outbox[0].subject == "STRIDE-2: nobody needs attention"
    assert "Nobody needs attention. Nothing new since yesterday." in said


def test_it_says_who_needs_attention_and_why(participant: Participant, member: Membership) -> None:
    last = NOW - dt.timedelta(hours=60)
    factories.ParticipantStatusSummaryFactory.create(
        participant=participant, silent_at=NOW - dt.timedelta(hours=12), cause=Cause.NOT_SYNCED, cause_since=last
    )
    said = text(member)
    assert mail.outbox[0].subject == "STRIDE-2: 1 needs attention"
    assert "- AX-0042: No data. Not yet synced since Fri 21:12" in said


def test_it_tells_what_is_new_what_is_over_and_who_came_back(participant: Participant, member: Membership) -> None:
    create = factories.AlertFactory.create
    recent, old = NOW - dt.timedelta(hours=3), NOW - dt.timedelta(days=3)
    create(participant=participant, rule="low_sleep", raised_at=recent, facts={"nights": 2})
    create(participant=participant, rule="reconnect", raised_at=old, facts={"access": "dead"})
    create(participant=participant, rule="low_wear", raised_at=old, resolved_at=recent, resolution="recovered")
    create(participant=participant, rule="low_wear", raised_at=old, resolved_at=recent, resolution="excused")
    Outreach.objects.create(
        participant=participant, title="Please sync", reason="silent", created_at=old, send_after=old, state_at=old,
        state="sent", back_at=recent,
    )  # fmt: skip
    said = text(member)
    assert "2 main sleeps in 7 nights" in said
    assert "Access ended" not in said
    assert said.count("AX-0042: Warning") == 2
    assert "DATA CAME BACK AFTER A CONTACT\n- AX-0042: E-mail. back today, 06:12" in said


def test_it_is_sent_as_text_and_as_html_with_addresses_of_the_site(
    participant: Participant, member: Membership, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://trials.example.org"
    factories.ParticipantStatusSummaryFactory.create(participant=participant, low_wear=True)
    said = text(member)
    message: Any = mail.outbox[0]
    html, kind = message.alternatives[0]
    assert kind == "text/html"
    assert "https://trials.example.org/trials/STRIDE-2/alerts/" in said
    assert 'href="https://trials.example.org/trials/STRIDE-2/participants/AX-0042/"' in html


def test_a_site_member_reads_of_that_site_only(trial: Trial, participant: Participant) -> None:
    here, there = factories.SiteFactory.create_batch(2, trial=trial)
    Participant.objects.update(site=there)
    factories.ParticipantStatusSummaryFactory.create(participant=participant, low_wear=True)
    factories.AlertFactory.create(participant=participant, raised_at=NOW)
    local = factories.MembershipFactory.create(trial=trial, site=here, started_at="2026-01-01T00:00Z")
    said = text(local)
    assert here.name in said
    assert "AX-0042" not in said
    assert "Nobody needs attention" in said


def test_a_member_stores_their_own_times_only(manager: Client, trial: Trial) -> None:
    mine = Membership.objects.get()
    other = factories.MembershipFactory.create(trial=trial)
    manager.post("/digests/", {f"at-{mine.pk}": "06:45", f"at-{other.pk}": "03:00"})
    mine.refresh_from_db()
    other.refresh_from_db()
    assert (mine.digest_at, other.digest_at) == (dt.time(6, 45), dt.time(7))
    manager.post("/digests/", {f"at-{mine.pk}": ""})
    mine.refresh_from_db()
    assert mine.digest_at is None


def test_a_time_that_is_none_is_refused(manager: Client, trial: Trial) -> None:
    mine = Membership.objects.get()
    assert manager.post("/digests/", {f"at-{mine.pk}": "soon"}).status_code == 400
    mine.refresh_from_db()
    assert mine.digest_at == dt.time(7)


def test_a_viewer_has_nothing_to_set(client: Client, trial: Trial) -> None:
    client.force_login(factories.MembershipFactory.create(trial=trial, role=Membership.Role.VIEWER).user)
    assert "No digest for you" in client.get("/digests/").content.decode()
