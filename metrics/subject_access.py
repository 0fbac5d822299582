"""Measurements of a participant, for their right of access: what was measured and what follows from it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from django.db.models import Q
from django.utils.translation import gettext

from metrics.exchange.series import numbers, stamps
from metrics.local_time import DAY, EPOCH, LocalCalendar
from metrics.models import (
    DataMove,
    DayRollup,
    DayStatusHistory,
    ExerciseSession,
    Export,
    Gap,
    HourRollup,
    ImplausibleCount,
    Measurement,
    MinuteRollup,
    OffsetPeriod,
    ParticipantDay,
    ParticipantStatusSummary,
    PendingEvaluation,
    Recompute,
    Revision,
    SleepSession,
    Source,
    SourceDeletion,
)
from metrics.monitoring import pending
from metrics.participant_calendars import calendar_of
from metrics.reading import raw
from metrics.registry import BY_ID, Metric
from metrics.selection.plausible_range import plausible
from metrics.storage.stored_days import kept_days
from participants.models import Participant
from participants.privacy.languages import date_long
from participants.privacy.subject_access import Row, Section, rows_of

# A sample's time in UTC lies within so many days of its local date.
AROUND = 2


def sections(participant: Participant) -> Iterator[Section]:
    """Sections of this package, in the order in which they are read."""
    yield from _measurements(participant)
    yield Section(
        "measurements/by-day", gettext("Measurements, summed up by day"),
        gettext("Number, sum, lowest and highest value of each kind of measurement on each day. The platform keeps "
                "such sums by minute and by hour too; they are computed from the measurements and say nothing else, "
                "so they are not repeated here."),
        (DayRollup, HourRollup, MinuteRollup), rows_of(DayRollup.objects.filter(participant=participant)),
    )  # fmt: skip
    yield Section(
        "measurements/implausible-by-day", gettext("Values that do not count, by day"),
        gettext("How many of each day's values no body can have, such as a heart rate of 0: they are kept as your "
                "device sent them, marked among the measurements, and not counted in anything."),
        (ImplausibleCount,), rows_of(ImplausibleCount.objects.filter(participant=participant)),
    )  # fmt: skip
    yield Section(
        "measurements/replaced-values", gettext("Values that were replaced"),
        gettext("Where your device's maker corrected a value later, the value from before and when it was replaced."),
        (Revision,), rows_of(Revision.objects.filter(participant=participant)),
    )  # fmt: skip
    yield Section(
        "measurements/moves", gettext("Values that moved from or to another number"),
        gettext("Where your data were kept under two numbers, or under the wrong one: when they were moved, and how "
                "much."),
        (DataMove,), rows_of(DataMove.objects.filter(Q(giver=participant) | Q(receiver=participant))),
    )  # fmt: skip
    yield Section(
        "measurements/deletions", gettext("What was deleted of one source"),
        gettext("Where a device or a file was wrong: what was deleted of it, why and when."),
        (SourceDeletion,), rows_of(SourceDeletion.objects.filter(participant=participant), leave_out=["by"]),
    )  # fmt: skip
    yield from _sessions(participant)
    yield from _day_statuses(participant)


def _measurements(participant: Participant) -> Iterator[Section]:
    """A section for each metric and source; one that says so where nothing was measured."""
    series = sorted(kept_days("metric_id", "source_id", participant=participant))
    sources = Source.objects.in_bulk([source for _, source in series])
    if not series:
        yield Section(
            "measurements/none", gettext("Measurements"), gettext("What your device measured."), (Measurement,)
        )
    calendar = calendar_of(participant)
    cutoff = participant.trial.raw_removed_before
    several = {metric for metric, _ in series if sum(other == metric for other, _ in series) > 1}
    for metric_id, source_id in series:
        metric, source = BY_ID[metric_id], sources[source_id]
        name = f"{metric.code}-{source_id}" if metric_id in several else metric.code
        yield Section(
            f"measurements/{name}", gettext("Measurements: {metric}").format(metric=gettext(metric.name)),
            _about_values(metric, source, cutoff),
            (Measurement,), lines=_values(participant, metric, source_id, calendar),
        )  # fmt: skip


def _about_values(metric: Metric, source: Source, cutoff: dt.date | None) -> str:
    """What the file of a metric's values holds, in whole sentences."""
    sentences = [
        gettext(
            "Every value from {source}, in {unit}, with its time on your clock. `seconds`: how long the interval is "
            "that the value stands for; empty where it is of an instant. `plausible`: no where the value cannot be "
            "right and so counts for nothing."
        ).format(source=source, unit=metric.label)
    ]
    if source.synthetic:
        sentences.append(gettext("These data were made up by a program, for trying the platform."))
    if cutoff:
        sentences.append(
            gettext("The study has deleted values from before {date}; their daily summaries are kept.").format(
                date=date_long(cutoff)
            )
        )
    return " ".join(sentences)


def _values(participant: Participant, metric: Metric, source_id: int, calendar: LocalCalendar) -> Iterator[bytes]:
    """CSV, in pieces of many lines."""
    yield f"time,value in {metric.unit},seconds,plausible\n".encode()
    dates = kept_days("date", participant=participant, metric_id=metric.id, source_id=source_id)
    key = raw.Key(participant.pk, metric.id, source_id)
    # Whatever the source and the collection interval: they have a right to all that is kept.
    for piece in raw.pieces([raw.ReadInterval(key, _us(min(dates), -AROUND), _us(max(dates), AROUND))]):
        lengths = ["" if seconds < 0 else str(seconds) for seconds in piece.seconds.tolist()]
        marks = ["yes" if counts else "no" for counts in plausible(metric, piece.value, piece.seconds).tolist()]
        rows = zip(stamps(piece.time, calendar), numbers(piece.value), lengths, marks, strict=True)
        yield "".join(f"{at},{value},{seconds},{mark}\n" for at, value, seconds, mark in rows).encode()


def _us(date: dt.date, days: int) -> int:
    return ((date - EPOCH).days + days) * DAY


def _sessions(participant: Participant) -> Iterator[Section]:
    yield Section(
        "sleep", gettext("Sleep"),
        gettext("Each night or nap as your device saw it, with its stages: seconds from the start, seconds long, "
                "stage."),
        (SleepSession,), rows_of(SleepSession.objects.filter(participant=participant)),
    )  # fmt: skip
    yield Section(
        "exercise", gettext("Exercise"),
        gettext("Walks, runs and other exercise that your device recognised or that you recorded."),
        (ExerciseSession,), rows_of(ExerciseSession.objects.filter(participant=participant)),
    )  # fmt: skip


def _day_statuses(participant: Participant) -> Iterator[Section]:
    pending.settle([participant.pk])
    yield Section(
        "days", gettext("Your days in the trial"),
        gettext("For each day whether enough was measured for it to count, how long you wore the device, and how "
                "long you slept."),
        # Marks of days to be evaluated are gone by now; they are dates alone.
        (ParticipantDay, PendingEvaluation), rows_of(ParticipantDay.objects.filter(participant=participant)),
    )  # fmt: skip
    yield Section(
        "days-as-they-were-known", gettext("How that became known"),
        gettext("A day may count later than at first, when data arrive late. Here is what was thought of it, and "
                "when."),
        (DayStatusHistory,), rows_of(DayStatusHistory.objects.filter(participant=participant)),
    )  # fmt: skip
    yield Section(
        "gaps", gettext("Times without data"),
        gettext("Intervals for which nothing was measured, and why the platform thinks so."),
        (Gap,), rows_of(Gap.objects.filter(participant=participant)),
    )  # fmt: skip
    yield Section(
        "standing", gettext("Your status summary"),
        gettext("What the trial's team sees of you in its list: how many days count, when data last arrived, your "
                "device's battery, and what seems to be missing."),
        (ParticipantStatusSummary,),
        rows_of(ParticipantStatusSummary.objects.filter(participant=participant), leave_out=["evaluate_at"]),
    )  # fmt: skip
    yield Section(
        "clock", gettext("Your device's clock"),
        gettext("When your device's clock was not that of your time zone, for example on a journey."),
        (OffsetPeriod,), rows_of(OffsetPeriod.objects.filter(participant=participant)),
    )  # fmt: skip
    yield Section(
        "days-judged-anew", gettext("Days evaluated again"),
        gettext("When the trial's rules changed, all days were evaluated again. Here is what that changed for you: "
                "days that changed, and your share of days that count, before and after."),
        (Recompute,), _recomputes(participant),
    )  # fmt: skip
    yield Section(
        "exports", gettext("Files that were made of the trial's data"),
        gettext("When the trial's team took data away in which yours are, in which format, and who asked. Under your "
                "study number, without your name."),
        (Export.people.through,), _exports(participant),
    )  # fmt: skip


def _exports(participant: Participant) -> Iterator[Row]:
    for export in participant.exports.select_related("user").order_by("asked_at"):
        yield {"asked_at": export.asked_at, "format": export.get_format_display(), "asked_by": export.user.email}


def _recomputes(participant: Participant) -> Iterator[Row]:
    study_id = participant.study_id
    for run in Recompute.objects.filter(trial=participant.trial, people__has_key=study_id).order_by("asked_at"):
        yield {"asked_at": run.asked_at, "why": run.why, "yours": run.people[study_id]}
