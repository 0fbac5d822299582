"""Asking for exports, looking at them, calling them off: what pages, API and commands call.

An export is visible to who asked for it, while they still see all whose data it holds; to everybody else it is not
there.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from kombu.exceptions import OperationalError

from metrics.exports import sql, store
from metrics.exports.formats import WRITERS
from metrics.exports.plan import FIRST, LAST
from metrics.models import Export, ExportFile, ParticipantDay, Source
from metrics.registry import BY_CODE, METRICS
from metrics.selection.collection_window import collected
from metrics.selection.readable_series import collected_dates
from participants import audit
from participants.after_commit import after_commit
from participants.models import Participant, Trial, User
from participants.study_ids import spelt
from participants.task_queue import enqueue
from participants.user_input import EARLIEST, LATEST, OUT_OF_BOUNDS

log = logging.getLogger(__name__)

FORMATS = (*WRITERS, Export.Format.DAILY.value)
AT_ONCE = 5  # exports of one user that wait or run


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for, checked: `people` is settled by what the user sees at this moment."""

    trial: Trial
    format: str
    people: list[int]
    metrics: list[str]
    sources: list[int]
    start_on: dt.date | None
    end_on: dt.date | None
    clock: str
    compressed: bool
    asked: dict[str, Any]


class Filters(TypedDict, total=False):
    """What may be asked for. Left out or empty: Parquet, and all there is. Both dates are included."""

    format: str
    participants: Sequence[str] | None  # study ids
    metrics: Sequence[str] | None  # codes
    sources: Sequence[int] | None  # ids
    start_on: dt.date | None
    end_on: dt.date | None
    clock: str  # local: participants' local dates; utc
    compressed: bool  # gzip, of text formats


def check(user: User, trial: Trial, **filters: Unpack[Filters]) -> Wanted:
    """What the user may have of what they ask for, in a trial that they see.

    Raises ValidationError that names each bad parameter. A study id that they do not see is unknown, whether it
    exists or not.
    """
    kind, clock = filters.get("format", Export.Format.PARQUET.value), filters.get("clock", Export.Clock.LOCAL.value)
    participants, codes = set(filters.get("participants") or ()), set(filters.get("metrics") or ())
    source_ids = set(filters.get("sources") or ())
    start_on, end_on = filters.get("start_on"), filters.get("end_on")
    visible = Participant.objects.visible_to(user).filter(trial=trial)
    seen = dict((visible.with_study_ids(participants) if participants else visible).values_list("study_id", "pk"))
    meant = spelt(sorted(participants), seen)
    known_sources = set(Source.objects.filter(pk__in=source_ids).values_list("pk", flat=True))
    wrong: dict[str, str] = {}
    if kind not in FORMATS:
        wrong["format"] = f"Choose one of {', '.join(FORMATS)}."
    if clock not in Export.Clock.values:
        wrong["clock"] = f"Choose one of {', '.join(Export.Clock.values)}."
    for name, day in (("start_on", start_on), ("end_on", end_on)):
        if day and not EARLIEST <= day <= LATEST:
            wrong[name] = OUT_OF_BOUNDS
    if start_on and end_on and end_on < start_on:
        wrong["end_on"] = "The last date comes before the first."
    for name, unknown in (
        ("metrics", codes - set(BY_CODE)),
        ("sources", source_ids - known_sources),
        ("participants", participants - set(meant)),
    ):
        if unknown:
            wrong[name] = f"Not known: {', '.join(sorted(map(str, unknown))[:10])}."
    if not seen and not participants:
        wrong["participants"] = "There is nobody whose data could be exported."
    if wrong:
        raise ValidationError(wrong)
    return Wanted(
        trial=trial,
        format=kind,
        people=sorted({seen[one] for one in meant.values()} if participants else seen.values()),
        metrics=[metric.code for metric in METRICS if metric.code in codes],
        sources=sorted(known_sources),
        start_on=start_on,
        end_on=end_on,
        clock=clock,
        compressed=filters.get("compressed", True),
        asked={"participants": sorted(set(meant.values())) or None},
    )


def estimate(wanted: Wanted) -> int:
    """Rows that the export would have, by what is stored and collected at this moment."""
    first, last = wanted.start_on or FIRST, wanted.end_on or LAST
    if wanted.format == Export.Format.DAILY:
        return ParticipantDay.objects.filter(participant__in=wanted.people, date__range=(first, last)).count()
    people = Participant.objects.filter(pk__in=wanted.people).only("time_zone")
    parameters = collected_dates(collected(people), first, last) | {
        "metrics": [BY_CODE[code].id for code in wanted.metrics] or [metric.id for metric in METRICS],
        "sources": wanted.sources or None,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql.ESTIMATE, parameters)
        rows: int = cursor.fetchone()[0]
    return rows


@transaction.atomic
def create(user: User, wanted: Wanted) -> Export:
    """The export as a row; nothing is written yet. Raises ValidationError where too many of the user's are at work."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    at_work = Export.objects.filter(user=user, state__in=[Export.State.WAITING, Export.State.RUNNING]).count()
    if at_work >= AT_ONCE:
        raise ValidationError(f"{AT_ONCE} of your exports are at work. Wait for one, or call one off.")
    export = Export.objects.create(
        trial=wanted.trial,
        user=user,
        format=wanted.format,
        compressed=wanted.compressed,
        metrics=wanted.metrics,
        sources=wanted.sources,
        start_on=wanted.start_on,
        end_on=wanted.end_on,
        clock=wanted.clock,
        asked=wanted.asked,
        asked_at=timezone.now(),
        rows_expected=estimate(wanted),
    )
    export.people.set(wanted.people)
    audit.record("export.ask", trial=export.trial, thing=f"export:{export.uuid}", new=described(export))
    return export


def export_ask(user: User, trial: Trial, **filters: Unpack[Filters]) -> Export:
    """Ask for an export (see Filters); a worker begins once this transaction is over.

    Raises ValidationError that names each bad parameter.
    """
    return export_ask_checked(user, check(user, trial, **filters))


@transaction.atomic
def export_ask_checked(user: User, wanted: Wanted) -> Export:
    """The same for what `check` has passed. Raises ValidationError where too many of the user's are at work."""
    export = create(user, wanted)
    after_commit(_send, export.pk)
    return export


@transaction.atomic
def subject_ask(user: User, participant: Participant, *, reason: str = "") -> Export:
    """Ask for everything about one participant, their name included; only who leads the trial may.

    Raises PermissionDenied.
    """
    if not Trial.objects.led_by(user).filter(pk=participant.trial_id).exists():
        raise PermissionDenied("Only managers of the whole trial may have everything about a participant.")
    export = Export.objects.create(
        trial=participant.trial, user=user, format=Export.Format.SUBJECT, asked_at=timezone.now()
    )
    export.people.set([participant])
    audit.record("subject.export", participant=participant, thing=f"export:{export.uuid}", reason=reason)
    after_commit(_send, export.pk)
    return export


def _send(pk: int) -> None:
    try:
        enqueue("metrics.export_run", pk)
    except OperationalError:
        log.warning("export %s could not be queued, the broker is away: the next minute's turn finds it", pk)


def export_again(user: User, export: Export) -> Export:
    """Ask again for what an export that ended without files was asked for: by what the user sees now.

    Raises ValueError where it has not ended so, ValidationError and PermissionDenied as asking does.
    """
    if export.state not in (Export.State.FAILED, Export.State.CANCELLED, Export.State.EXPIRED):
        raise ValueError("It has not ended, or its files are there.")
    if export.format == Export.Format.SUBJECT:
        participant = export.people.select_related("trial").first()
        if participant is None:
            raise ValueError("Nobody is in it any more.")
        return subject_ask(user, participant, reason=f"again: export {export.uuid}")
    return export_ask(
        user,
        export.trial,
        format=export.format,
        participants=export.asked.get("participants"),
        metrics=export.metrics,
        sources=export.sources,
        start_on=export.start_on,
        end_on=export.end_on,
        clock=export.clock,
        compressed=export.compressed,
    )


def described(export: Export) -> dict[str, Any]:
    """The export in the audit trail's words."""
    return {
        "format": export.format,
        "participants": export.people.count(),
        "metrics": export.metrics or "all",
        "from": export.start_on,
        "to": export.end_on,
        "dates": export.clock,
    }


def exports_of(user: User) -> QuerySet[Export]:
    """The user's exports, newest first, of trials that they see; none that holds data of somebody they do not see.

    Everything about one participant is for those alone who lead the trial, still.
    """
    through = Export.people.through.objects.filter(export=OuterRef("pk"))
    hidden = through.exclude(participant__in=Participant.objects.visible_to(user).order_by())
    mine = Export.objects.filter(user=user, trial__in=Trial.objects.visible_to(user).order_by())
    allowed = ~Q(format=Export.Format.SUBJECT) | Q(trial__in=Trial.objects.led_by(user).order_by())
    return mine.filter(~Exists(hidden), allowed).select_related("trial")


@transaction.atomic
def export_cancel(export: Export) -> bool:
    """Call an export off and delete its files. False where it had ended."""
    mine = Export.objects.filter(pk=export.pk, state__in=[Export.State.WAITING, Export.State.RUNNING])
    if not mine.update(state=Export.State.CANCELLED, finished_at=timezone.now(), claim=None):
        return False
    audit.record("export.cancel", trial=export.trial, thing=f"export:{export.uuid}")
    after_commit(store.remove, export)
    return True


def export_file(export: Export, path: str) -> ExportFile:
    """A finished file. Raises ExportFile.DoesNotExist where there is none, or no more, StoreFault."""
    found: ExportFile = export.files.get(path=path, export__state=Export.State.DONE)
    if not store.holds(export, path):
        raise ExportFile.DoesNotExist
    return found


def downloaded(export: Export, what: str, stretch: str = "") -> None:
    """Note in the trail that somebody takes this away, before a byte leaves.

    `what`: a file's path, or the whole as an archive. `stretch`: first and last byte of how many, of a part. Everything
    about one participant is noted as theirs.
    """
    subject = export.people.select_related("trial").first() if export.format == Export.Format.SUBJECT else None
    new = {"file": what} | ({"bytes": stretch} if stretch else {})
    audit.record("export.download", trial=export.trial, participant=subject, thing=f"export:{export.uuid}", new=new)


def expire(now: dt.datetime) -> int:
    """Delete the files of exports whose time is over, and what failed ones, or ones whose rows are gone, left behind.

    Returns how many expired.
    """
    over = [one for one in Export.objects.filter(state=Export.State.DONE, expires_at__lte=now) if _expired(one)]
    held = store.held()  # before the rows: what begins meanwhile is not taken for a remnant
    wanted = Export.objects.filter(state__in=[Export.State.WAITING, Export.State.RUNNING, Export.State.DONE])
    names = {str(one) for one in wanted.values_list("uuid", flat=True)}
    for place, name in held:
        if name not in names:
            place.remove(name)
    store.sweep()
    return len(over)


def _expired(export: Export) -> bool:
    """False where its files cannot be reached from this host: another's worker may."""
    try:
        _end(export, Export.State.EXPIRED, "")
    except store.Elsewhere as fault:
        log.warning("%s", fault)
        return False
    return True


def exports_forget(participant: Participant) -> list[str]:
    """Delete every stored export that holds a participant's data, as the erasure demands; returns the exports' ids.

    Raises StoreFault where one cannot be deleted from here: the erasure is not done then, and is tried again.
    """
    held = list(participant.exports.all())
    for export in held:
        if export.state != Export.State.EXPIRED:
            _end(export, Export.State.EXPIRED, "Its files are deleted: the data of somebody in it were erased.")
        Export.objects.filter(pk=export.pk).update(asked={})
        export.people.remove(participant)
    return [str(export.uuid) for export in held]


def exports_withdraw(participant: Participant, why: str) -> None:
    """Delete the files of every stored export that holds a participant's data. Raises StoreFault as exports_forget."""
    for export in participant.exports.exclude(state=Export.State.EXPIRED):
        _end(export, Export.State.EXPIRED, why)


def _end(export: Export, state: str, error: str) -> None:
    place = store.store_of(export)
    Export.objects.filter(pk=export.pk).update(state=state, error=error, claim=None)
    export.files.all().delete()
    place.remove(str(export.uuid))
