"""Limits on e-mails to a participant: quiet hours, not twice in some hours, opt-out, bounces. Pure functions."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from participants.models import Participant, Protocol
from participants.privacy.contacts import Reach

# Why not at all, in the order in which it is said.
LEFT, NO_ADDRESS, OPTED_OUT, BOUNCED = "left", "no_address", "opted_out", "bounced"
# Why not yet.
GAP, QUIET = "gap", "quiet"

GONE = (Participant.Status.WITHDRAWN, Participant.Status.ERASED, Participant.Status.COMPLETED)


@dataclass(frozen=True, slots=True)
class When:
    """Time at which an e-mail may go: `at` (UTC), or never for `refused`. `held`: what it waits for, empty for now."""

    at: dt.datetime | None
    held: tuple[str, ...] = ()
    refused: str = ""

    @property
    def now(self) -> bool:
        return self.at is not None and not self.held


def refusal(status: str, reach: Reach) -> str:
    """Reason why a participant cannot be written to at all; empty where they can."""
    if status in GONE:
        return LEFT
    if reach.opted_out_at:
        return OPTED_OUT
    if not reach.has_email:
        return NO_ADDRESS
    return BOUNCED if reach.bounced_at else ""


def quiet_until(instant: dt.datetime, zone: ZoneInfo, start: dt.time, end: dt.time) -> dt.datetime | None:
    """End (UTC) of the quiet hours that an instant lies in; None outside of them, or where there are none.

    `start` and `end` are the local clock's; from evening to morning they run over midnight.
    """
    local = instant.astimezone(zone)
    clock = local.time()
    over_midnight = start > end
    inside = (clock >= start or clock < end) if over_midnight else start <= clock < end
    if not inside:
        return None
    date = local.date() + dt.timedelta(days=1 if over_midnight and clock >= start else 0)
    return dt.datetime.combine(date, end, tzinfo=zone).astimezone(dt.UTC)


def when(
    *,
    now: dt.datetime,
    zone: ZoneInfo,
    protocol: Protocol,
    refused: str,
    last_email: dt.datetime | None,
) -> When:
    """The first instant at which the limits let an e-mail go. `last_email`: the newest that went or will go."""
    if refused:
        return When(None, refused=refused)
    at, held = now, []
    free = last_email + dt.timedelta(hours=protocol.contact_gap_hours) if last_email else now
    if free > at:
        at = free
        held.append(GAP)
    end = quiet_until(at, zone, protocol.quiet_from, protocol.quiet_until)
    if end is not None:
        at = end
        held.append(QUIET)
    return When(at, tuple(held))
