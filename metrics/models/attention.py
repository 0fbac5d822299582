"""Attention status: who needs attention and why. Its rules, over the columns of a participant status summary.

Two statuses come with the clock: no data, and critical. All others last until the summary is written again. So each
summary holds what lasts and the instants from which the two are true, in columns that the database computes whenever
the row is written, by whomever; the status at any instant follows from these (metrics.monitoring.status), and nobody
has to come by when an instant passes.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Case, Expression, F, Q, Value, When

from metrics.models.statuses import Access, AttentionStatus, Exclusion

_MONITORED = Q(excused="")
# Of whom silence counts: while data are held up through a fault of ours or the vendor's, it says nothing.
_HEARD = _MONITORED & Q(waiting=False)

# Conditions that last, over ParticipantStatusSummary; several may be true of one participant.
LASTING: dict[AttentionStatus, Q] = {
    AttentionStatus.RECONNECT: _MONITORED & Q(access__in=[Access.DEAD.value, Access.PARTIAL.value]),
    AttentionStatus.UNCONNECTED: _MONITORED & Q(access=Access.NEVER.value),
    AttentionStatus.LOW_WEAR: _MONITORED & Q(low_wear=True),
    AttentionStatus.LOW_SLEEP: _MONITORED & Q(low_sleep__gt=0),
    AttentionStatus.WAITING: _MONITORED & Q(waiting=True),
    AttentionStatus.PAUSED: Q(excused=Exclusion.PAUSED.value),
    AttentionStatus.COMPLETED: Q(excused=Exclusion.AFTER_END.value),
    AttentionStatus.WITHDRAWN: Q(excused=Exclusion.WITHDRAWN.value),
}


def bit(attention_status: AttentionStatus) -> int:
    """Bit of a status in `lasting_statuses`."""
    return 1 << attention_status.value


def lasting_status() -> Expression:
    """The most urgent status that lasts. Before their monitoring begins, participants are well."""
    whens = [When(condition, then=Value(status.value)) for status, condition in LASTING.items()]
    return Case(*whens, default=Value(AttentionStatus.WELL.value), output_field=models.SmallIntegerField())


def lasting_statuses() -> Expression:
    """All statuses that last, a bit each."""
    bits = [
        Case(When(condition, then=Value(bit(status))), default=Value(0), output_field=models.SmallIntegerField())
        for status, condition in LASTING.items()
    ]
    total: Expression = bits[0]
    for one in bits[1:]:
        total = total + one
    return total


def while_heard(instant: str) -> Expression:
    """An instant from which silence counts, null of whom it does not."""
    return Case(When(_HEARD, then=F(instant)), output_field=models.DateTimeField())
