"""Services for e-mails and calls to participants: store a batch, log a call, note whether data came back.

Rows are made held; dashboards.messaging.sending sends what is due. Safe to repeat: a batch reaches a participant once.
"""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Greatest

from dashboards.messaging import template_engine
from dashboards.messaging import templates as messaging_templates
from dashboards.messaging.recipients import Recipient
from dashboards.models import Alert, MessageTemplate, Outreach
from metrics.models import ParticipantStatusSummary
from metrics.monitoring import pending
from participants.audit import record
from participants.locks import locked_participant
from participants.models import Participant, User
from participants.team_texts import gettext

log = logging.getLogger(__name__)

TITLE_LENGTH = 160
REASON_LENGTH = 200


class CannotWrite(ValueError):
    """The e-mail cannot be sent as it is; the message is fit to show."""


@dataclass(frozen=True, slots=True)
class Text:
    """Subject and body of an e-mail in one language, with variables."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Written:
    """Result of a batch: rows made for now and for later, recipients who cannot be written to."""

    now: int
    held: int
    refused: int


def texts_check(texts: Mapping[str, Text]) -> None:
    """Raise CannotWrite or InvalidTemplate for a text that is empty, too long or names unknown variables."""
    for text in texts.values():
        if not text.subject.strip() or not text.body.strip():
            raise CannotWrite(gettext("Give the e-mail a subject and a text."))
        if len(text.subject) > TITLE_LENGTH:
            raise CannotWrite(
                gettext("The subject is longer than {title_length} characters.").format(title_length=TITLE_LENGTH)
            )
        template_engine.check(text.subject)
        template_engine.check(text.body)


def batch_write(
    recipients: Sequence[Recipient],
    *,
    texts: Mapping[str, Text],
    templates: Sequence[MessageTemplate],
    code: str,
    reason: str,
    by: User,
    batch: uuid.UUID,
    now: dt.datetime,
    alert: Alert | None = None,
) -> Written:
    """Store an e-mail to each recipient, to go when the limits allow it. The same batch again stores nothing.

    `texts`: by language, as they were shown to who sends; a recipient whose language is missing gets the first.
    `code`: the template's. Raises CannotWrite, InvalidTemplate.
    """
    if not settings.EMAIL_HOST:
        raise CannotWrite(gettext("This site has no mail server: its operator sets EMAIL_HOST."))
    if not reason.strip():
        raise CannotWrite(gettext("Say why you write: the log keeps the reason."))
    texts_check(texts)
    reachable = [(recipient, recipient.when.at) for recipient in recipients if recipient.when.at is not None]
    rows = []
    for recipient, at in reachable:
        language = recipient.reach.language if recipient.reach.language in texts else next(iter(texts))
        rows.append(
            Outreach(
                participant=recipient.participant,
                template=messaging_templates.in_language(templates, code, language),
                title=texts[language].subject,
                body=texts[language].body,
                language=language,
                reason=reason.strip()[:REASON_LENGTH],
                alert=alert if alert and alert.participant_id == recipient.participant.pk else None,
                by=by,
                batch=batch,
                created_at=now,
                send_after=at,
                state_at=now,
                newest_before=recipient.status_summary.last_sample_at if recipient.status_summary else None,
            )
        )
    Outreach.objects.bulk_create(rows, ignore_conflicts=True)
    for row in rows:
        record("letter.write", participant=row.participant, thing=f"letter:{batch}", reason=row.reason)
    log.info("user %s wrote to %s participants", by.pk, len(rows))
    held = sum(bool(recipient.when.held) for recipient, _ in reachable)
    return Written(len(reachable) - held, held, len(recipients) - len(reachable))


@transaction.atomic
def call_store(
    participant: Participant,
    *,
    outcome: str,
    said: str,
    reason: str,
    by: User,
    batch: uuid.UUID,
    now: dt.datetime,
    alert: Alert | None = None,
) -> None:
    """Log a call: `outcome` as a label, what was said, why. The same batch again stores nothing.

    Nothing is stored of a participant who was erased meanwhile.
    """
    if locked_participant(participant).status == Participant.Status.ERASED:
        return
    summary = ParticipantStatusSummary.objects.filter(participant=participant).first()
    call = Outreach(
        participant=participant,
        kind=Outreach.Kind.CALL,
        title=outcome[:TITLE_LENGTH],
        body=said.strip(),
        reason=reason.strip()[:REASON_LENGTH],
        alert=alert,
        by=by,
        batch=batch,
        created_at=now,
        send_after=now,
        state=Outreach.State.SENT,
        state_at=now,
        sent_at=now,
        newest_before=summary.last_sample_at if summary else None,
    )
    Outreach.objects.bulk_create([call], ignore_conflicts=True)
    record("call.log", participant=participant, thing=f"call:{batch}", new={"outcome": call.title}, reason=call.reason)


def outreach_close_loop(now: dt.datetime) -> int:
    """Note for e-mails sent and calls whether newer data have arrived since. One statement; returns how many rows."""
    pending.settle()
    summary = ParticipantStatusSummary.objects.filter(participant=OuterRef("participant"))
    newer = Q(newest_before=None) | Q(newest_before__lt=F("newest"))
    waiting = (
        Outreach.objects.filter(state=Outreach.State.SENT, back_at=None)
        .annotate(newest=Subquery(summary.values("last_sample_at")))
        .filter(newer, newest__isnull=False)
    )
    # Data that were on their way while the e-mail was sent came back at once, not before it.
    arrived = Coalesce(Subquery(summary.values("arrived_at")), now)
    return Outreach.objects.filter(pk__in=waiting.values("pk")).update(back_at=Greatest(arrived, F("sent_at")))


def without_newer_data() -> Q:
    """Condition on Outreach: sent or called, and no newer data since."""
    return Q(state=Outreach.State.SENT, back_at=None)
