"""Pending evaluations: days marked in the transaction that changed them, and evaluated right after it.

The writer marks (mark); whatever evaluates a participant takes their marks in (evaluation.refresh_many). Evaluating
many at once costs a fraction of evaluating each payload, so what stores many payloads calls `settle_batch` after each,
and beat settles the rest every few seconds. Whoever shows or hands out statuses settles first, or says how many are
`waiting`: nobody sees a status from before as final.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from metrics.models import Cause, PendingEvaluation
from metrics.monitoring import evaluation, sql
from metrics.storage.array_text import with_array_texts
from participants.models import Participant

log = logging.getLogger(__name__)

# Causes of a gap of which the source was not asked after it was over, or had nothing yet.
UNANSWERED = [cause.value for cause in (Cause.NOT_SYNCED, Cause.PLATFORM, Cause.TOKEN_DEAD, Cause.CONSENT_PARTIAL,
              Cause.NEVER_CONNECTED)]  # fmt: skip


def mark(
    participant: Participant, dates: Collection[dt.date], *, evidence_dates: Collection[dt.date], now: dt.datetime
) -> None:
    """Mark local dates of a participant, whose lock is held, as to be evaluated; `evidence_dates` as in
    evaluation.refresh. Nothing where a source answered once more, and nothing is new."""
    if not dates and not evidence_dates:
        return
    parameters: dict[str, Any] = {"participant": participant.pk, "unanswered": UNANSWERED, "now": now}
    parameters |= {"dates": sorted(dates), "evidence_dates": sorted(evidence_dates)}
    with connection.cursor() as cursor:
        cursor.execute(sql.MARK, with_array_texts(parameters))


def is_marked() -> Exists:
    """Expression for querysets of participants: whether a participant's new data are not evaluated yet."""
    return Exists(PendingEvaluation.objects.filter(participant=OuterRef("pk")))


def waiting(participants: QuerySet[Participant]) -> int:
    """How many of these participants have new data that are not evaluated yet."""
    return PendingEvaluation.objects.filter(participant__in=participants.order_by()).count()


def settle(
    participants: Iterable[int] | QuerySet[Participant] | None = None, *, now: dt.datetime | None = None
) -> None:
    """Evaluate whose days are marked, of these participants or of all, so many at a time in a transaction of its own.

    Whom somebody else is writing to right now are left out: they are settled when that is done.
    """
    rows = PendingEvaluation.objects.exclude(participant__status=Participant.Status.ERASED)
    if participants is not None:
        rows = rows.filter(participant__in=participants)
    marked = list(rows.order_by("participant").values_list("participant", flat=True))
    for start in range(0, len(marked), settings.EVALUATION_BATCH):
        _settle(marked[start : start + settings.EVALUATION_BATCH], now or timezone.now())


def settle_batch() -> None:
    """Evaluate once so many are marked that it pays; called after a payload was stored."""
    marked = PendingEvaluation.objects.values_list("participant", flat=True)[: settings.EVALUATION_BATCH]
    if len(ids := list(marked)) >= settings.EVALUATION_BATCH:
        _settle(ids, timezone.now())


def _settle(ids: Sequence[int], now: dt.datetime) -> None:
    """Evaluate these together; where that fails each alone: one who cannot be evaluated keeps nobody else waiting."""
    try:
        _evaluate(ids, now)
    except Exception:
        if len(ids) == 1:
            log.exception("participant %s could not be evaluated; their days stay marked", ids[0])
            return
        for pk in ids:
            _settle([pk], now)


@transaction.atomic
def _evaluate(ids: Sequence[int], now: dt.datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql.TRY_LOCK_ALL, {"people": sorted(ids)})
        locked = [pk for (pk,) in cursor.fetchall()]
    # Again, under the locks: another may have been faster.
    still = PendingEvaluation.objects.filter(participant__in=locked).values("participant")
    if people := list(Participant.objects.filter(pk__in=still)):
        evaluation.refresh_many(people, now=now, dates={})
