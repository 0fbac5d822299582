"""Events that happen while the clock runs: uploads that subscribers hear of, restated hours, revoked grants."""

from __future__ import annotations

import dataclasses
import logging
import random
import threading
from collections.abc import Callable, Iterator

from ingestion.providers.google_health.simulator import columns, records
from ingestion.providers.google_health.simulator.accounts import Account
from ingestion.providers.google_health.simulator.faults import Faults
from ingestion.providers.google_health.simulator.filters import Window
from ingestion.providers.google_health.simulator.ground_truth import GroundTruth, has_columns
from ingestion.providers.google_health.simulator.state import Event, State
from ingestion.providers.google_health.simulator.types import TYPES, DataType, Kind
from ingestion.providers.google_health.simulator.webhooks import Webhooks
from metrics.batch import MICROSECOND

log = logging.getLogger(__name__)

HOUR = 3600 * MICROSECOND
TICK = 1.0  # seconds
LOOKBACK_DAYS = 6  # how far back hours are restated
RESTATED = ("heart-rate", "heart-rate", "steps", "distance")


class Events:
    """Source of events. Runs a thread of its own between `start` and `close`; the control API calls it too."""

    def __init__(self, ground_truth: GroundTruth, state: State, faults: Faults, webhooks: Webhooks) -> None:
        self._ground_truth = ground_truth
        self._state = state
        self._faults = faults
        self._webhooks = webhooks
        self._announced_until: dict[int, int] = {}
        self._random = random.Random(f"happenings {ground_truth.accounts.seed}")  # noqa: S311 - repeatable, not secret
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._stop.wait(TICK):
            try:
                self.tick()
            except Exception:
                # One failure must not end everything that happens from now on.
                log.exception("a tick of the simulator failed")

    def tick(self) -> None:
        """Make the events of a second."""
        profile = self._faults.profile
        self._maybe(profile.restates_per_minute, self._restate_some)
        self._maybe(profile.revokes_per_minute, self._revoke_some)
        if self._state.subscribers:
            self.announce_uploads()

    def _maybe(self, per_minute: float, act: Callable[[], None]) -> None:
        if self._random.random() < per_minute * TICK / 60:
            act()

    def _some(self) -> Account | None:
        connected = sorted(self._state.grants)
        return self._ground_truth.accounts.account(self._random.choice(connected)) if connected else None

    def _restate_some(self) -> None:
        account = self._some()
        if account is None:
            return
        hours = self._random.randint(1, LOOKBACK_DAYS * 24)
        low = self._ground_truth.uploaded_until(account) // HOUR * HOUR - hours * HOUR
        data_type = TYPES[self._random.choice(RESTATED)]
        self.change(account, data_type, low, low + HOUR, delta=float(self._random.randint(1, 4)))

    def _revoke_some(self) -> None:
        account = self._some()
        if account is not None:
            self._state.record("revoke", number=account.number)

    # --- by hand too -------------------------------------------------------------------------------------------

    def change(
        self,
        account: Account,
        data_type: DataType,
        low: int,
        high: int,
        *,
        kind: str = "restate",
        delta: float = 3.0,
        tell: bool = True,
    ) -> int:
        """Restate or delete what lies in [low, high), and tell; returns how many subscribers were told.

        Restating adds `delta` (in the vendor's unit) to what is not zero; a night gets its first light sleep turned
        into waking. Daily values go by their date.
        """
        gone = self._ground_truth.records(account, data_type, Window(low, high)) if kind == "delete" else []
        event = Event(kind, account.number, data_type.id, low, high, self._state.now(), delta)
        self._state.record("event", event=dataclasses.asdict(event))
        if not tell:
            return 0
        operation = "DELETE" if kind == "delete" else "UPSERT"
        named: list[str | None] = [record.id for record in gone if record.id] or [None]
        counts = [
            self._webhooks.notify(account, data_type, low, high, operation=operation, record_id=name) for name in named
        ]
        return max(counts)

    def announce_uploads(self) -> None:
        """Tell subscribers of everything that has been uploaded since the last time."""
        for number in list(self._state.grants):
            account = self._ground_truth.accounts.account(number)
            until = self._ground_truth.uploaded_until(account)
            since = self._announced_until.setdefault(number, until)
            if until <= since:
                continue
            self._announced_until[number] = until
            for data_type, low, high in self._news(account, since, until):
                self._webhooks.notify(account, data_type, low, high)

    def _news(self, account: Account, since: int, until: int) -> Iterator[tuple[DataType, int, int]]:
        """Data that an upload brought, as (type, low, high)."""
        for data_type in TYPES.values():
            if not data_type.announced:
                continue
            if has_columns(data_type):
                points = self._ground_truth.columns(account, data_type.id, Window(since, until), newest=0)
                if points is not None:
                    yield data_type, since, until
            elif data_type.id in records.BUILDERS:
                near = Window(since - 36 * HOUR, until + 36 * HOUR, civil=data_type.kind is not Kind.SLEEP)
                for record in self._ground_truth.records(account, data_type, near):
                    if since <= record.seen_from < until:
                        start = record.seen_from - HOUR if data_type.kind is Kind.DAILY else record.start
                        yield data_type, start, max(record.seen_from, start + columns.MINUTE)


def hold(state: State, account: Account, *, held: bool) -> None:
    """Keep an account's data from being uploaded from now on, or let everything come at once."""
    state.record("hold", number=account.number, since=state.now() if held else None)
