"""Manual actions on one connection: a pull now, a backfill, another try at what failed."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import transaction

from ingestion.connections import queueing
from ingestion.models import Connection, SyncWindow
from ingestion.sync import planning
from metrics.participant_calendars import calendar_of
from participants.audit import record
from participants.task_queue import hand_over


class NotConnected(Exception):
    """Refusal: the vendor may not be asked for this participant's data now."""


def _locked(connection: Connection) -> Connection:
    """Row of the connection, held until the transaction ends. Raises NotConnected."""
    row = (
        Connection.objects.select_for_update(of=("self",))
        .select_related("trial", "participant__trial")
        .get(pk=connection.pk)
    )
    if not row.asks or row.provider not in settings.LIVE_PROVIDERS:
        raise NotConnected
    return row


def _go(connection: Connection) -> None:
    transaction.on_commit(lambda: hand_over(queueing.queue_connection, connection.pk))


@transaction.atomic
def sync_now(connection: Connection, now: dt.datetime) -> int:
    """Make a whole pass due, with a restatement check of all that is past, and start it. Returns the number of windows.

    Raises NotConnected.
    """
    row = _locked(connection)
    _go(row)
    record("connection.sync", participant=row.participant, thing=f"connection:{row.provider}")
    return planning.plan_pass(row, now, reason=SyncWindow.Reason.MANUAL)


@transaction.atomic
def backfill(connection: Connection, first: dt.date, now: dt.datetime) -> int:
    """Make due everything from a local day on, whatever was answered before, and start. Returns the number of windows.

    Nothing before the participant's monitoring is asked for. Raises NotConnected.
    """
    row = _locked(connection)
    count = planning.plan_backfill(row, calendar_of(row.participant).midnight(first), now)
    if count:
        _go(row)
        new = {"from": first, "windows": count}
        record("connection.backfill", participant=row.participant, thing=f"connection:{row.provider}", new=new)
    return count


@transaction.atomic
def requeue(connection: Connection, now: dt.datetime) -> int:
    """Make due again what was given up. Returns the number of windows. Raises NotConnected."""
    row = _locked(connection)
    count = planning.requeue_failed(row, now)
    if count:
        _go(row)
        thing = f"connection:{row.provider}"
        record("connection.requeue", participant=row.participant, thing=thing, new={"windows": count})
    return count


@transaction.atomic
def read_again(window: SyncWindow, now: dt.datetime) -> int:
    """Make one interval due again, whatever came of it. Returns 1. Raises NotConnected."""
    row = _locked(window.connection)
    request = planning.WindowRequest(
        window.data_type, window.starts_at, window.ends_at, SyncWindow.Reason.MANUAL, window.kind
    )
    count = planning.make_all_due(row, [request], due_at=now)
    _go(row)
    record(
        "connection.read_again",
        participant=row.participant,
        thing=f"connection:{row.provider}",
        new={"data_type": window.data_type, "from": window.starts_at, "until": window.ends_at},
    )
    return count
