"""Sending of due e-mails by SMTP: claim, check the limits again, send, save the result.

An e-mail is never sent twice. What is claimed is gone from the queue; where a worker is killed, or the server falls
silent after it may have taken the message, the row says so and the team decides. No log line holds a name or address.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable
from email.utils import make_msgid, parseaddr
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import F, Max, Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from dashboards.messaging import contact_limits, email_builder, smtp, template_engine
from dashboards.messaging.recipients import protocol_now
from dashboards.models import Outreach
from metrics.models import Cause, ParticipantStatusSummary
from participants.models import Contact
from participants.privacy import contacts, encryption
from participants.task_queue import enqueue

log = logging.getLogger(__name__)

State = Outreach.State
# Minutes until the next attempt after the first, second, ... that failed for the time being.
BACKOFF = (1, 5, 15, 60, 240)
# Longer than any attempt takes: who still sends then was killed.
STALE = dt.timedelta(minutes=10)
SECONDS = 50.0  # of one run of send_due: the next minute's goes on
BATCH = 500

# As stored, and told by the API; pages say them in other words (labels.PLAIN).
REFUSALS = {
    contact_limits.LEFT: "she has left the trial",
    contact_limits.NO_ADDRESS: "no e-mail address is stored",
    contact_limits.OPTED_OUT: "she wants no more reminders",
    contact_limits.BOUNCED: "her address refuses mail",
}
CAME_BACK = "data came back before it was due"
MAY_HAVE_GONE = "may have gone out: the worker was ended while it sent this"


def send_soon() -> None:
    """Queue the sending now. Without a broker the next scheduled run sends what is due."""
    try:
        enqueue("dashboards.send_due")
    except OperationalError:
        log.warning("e-mails could not be queued, the broker is away: they go with the next minute's run")


def send_due(*, clock: Callable[[], dt.datetime] = timezone.now, seconds: float = SECONDS) -> int:
    """Send what is due, the longest due first, for so many seconds. Returns how many were sent."""
    release_stale(clock())
    until = time.monotonic() + seconds
    due = Outreach.objects.filter(kind=Outreach.Kind.EMAIL, state=State.HELD, send_after__lte=clock())
    sent = 0
    for pk in list(due.order_by("send_after", "pk").values_list("pk", flat=True)[:BATCH]):
        if time.monotonic() > until:
            break
        sent += send_one(pk, clock=clock)
    return sent


def release_stale(now: dt.datetime) -> int:
    """Mark e-mails as failed that were "being sent" for too long. Returns how many: they may have gone out."""
    stale = Outreach.objects.filter(state=State.SENDING, state_at__lt=now - STALE)
    if count := stale.update(state=State.FAILED, state_at=now, state_reason=MAY_HAVE_GONE):
        log.warning("%s e-mails may or may not have gone out: their workers were ended", count)
    return count


def send_one(pk: int, *, clock: Callable[[], dt.datetime] = timezone.now) -> bool:
    """Send one e-mail if it is due and the limits allow it now. Returns whether it was sent."""
    row = claim(pk, clock())
    if row is None:
        return False
    try:
        email = email_builder.built(row, clock())
    except (
        template_engine.InvalidTemplate,
        email_builder.NoLink,
        encryption.CannotDecrypt,
        ImproperlyConfigured,
    ) as fault:
        _move(row, State.FAILED, f"not sent: {fault}", clock())
        return False
    try:
        smtp.deliver(email.message)
    except smtp.NotNow as fault:
        _again(row, str(fault), clock())
    except smtp.Refused as fault:
        if fault.address:
            contacts.bounced(row.participant, str(fault), now=clock())
        _move(row, State.BOUNCED if fault.address else State.FAILED, str(fault), clock())
    except smtp.Unsure as fault:
        _move(row, State.FAILED, f"may have gone out: {fault}", clock())
    else:
        now = clock()
        kept = {"title": email.title, "body": email.body, "sent_at": now}
        return _move(row, State.SENT, "", now, **kept)
    return False


def claim(pk: int, now: dt.datetime) -> Outreach | None:
    """Take an e-mail out of the queue, or put it off or drop it as the limits say at this moment.

    The contact's row is locked meanwhile, so that two e-mails to one participant are checked one after the other.
    """
    with transaction.atomic():
        row = (
            Outreach.objects.filter(pk=pk, kind=Outreach.Kind.EMAIL, state=State.HELD, send_after__lte=now)
            .select_related("participant__trial", "participant__site", "participant__status_summary", "template")
            .first()
        )
        if row is None:
            return None
        contact = Contact.objects.select_for_update().filter(participant=row.participant).first()
        if why := _no_reason_any_more(row, contact):
            Outreach.objects.filter(pk=pk, state=State.HELD).update(state=State.DROPPED, state_at=now, state_reason=why)
            log.info("outreach %s dropped", pk)
            return None
        allowed = _allowed(row, now)
        if allowed.at and allowed.at > now:
            Outreach.objects.filter(pk=pk, state=State.HELD).update(
                send_after=allowed.at, state_reason=f"held by {' and '.join(HOLDS[why] for why in allowed.held)}"
            )
            return None
        summary = getattr(row.participant, "status_summary", None)
        claimed = Outreach.objects.filter(pk=pk, state=State.HELD).update(
            state=State.SENDING,
            state_at=now,
            attempts=F("attempts") + 1,
            message_id=make_msgid(domain=_domain()),
            newest_before=summary.last_sample_at if summary else None,
        )
        if not claimed:
            return None
        row.refresh_from_db(fields=["state", "attempts", "message_id", "newest_before"])
        return row


HOLDS = {contact_limits.GAP: "the e-mail before it", contact_limits.QUIET: "quiet hours"}


def _no_reason_any_more(row: Outreach, contact: Contact | None) -> str:
    """Reason why a held e-mail is not sent at all; empty where it is."""
    if refused := contact_limits.refusal(row.participant.status, contacts.reach(contact)):
        return REFUSALS[refused]
    return CAME_BACK if asks_for_data(row) and _came_back(row) else ""


def asks_for_data(row: Outreach) -> bool:
    """Whether new data make the e-mail needless. An upload does not answer one that asks to wear the device."""
    causes = row.template.causes if row.template else []
    return any(cause != Cause.OFF_WRIST for cause in causes)


def _came_back(row: Outreach) -> bool:
    summary: ParticipantStatusSummary | None = getattr(row.participant, "status_summary", None)
    if summary is None or summary.last_sample_at is None:
        return False
    return row.newest_before is None or summary.last_sample_at > row.newest_before


def _allowed(row: Outreach, now: dt.datetime) -> contact_limits.When:
    went = Q(state__in=(State.SENT, State.SENDING), kind=Outreach.Kind.EMAIL)
    others = row.participant.outreaches.filter(went).exclude(pk=row.pk)
    sent_at = others.order_by().aggregate(last=Max("state_at"))["last"]
    return contact_limits.when(
        now=now,
        zone=ZoneInfo(row.participant.time_zone),
        protocol=protocol_now(row.participant.trial, now),
        refused="",
        last_email=sent_at,
    )


def _domain() -> str:
    address = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    return address.rpartition("@")[2] or "localhost"


def _again(row: Outreach, why: str, now: dt.datetime) -> None:
    """Put an e-mail back into the queue with a growing pause; after the last attempt it has failed."""
    if row.attempts > len(BACKOFF):
        _move(row, State.FAILED, f"given up after {row.attempts} attempts: {why}", now)
        return
    wait = BACKOFF[row.attempts - 1]
    _move(
        row,
        State.HELD,
        f"attempt {row.attempts} failed: {why}",
        now,
        send_after=now + dt.timedelta(minutes=wait),
    )


def _move(row: Outreach, state: str, why: str, now: dt.datetime, **fields: object) -> bool:
    """Change an e-mail's state from "being sent", unless another worker has given it up meanwhile."""
    moved = Outreach.objects.filter(pk=row.pk, state=State.SENDING).update(
        state=state, state_at=now, state_reason=why[:200], **fields
    )
    log.info("outreach %s: %s", row.pk, state)
    return bool(moved)
