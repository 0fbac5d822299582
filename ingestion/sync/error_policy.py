"""Error policy: what a vendor's refusal or silence means for the connection and for its windows.

Whatever went wrong, a window ends as due again or visibly failed, and whoever must act is told.
"""

from __future__ import annotations

import datetime as dt
import logging
import random

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from ingestion import prometheus
from ingestion.connections import services as connections_services
from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.errors import (
    AccessGone,
    BrokenResponse,
    ClientMisconfigured,
    TokenExpired,
    VendorBusy,
    VendorError,
)
from ingestion.sync import claims
from ingestion.sync.run_state import RunState
from metrics.writing.writer import SyntheticRefused

log = logging.getLogger(__name__)

State = SyncWindow.State
# How long nobody is asked where the fault is ours: the operator must act, and is told in the log.
OUR_FAULT = dt.timedelta(minutes=15)
# A vendor that does not answer is asked again after so long at most, so that nothing waits long once it is back.
LONGEST_PATIENCE = dt.timedelta(minutes=5)


def run_stopped(state: RunState, trouble: Exception) -> None:
    """Handle an error that ended the whole run: when to go on, and who must know."""
    match trouble:
        case VendorBusy():
            _busy(state, trouble.code, trouble.retry_after)
        case AccessGone():
            _access_lost(state, trouble.code)
        case TokenExpired():
            _access_lost(state, AccessGone.DENIED)
        case ClientMisconfigured():
            _our_fault(state, trouble.code, f"{state.provider.name} refuses our own credentials: {trouble.code}.")
        case VendorError():
            # The address that gives out tokens does not answer: no window's fault.
            _busy(state, trouble.code, None)
        case SyntheticRefused():
            _our_fault(state, "synthetic_refused", str(trouble))
        case _:
            _our_fault(state, "token_keys", str(trouble))


def response_broken(state: RunState, group: list[SyncWindow], fault: BrokenResponse) -> None:
    """Schedule another try for windows with a broken response, some times; then they are failed, for staff to see."""
    state.troubled = True
    attempts = max(window.attempts for window in group)
    if attempts >= settings.SYNC_ATTEMPTS:
        _fail(state, group, fault.code)
    else:
        delay = settings.SYNC_RETRY_SECONDS * 2 ** (attempts - 1) * random.uniform(0.5, 1.5)  # noqa: S311  jitter
        claims.held(group).update(
            state=State.DUE,
            due_at=timezone.now() + dt.timedelta(seconds=delay),
            claimed_at=None,
            error_code=fault.code[:60],
        )
    state.settle(group)


def vendor_unreached(state: RunState, group: list[SyncWindow], fault: BrokenResponse) -> None:
    """Put off windows for which the vendor did not answer at all: no window's fault, so no attempt counts, however long
    it lasts.

    These go behind the others, should it be they after all that it does not answer.
    """
    state.troubled = True
    later = timezone.now() + 2 * _patience(state)
    claims.held(group).update(
        state=State.DUE, due_at=later, claimed_at=None, attempts=F("attempts") - 1, error_code=fault.code[:60]
    )
    state.settle(group)


def scope_missing(state: RunState, group: list[SyncWindow]) -> None:
    """Fail windows of a data type that the participant did not consent to, or took back: it is not requested again."""
    _fail(state, group, AccessGone.SCOPE_MISSING)
    state.settle(group)
    scope = state.provider.data_types[group[0].data_type].scope
    connections_services.scope_lost(state.connection, scope, now=state.now)


def _patience(state: RunState) -> dt.timedelta:
    """Time until the vendor is asked again, the longer the work has waited; some minutes at most."""
    least = dt.timedelta(seconds=settings.SYNC_RETRY_SECONDS)
    waited = (timezone.now() - state.waiting_since) / 4
    return min(max(waited, least), max(LONGEST_PATIENCE, least))


def _fail(state: RunState, group: list[SyncWindow], code: str) -> None:
    failed = claims.held(group).update(state=State.FAILED, finished_at=timezone.now(), error_code=code[:60])
    prometheus.windows_finished(State.FAILED, failed)
    state.outcome.failed += len(group)


def _access_lost(state: RunState, code: str) -> None:
    connections_services.lost(state.connection, code, now=state.now)
    state.outcome.note = code


def _busy(state: RunState, code: str, retry_after: float | None) -> None:
    """Put everything off until the vendor's time; nobody waits for it."""
    wait = retry_after
    if wait is None:
        wait = _patience(state).total_seconds() * random.uniform(0.5, 1.5)  # noqa: S311  jitter, no secret
    _postpone(state, dt.timedelta(seconds=max(wait, 1)))
    state.outcome.wait, state.outcome.note = max(wait, 1), code


def _our_fault(state: RunState, code: str, message: str) -> None:
    """Put everything off where our own settings are at fault: nobody is marked, the operator is told."""
    log.critical("%s Nobody is marked.", message)
    _postpone(state, OUR_FAULT)
    state.outcome.wait, state.outcome.note = OUR_FAULT.total_seconds(), code


def _postpone(state: RunState, delay: dt.timedelta) -> None:
    Connection.objects.filter(pk=state.connection.pk).update(busy_until=timezone.now() + delay)
