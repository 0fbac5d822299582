"""The daily digest: who needs attention and why, by e-mail, to each manager and coordinator at an hour of their choice.

Once a day for each membership, after its time of day in the trial's zone; the Digest row is the claim. A worker that
dies between the claim and the mail server leaves that day without a digest rather than with two; a mail server that
refuses is asked again every quarter of an hour until the day is over. A digest without news is sent too, and says so
in a line: a morning without mail would otherwise look the same as a mail server that is down.

Study ids only: no name, no address, no data. A member of one site reads of that site alone.
"""

from __future__ import annotations

import datetime as dt
import smtplib
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse

from dashboards.alerts import labels, listing
from dashboards.alerts.differences import WATCHED
from dashboards.alerts.engine import most_urgent_first
from dashboards.models import Alert, Digest, Outreach
from dashboards.trial_overview.open_alerts import awake
from dashboards.ui import gap_labels
from dashboards.ui.formatting import clock
from dashboards.ui.status_labels import BADGES, CAUSES
from metrics.models import Cause, ParticipantStatusSummary
from metrics.monitoring import pending, status
from metrics.monitoring.status import ATTENTION, AttentionStatus
from participants.models import Membership, Participant, Trial
from participants.team_texts import gettext, ngettext

ROLES = (Membership.Role.MANAGER, Membership.Role.COORDINATOR)
MOST = 20  # rows of a part; the page has the rest
AGAIN_AFTER = dt.timedelta(minutes=15)
LOOKS_BACK = dt.timedelta(days=1)  # of the first digest, and after days without one


def due(now: dt.datetime) -> list[tuple[int, dt.date]]:
    """Memberships whose digest of today (a date in the trial's zone) is to be sent: (id, date). Two queries."""
    current = Membership.objects.filter(
        ended_at=None,
        role__in=ROLES,
        digest_at__isnull=False,
        started_at__lte=now,
        trial__status__in=WATCHED,
        user__is_active=True,
        user__is_service=False,
    )
    times = current.order_by("pk").values_list("pk", "digest_at", "trial__time_zone")
    ripe = []
    for pk, digest_at, zone in times:
        local = now.astimezone(ZoneInfo(zone))
        if digest_at is not None and local.time().replace(tzinfo=None) >= digest_at:
            ripe.append((pk, local.date()))
    days = {on for _, on in ripe}
    done = Digest.objects.filter(on__in=days).exclude(_open(now))
    over = set(done.values_list("membership_id", "on"))
    return [key for key in ripe if key not in over]


def _open(now: dt.datetime) -> Q:
    """Digests that were claimed and refused by the mail server a while ago: they may be claimed once more."""
    return Q(sent_at=None, claimed_at__lte=now - AGAIN_AFTER) & ~Q(error="")


def claim(membership_id: int, on: dt.date, now: dt.datetime) -> Digest | None:
    """Take a digest to send it. None: another worker has it."""
    digest, made = Digest.objects.get_or_create(membership_id=membership_id, on=on, defaults={"claimed_at": now})
    if made:
        return digest
    again = Digest.objects.filter(_open(now), pk=digest.pk).update(claimed_at=now, error="")
    return Digest.objects.get(pk=digest.pk) if again else None


def send(digest: Digest, now: dt.datetime) -> bool:
    """Send a claimed digest. False if the mail server refused; the reason stands in its row."""
    try:
        message(digest, now).send()
    except (smtplib.SMTPException, OSError) as error:
        Digest.objects.filter(pk=digest.pk).update(error=f"{type(error).__name__}: {error}"[:200])
        return False
    Digest.objects.filter(pk=digest.pk).update(sent_at=now, error="")
    return True


@dataclass(frozen=True, slots=True)
class DigestRow:
    """A participant in a digest: study id, status or time, why; `address` is that of the participant's page."""

    study_id: str
    status: str
    why: str
    address: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a digest: its first rows, and how many more there are."""

    title: str
    rows: list[DigestRow]
    more: int


@dataclass(frozen=True, slots=True)
class Content:
    """Content of a digest. `news` is empty on a day without any."""

    trial: Trial
    site: str
    on: dt.date
    attention: int
    counts: list[tuple[str, int]]
    assigned: int
    parts: list[Part]

    @property
    def news(self) -> bool:
        return bool(self.parts)


def message(digest: Digest, now: dt.datetime) -> EmailMultiAlternatives:
    """The e-mail, as text and as HTML."""
    member = Membership.objects.select_related("trial", "site", "user").get(pk=digest.membership_id)
    pending.settle(Participant.objects.filter(trial=member.trial))
    digest_content = content(member, digest.on, now)
    code = member.trial.code
    shown = {
        "digest": digest_content,
        "trial_url": settings.PUBLIC_URL + reverse("dashboards:trial", args=[code]),
        "alerts_url": settings.PUBLIC_URL + reverse("dashboards:alerts", args=[code]),
        "settings_url": settings.PUBLIC_URL + reverse("dashboards:digests"),
    }
    n = digest_content.attention
    subject = ngettext("{code}: {n:,} needs attention", "{code}: {n:,} need attention", n).format(code=code, n=n)
    if not n:
        subject = gettext("{code}: nobody needs attention").format(code=code)
    mail = EmailMultiAlternatives(
        subject=subject,
        body=render_to_string("dashboards/alerts/mail/digest.txt", shown),
        to=[member.user.email],
        headers={"Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(render_to_string("dashboards/alerts/mail/digest.html", shown), "text/html")
    return mail


def content(member: Membership, on: dt.date, now: dt.datetime) -> Content:
    """Content of a member's digest, about the participants that this membership shows. A fixed number of queries."""
    trial = member.trial
    people = Participant.objects.visible_to(member.user).filter(trial=trial)
    if member.site_id:
        people = people.filter(site=member.site)
    alerts = Alert.objects.filter(participant__in=people)
    since = _since(member, now)
    in_digest = people.exclude(status.no_news(now))
    counts = status.counts(in_digest, now)
    parts = [
        _part(gettext("Who needs attention"), *_attention(in_digest, now)),
        _part(gettext("New"), *_alerts(alerts.filter(raised_at__gt=since, resolved_at=None), now)),
        _part(
            gettext("Resolved by themselves"),
            *_alerts(alerts.filter(resolved_at__gt=since, resolution="recovered"), now),
        ),
        _part(gettext("Data came back after a contact"), *_back(people, since, now)),
    ]
    return Content(
        trial=trial,
        site=member.site.name if member.site else "",
        on=on,
        attention=counts.attention,
        counts=[
            (BADGES[attention_status].label, counts[attention_status])
            for attention_status in ATTENTION
            if counts[attention_status]
        ],
        assigned=alerts.filter(awake(now), assigned_to=member.user).count(),
        parts=[part for part in parts if part.rows],
    )


def _since(member: Membership, now: dt.datetime) -> dt.datetime:
    """Instant from which things are new: the last digest that was sent, but no more than a day ago."""
    last = member.digests.exclude(sent_at=None).order_by("-on").values_list("claimed_at", flat=True).first()
    return max(last, now - LOOKS_BACK) if last else now - LOOKS_BACK


def _part(title: str, rows: list[DigestRow], total: int) -> Part:
    return Part(title, rows, total - len(rows))


def _address(participant: Any) -> str:
    code = participant.trial.code
    return f"{settings.PUBLIC_URL}{reverse('dashboards:participant', args=[code, participant.study_id])}"


def _attention(people: QuerySet[Participant], now: dt.datetime) -> tuple[list[DigestRow], int]:
    """Participants who need attention, as the trial's page orders them."""
    need_attention = status.with_attention_status(people, now).filter(attention_status__in=ATTENTION)
    first = status.most_urgent_first(need_attention).select_related("status_summary", "trial")[:MOST]
    rows = [
        DigestRow(p.study_id, BADGES[AttentionStatus(p.attention_status)].label, _why(p, now), _address(p))
        for p in first
    ]
    return rows, need_attention.count() if len(rows) == MOST else len(rows)


def _why(participant: Any, now: dt.datetime) -> str:
    summary: ParticipantStatusSummary = participant.status_summary
    zone = ZoneInfo(participant.time_zone)
    if summary.cause:
        since = summary.cause_since
        after = f" {gap_labels.since(since, zone=zone, now=now)}" if since else ""
        return f"{CAUSES[Cause(summary.cause)][0]}{after}"
    if summary.low_wear:
        return gettext("Adherence {adherence}, target {target}").format(
            adherence=labels.percent(summary.adherence), target=labels.percent(summary.target)
        )
    if summary.low_sleep and summary.nights_recorded is not None:
        return gettext("{nights_recorded} of 7 nights").format(nights_recorded=summary.nights_recorded)
    return ""


def _alerts(alerts: QuerySet[Alert], now: dt.datetime) -> tuple[list[DigestRow], int]:
    first = listing.with_related_rows(most_urgent_first(alerts)).select_related("participant__trial")[:MOST]
    rows = []
    for alert in first:
        participant: Any = alert.participant
        headline = labels.headline(alert, ZoneInfo(participant.time_zone), now)
        level = alert.get_level_display().capitalize()
        rows.append(DigestRow(participant.study_id, level, headline, _address(participant)))
    return rows, alerts.count() if len(rows) == MOST else len(rows)


def _back(people: QuerySet[Participant], since: dt.datetime, now: dt.datetime) -> tuple[list[DigestRow], int]:
    answered = Outreach.objects.filter(participant__in=people, back_at__gt=since).order_by("-back_at")
    rows = []
    for contact in answered.select_related("participant__trial")[:MOST]:
        participant: Any = contact.participant
        at = clock(contact.back_at or now, now, ZoneInfo(participant.time_zone))
        rows.append(
            DigestRow(
                participant.study_id,
                contact.get_kind_display().capitalize(),
                gettext("back {at}").format(at=at),
                _address(participant),
            )
        )
    return rows, answered.count() if len(rows) == MOST else len(rows)
