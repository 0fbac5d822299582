"""Evaluation of local days: status, its history, the gaps with their causes, and participants' status summaries.

The one writer of ParticipantDay, DayStatusHistory, Gap and ParticipantStatusSummary. Called by
everything that changes what is known of a participant, in the caller's transaction; for what the writer marked, right
after its transaction (metrics.monitoring.pending); by a task each hour, since days also change with the clock.
Evaluating twice changes nothing. Rules: metrics/monitoring/rules.py and gaps.py; what is
read: day_inputs.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping

from django.db import connection, transaction
from django.utils import timezone

from metrics.monitoring import day_inputs, day_store, evidence, sql, status_store
from metrics.monitoring.day_store import Change
from metrics.monitoring.evidence import NOTHING
from metrics.monitoring.participant_evaluation import ParticipantEvaluation, explain
from participants.collection_interval import collected_days
from participants.models import Participant

__all__ = ["Change", "participant_changed", "refresh", "refresh_many"]


def refresh(
    participant: Participant,
    dates: Collection[dt.date] | None = None,
    *,
    now: dt.datetime,
    evidence_dates: Collection[dt.date] = (),
) -> list[Change]:
    """Evaluate a participant's days and bring their status summary up to date, in the caller's transaction or its own.

    `dates`: local dates whose data changed; `evidence_dates`: those of which only the evidence may have. Days that are
    not settled are evaluated in any case: pending ones, new ones, those that are marked, those since the newest sample;
    with None also those of which it changed whether they count. Returns what changed.
    """
    touched = None if dates is None else {participant.pk: dates}
    return refresh_many([participant], now=now, dates=touched, evidence_dates={participant.pk: evidence_dates})


def participant_changed(participant: Participant) -> None:
    """Evaluate a participant again after a change of dates, pauses or status."""
    refresh(participant, now=timezone.now())


def participants_changed(participants: Iterable[Participant]) -> None:
    """Evaluate many participants again after a change of dates, pauses or status."""
    refresh_many(participants, now=timezone.now())


def refresh_many(
    participants: Iterable[Participant],
    *,
    now: dt.datetime,
    dates: Mapping[int, Collection[dt.date]] | None = None,
    evidence_dates: Mapping[int, Collection[dt.date]] | None = None,
    since: dt.date | None = None,
    why: str = "",
) -> list[Change]:
    """Evaluate many participants, in a number of statements that does not grow with theirs. Locks each of them.

    `dates`, `evidence_dates`: by participant id, as in refresh. `since`: every day from that local date on is evaluated
    again.
    `why`: kept in the history of the days that become otherwise, where it is neither new data nor the clock.
    """
    rows = {participant.pk: participant for participant in participants}
    # No savepoint: what fails here fails the payload.
    with transaction.atomic(savepoint=False):
        with connection.cursor() as cursor:
            cursor.execute(sql.LOCK_ALL, {"people": sorted(rows)})
            cursor.execute(sql.TAKE_MARKS, {"people": sorted(rows)})
            marked = {pk: (touched, answered) for pk, touched, answered in cursor.fetchall()}
        people = day_inputs.people(list(rows))
        protocols = day_inputs.protocols_by_trial({person.trial_id for person in people})
        collected = collected_days([person.pk for person in people])
        cases = [
            ParticipantEvaluation(person, protocols[person.trial_id], collected[person.pk], now) for person in people
        ]
        touched: dict[int, set[dt.date]] = {}
        for case in cases:
            pk = case.person.pk
            of_marks, answered = marked.get(pk, ((), ()))
            touched[pk] = {*(dates or {}).get(pk, ()), *of_marks}
            case.plan(touched[pk], {*(evidence_dates or {}).get(pk, ()), *answered}, since, recount=dates is None)
        known = evidence.collect(rows.values(), since=min((case.since for case in cases), default=now), now=now)
        for case in cases:
            case.known = known.get(case.person.pk, NOTHING)
            case.choose()
        days = [day for case in cases for day in case.days]
        day_inputs.read(days)
        for case in cases:
            case.settle_range()
        explain(cases)
        evaluated = [evaluated_day for case in cases for evaluated_day in case.evaluate()]
        gone = {(case.person.pk, date) for case in cases for date in case.gone}
        changes = day_store.write(evaluated, gone, touched=touched, now=now, why=why)
        status_store.write([case.summary_inputs() for case in cases], now)
    return changes
