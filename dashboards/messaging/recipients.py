"""Recipients of an e-mail: their status, the e-mails before, when an e-mail may go.

A fixed number of queries, whatever their number; nobody's name or address is opened.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db.models import Max, QuerySet
from django.db.models.functions import Coalesce

from dashboards.messaging import contact_limits
from dashboards.models import MessageTemplate, Outreach
from metrics.models import Access, Cause, ParticipantStatusSummary
from metrics.monitoring.status import AttentionStatus, with_attention_status
from participants.models import Participant, Protocol, Trial
from participants.privacy import contacts

MOST = 2_000  # recipients of one batch
WRITTEN = (Outreach.State.SENT, Outreach.State.SENDING, Outreach.State.HELD)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Participant as the compose page sees them. `last_email` is the newest that went or will go, UTC."""

    participant: Participant
    status_summary: ParticipantStatusSummary | None
    attention_status: AttentionStatus
    cause: str
    reach: contacts.Reach
    last_email: dt.datetime | None
    when: contact_limits.When

    @property
    def study_id(self) -> str:
        return self.participant.study_id

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.participant.time_zone)


def protocol_now(trial: Trial, now: dt.datetime) -> Protocol:
    """The trial's protocol in force today; the defaults where it has none."""
    today = now.astimezone(ZoneInfo(trial.time_zone)).date()
    return trial.protocols.in_force(today).first() or Protocol(trial=trial)


def cause_of(status_summary: ParticipantStatusSummary | None, attention_status: AttentionStatus) -> str:
    """Cause that an e-mail to a participant should be about; empty where no data are missing."""
    if status_summary is None or attention_status in (
        AttentionStatus.PAUSED,
        AttentionStatus.COMPLETED,
        AttentionStatus.WITHDRAWN,
    ):
        return ""
    by_access = {
        Access.NEVER: Cause.NEVER_CONNECTED,
        Access.DEAD: Cause.TOKEN_DEAD,
        Access.PARTIAL: Cause.CONSENT_PARTIAL,
    }
    if status_summary.access in by_access:
        return str(by_access[Access(status_summary.access)])
    if attention_status in (AttentionStatus.LOW_WEAR, AttentionStatus.LOW_SLEEP):
        return str(Cause.OFF_WRIST)
    return status_summary.cause if attention_status in (AttentionStatus.CRITICAL, AttentionStatus.SILENT) else ""


def last_emails(people: Iterable[int]) -> dict[int, dt.datetime]:
    """Times (UTC) of the newest e-mail to each participant that went or will go, by primary key. One query."""
    written = Outreach.objects.filter(participant__in=people, kind=Outreach.Kind.EMAIL, state__in=WRITTEN)
    rows = written.order_by().values("participant").annotate(last=Max(Coalesce("sent_at", "send_after")))
    return {row["participant"]: row["last"] for row in rows}


def recipients(people: QuerySet[Participant], trial: Trial, now: dt.datetime) -> list[Recipient]:
    """The people (of one trial) as recipients, the most urgent first. Three queries."""
    rows = list(
        with_attention_status(people, now)
        .select_related("status_summary", "contact", "site")
        .order_by("attention_status", "study_id")[:MOST]
    )
    last = last_emails([row.pk for row in rows])
    protocol = protocol_now(trial, now)
    return [_recipient(row, trial, protocol, last.get(row.pk), now) for row in rows]


def _recipient(
    person: Participant, trial: Trial, protocol: Protocol, last: dt.datetime | None, now: dt.datetime
) -> Recipient:
    person.trial = trial
    status_summary = getattr(person, "status_summary", None)
    reach = contacts.reach(getattr(person, "contact", None))
    attention_status = AttentionStatus(person.attention_status)  # type: ignore[attr-defined]  # annotated
    return Recipient(
        participant=person,
        status_summary=status_summary,
        attention_status=attention_status,
        cause=cause_of(status_summary, attention_status),
        reach=reach,
        last_email=last,
        when=contact_limits.when(
            now=now,
            zone=ZoneInfo(person.time_zone),
            protocol=protocol,
            refused=contact_limits.refusal(person.status, reach),
            last_email=last,
        ),
    )


def fits(template: MessageTemplate, cause: str) -> bool:
    """Whether a template is about a cause. One without causes fits any; without a cause any template fits."""
    return not template.causes or not cause or cause in template.causes


def fitting(templates: Iterable[MessageTemplate], cause: str) -> MessageTemplate | None:
    """First template that names the cause; None without one."""
    return next((template for template in templates if cause and cause in template.causes), None)
