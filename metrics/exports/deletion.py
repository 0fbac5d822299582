"""Deletion of stored exports: their time is over, or data in them were erased or withdrawn."""

from __future__ import annotations

import datetime as dt
import logging

from metrics.exports import store
from metrics.models import Export
from participants.models import Participant

log = logging.getLogger(__name__)


def expire(now: dt.datetime) -> int:
    """Delete the files of exports whose time is over, and what failed ones, or ones whose rows are gone, left behind.

    Returns how many expired.
    """
    over = [
        export for export in Export.objects.filter(state=Export.State.DONE, expires_at__lte=now) if _expired(export)
    ]
    held = store.held()  # before the rows: what begins meanwhile is not taken for a remnant
    kept = Export.objects.filter(state__in=[Export.State.WAITING, Export.State.RUNNING, Export.State.DONE])
    names = {str(uuid) for uuid in kept.values_list("uuid", flat=True)}
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
            _end(export, Export.State.EXPIRED, "Its files are deleted: the data of a participant in it were erased.")
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
