"""Status summary of a participant, from their evaluated days and what is known of their connection."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metrics.local_time import EPOCH, LocalCalendar
from metrics.models import Cause, DayStatus, Exclusion, Gap, ParticipantStatusSummary
from metrics.monitoring import day_codes, next_evaluation
from metrics.monitoring.day_inputs import ParticipantHistory, date_of
from metrics.monitoring.day_store import EvaluatedDay
from metrics.monitoring.evidence import Evidence
from metrics.monitoring.gaps import Piece
from metrics.monitoring.rules import Monitoring
from participants.models import Participant, Protocol

NIGHTS = 7
# Nights that are not known yet are passed over, so far back at most.
NIGHTS_WITHIN = 14
FIELDS = [f.name for f in ParticipantStatusSummary._meta.fields if f.name != "participant" and not f.generated]
Row = tuple[str, str, int, int, bool]  # status, reason, worn minutes, minutes of the day, a main sleep is known
COUNTED = (DayStatus.VALID, DayStatus.INVALID, DayStatus.LOST)


@dataclass(frozen=True, slots=True)
class SummaryInputs:
    """All that a status summary is made of. `evaluated` and `gone` are days that differ from `person`'s columns.

    `protocol`: the one in force today, of the trial's `protocols`.
    """

    person: ParticipantHistory
    monitoring: Monitoring
    calendar: LocalCalendar
    evidence: Evidence
    protocol: Protocol
    protocols: Sequence[Protocol]
    evaluated: Sequence[EvaluatedDay]
    gone: Collection[dt.date]
    until: dt.date | None
    newest: dt.datetime | None
    now: dt.datetime

    def days(self) -> dict[dt.date, Row]:
        """All of the person's days by date, ascending."""
        person = self.person
        columns = zip(
            person.dates.tolist(),
            person.states,
            person.reasons,
            person.worn.tolist(),
            person.minutes.tolist(),
            person.nights,
            strict=True,
        )
        rows: dict[dt.date, Row] = {date_of(day): (s, r, w, m, n == "n") for day, s, r, w, m, n in columns}
        for evaluated_day in self.evaluated:
            day = evaluated_day.day
            rows[day.date] = (
                evaluated_day.status,
                evaluated_day.reason,
                day.worn_minutes,
                day.minutes,
                day.asleep_minutes is not None,
            )
        return {date: rows[date] for date in sorted(rows) if date not in self.gone}


def write(known: Sequence[SummaryInputs], now: dt.datetime) -> None:
    """Bring these participants' status summaries up to date. Two statements, one more for long gaps."""
    starts = _begun(known)
    rows = [_summary(inputs, starts.get(inputs.person.pk)) for inputs in known]
    ParticipantStatusSummary.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["participant"], update_fields=FIELDS
    )


def _summary(inputs: SummaryInputs, begun: dt.datetime | None) -> ParticipantStatusSummary:
    days, protocol, known = inputs.days(), inputs.protocol, inputs.evidence
    row = ParticipantStatusSummary(
        participant_id=inputs.person.pk, updated_at=inputs.now, protocol_version=protocol.version
    )
    row.target = protocol.adherence_target
    _day_codes(row, inputs, days)
    _adherence(row, inputs, days)
    _nights(row, inputs)
    _uploads(row, inputs)
    _excused(row, inputs.monitoring)
    row.access, row.access_since = known.access, known.access_since
    if (piece := _missing_now(inputs)) and piece.cause and not row.excused:
        row.cause, row.cause_since, row.evidence = piece.cause, begun or piece.starts_at, piece.evidence
        row.waiting = piece.cause == Cause.PLATFORM
    row.device_model, row.device_sync_at = known.device_model, known.synced_at
    row.evaluate_at = next_evaluation.evaluate_at(inputs, inputs.protocols)
    if reading := known.battery:
        row.battery_percent, row.battery_at = reading.battery_percent, reading.at
    return row


def _day_codes(row: ParticipantStatusSummary, inputs: SummaryInputs, days: Mapping[dt.date, Row]) -> None:
    first, until = inputs.monitoring.first, inputs.until
    if first is None or until is None:
        return
    row.day_codes_from, row.day_codes_until = first, until
    unknown = inputs.calendar.date(inputs.newest) if inputs.newest else first
    codes, nights = [], []
    for n in range((until - first).days + 1):
        date = first + dt.timedelta(days=n)
        status, reason, worn, _, asleep = days.get(date, (DayStatus.EXCLUDED, "", 0, 0, False))
        codes.append(day_codes.day_code(status, reason, worn))
        # Of a day that is still to come in, the night may be too.
        waits = date >= unknown and status in (DayStatus.PENDING, DayStatus.VALID)
        nights.append(day_codes.NIGHT if asleep else day_codes.NIGHT_PENDING if waits else day_codes.NO_NIGHT)
    row.day_codes, row.nights = "".join(codes), "".join(nights)


def _adherence(row: ParticipantStatusSummary, inputs: SummaryInputs, days: Mapping[dt.date, Row]) -> None:
    states = [status for status, _, _, _, _ in days.values()]
    row.valid_days = states.count(DayStatus.VALID)
    row.lost_days = states.count(DayStatus.LOST)
    row.pending_days = states.count(DayStatus.PENDING)
    row.excluded_days = states.count(DayStatus.EXCLUDED)
    row.counted_days = row.valid_days + row.lost_days + states.count(DayStatus.INVALID)
    row.remaining_days = _remaining(inputs.monitoring)
    if row.counted_days:
        counted = [(worn, minutes) for status, _, worn, minutes, _ in days.values() if status in COUNTED]
        row.adherence = row.valid_days / row.counted_days
        row.worn_share = sum(worn for worn, _ in counted) / sum(minutes for _, minutes in counted)
        row.low_wear = row.adherence < row.target
    if row.remaining_days is not None:
        hoped = row.pending_days + row.remaining_days
        if row.counted_days + hoped:
            row.best_adherence = (row.valid_days + hoped) / (row.counted_days + hoped)
            row.out_of_reach = row.best_adherence < row.target
    row.recounted = row.low_wear and inputs.person.recounted and not _fell(row, inputs.person)


def _fell(row: ParticipantStatusSummary, before: ParticipantHistory) -> bool:
    """Whether adherence, or what it can still become, is lower than it was."""
    pairs = ((row.adherence, before.adherence_before), (row.best_adherence, before.best_before))
    return any(new is not None and old is not None and new < old for new, old in pairs)


def _remaining(monitoring: Monitoring) -> int | None:
    """Days to come that will count, as far as is known; None where no end is set."""
    if monitoring.status in (Participant.Status.WITHDRAWN, Participant.Status.COMPLETED):
        return 0
    if monitoring.last is None:
        return None
    first = max(monitoring.today + dt.timedelta(days=1), monitoring.first or monitoring.today)
    last = monitoring.last
    if monitoring.withdrawn_on:
        last = min(last, monitoring.withdrawn_on - dt.timedelta(days=1))
    days = {first + dt.timedelta(days=n) for n in range((last - first).days + 1)}
    return sum(monitoring.pause(date) is None for date in days)


def _nights(row: ParticipantStatusSummary, inputs: SummaryInputs) -> None:
    """Nights with a main sleep, of the last that are known and count."""
    pairs = list(zip(row.day_codes, row.nights, strict=True))[-NIGHTS_WITHIN:]
    known = [night for day, night in pairs if day != day_codes.EXCLUDED and night != day_codes.NIGHT_PENDING][-NIGHTS:]
    if len(known) < NIGHTS or not (inputs.evidence.live or day_codes.NIGHT in row.nights):
        return
    row.nights_recorded = known.count(day_codes.NIGHT)
    few, critical = inputs.protocol.sleep_nights_warn, inputs.protocol.sleep_nights_critical
    row.low_sleep = 2 if row.nights_recorded < critical else 1 if row.nights_recorded < few else 0


def _uploads(row: ParticipantStatusSummary, inputs: SummaryInputs) -> None:
    person, protocol = inputs.person, inputs.protocol
    row.last_sample_at = inputs.newest
    news = inputs.newest is not None and (person.newest_before is None or inputs.newest > person.newest_before)
    row.arrived_at = inputs.now if news else person.arrived_at
    heard = inputs.newest or inputs.evidence.access_since
    if not inputs.evidence.live or heard is None:
        return
    row.silent_at = heard + dt.timedelta(hours=protocol.upload_warn_hours)
    row.critical_at = heard + dt.timedelta(hours=protocol.upload_critical_hours)
    row.overwritten_at = heard + dt.timedelta(hours=protocol.device_keeps_hours)


def _excused(row: ParticipantStatusSummary, monitoring: Monitoring) -> None:
    """Why today does not count, since when and until when."""
    today = monitoring.today
    if monitoring.first is None:
        # Nothing of this person yet, who may be paused, withdrawn or done all the same.
        monitoring = Monitoring(
            monitoring.status, today, monitoring.last, monitoring.withdrawn_on, monitoring.pauses, today
        )
    reason = monitoring.exclusion(today)
    row.excused = reason or ""
    if reason is Exclusion.PAUSED and (pause := monitoring.pause(today)):
        row.excused_since, row.excused_until = pause[0], pause[1]
    elif reason is Exclusion.WITHDRAWN:
        row.excused_since = monitoring.withdrawn_on
    elif reason is Exclusion.AFTER_END and monitoring.last:
        row.excused_since = monitoring.last + dt.timedelta(days=1)
    elif reason is Exclusion.BEFORE_START and monitoring.first:
        row.excused_until = monitoring.first - dt.timedelta(days=1)


def _run(inputs: SummaryInputs) -> list[Piece]:
    """The missing intervals that reach without a break up to now, the last first; as far as days were evaluated."""
    pieces: list[Piece] = []
    for day in sorted(inputs.evaluated, key=lambda day: day.day.date, reverse=True):
        for piece in reversed(day.pieces):
            if pieces and piece.ends_at != pieces[-1].starts_at:
                return pieces
            if not pieces and not piece.starts_at <= inputs.now < piece.ends_at:
                continue
            pieces.append(piece)
    return pieces


def _missing_now(inputs: SummaryInputs) -> Piece | None:
    """Missing interval that lasts until now. What merely was not read since has the cause of what is missing before."""
    run = _run(inputs)
    if not run:
        return None
    if run[0].cause != Cause.NOT_SYNCED:
        return run[0]
    before = next((piece for piece in run if piece.cause != Cause.NOT_SYNCED), None)
    lasting = before is not None and before.cause in (Cause.BATTERY_FLAT, Cause.OFF_WRIST, Cause.UNKNOWN)
    return before if before and lasting and _unread_only(inputs, run) else run[0]


def _unread_only(inputs: SummaryInputs, run: Sequence[Piece]) -> bool:
    """Whether the interval at the end is younger than the last upload that might have been: no silence of its own."""
    answered = inputs.evidence.answered
    asked_until = answered[-1].ends_at if answered else None
    return asked_until is None or run[0].starts_at >= asked_until - dt.timedelta(hours=3)


def _begun(known: Sequence[SummaryInputs]) -> dict[int, dt.datetime]:
    """Since when what is missing now has been missing for its cause: gaps of earlier days are asked for once."""
    starts: dict[int, dt.datetime] = {}
    reaching: dict[int, Piece] = {}
    for inputs in known:
        piece = _missing_now(inputs)
        if piece is None:
            continue
        start = piece.starts_at
        run = _run(inputs)
        for earlier in run[run.index(piece) + 1 :]:
            if earlier.cause != piece.cause:
                break
            start = earlier.starts_at
        starts[inputs.person.pk] = start
        if run[-1].starts_at == start:
            reaching[inputs.person.pk] = piece
    # Only a run that begins with a stored day's first instant can go on before it.
    by_participant = {inputs.person.pk: inputs for inputs in known}
    open_ended = [pk for pk in reaching if _before(by_participant[pk], starts[pk])]
    if open_ended:
        _walk_back(open_ended, reaching, starts)
    return starts


def _before(inputs: SummaryInputs, start: dt.datetime) -> bool:
    date = inputs.calendar.date(start)
    earlier = (date - EPOCH).days - 1 in inputs.person.dates
    return earlier and inputs.calendar.midnight(date) == start


def _walk_back(people: Sequence[int], pieces: Mapping[int, Piece], starts: dict[int, dt.datetime]) -> None:
    """Go on through the stored gaps of earlier days, the newest first, for as long as they touch and agree."""
    rows: Any = (
        Gap.objects.filter(participant__in=people, ends_at__lte=max(starts[pk] for pk in people))
        .order_by("participant", "-starts_at")
        .values_list("participant_id", "starts_at", "ends_at", "cause")
    )
    for pk, starts_at, ends_at, cause in rows.iterator():
        if ends_at == starts[pk] and cause == pieces[pk].cause:
            starts[pk] = starts_at
