"""State that the simulator must remember: its clock, who consented and was revoked, codes used, events, subscribers.

Kept as a log of small entries, applied in order; with a folder given it is written down and read again at the next
start. Everything else is a function of the seed.
"""

from __future__ import annotations

import datetime as dt
import itertools
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from metrics.batch import MICROSECOND, instant, microseconds


@dataclass(frozen=True, slots=True)
class Event:
    """Change of stored data at instant `at`: `kind` is restate or delete, over [low, high)."""

    kind: str
    number: int
    type: str
    low: int
    high: int
    at: int
    delta: float


class State:
    """State of the simulator, thread-safe. `record` applies an entry and writes it down; attributes are for reading."""

    def __init__(self, folder: Path | None = None) -> None:
        self._lock = threading.RLock()
        self._file = None
        self._clock = (microseconds(dt.datetime.now(dt.UTC)), time.time(), 1.0)
        self._ids = itertools.count(1)
        self.settings: dict[str, Any] = {}
        self.grants: dict[int, dict[str, Any]] = {}  # account -> {generation, scopes}; absent: never consented
        self.generation: dict[int, int] = defaultdict(int)
        self.expired_before: dict[int, float] = {}
        self.used_codes: set[str] = set()
        self.events: dict[tuple[int, str], list[Event]] = defaultdict(list)
        self.held: dict[int, int] = {}
        self.denied: set[int] = set()
        self.disturbed: set[int] = set()
        self.subscribers: dict[str, dict[str, Any]] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / "simulator.jsonl"
            for line in path.read_bytes().splitlines() if path.exists() else ():
                self._apply(orjson.loads(line))
            self._file = path.open("ab")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    # --- writing -----------------------------------------------------------------------------------------------

    def record(self, kind: str, **entry: Any) -> None:
        """Apply one entry and, where a folder was given, write it down before returning."""
        with self._lock:
            self._apply({"kind": kind, **entry})
            if self._file is not None:
                self._file.write(orjson.dumps({"kind": kind, **entry}) + b"\n")
                self._file.flush()

    def use_code(self, nonce: str) -> bool:
        """Mark a code as used; False if it was already."""
        with self._lock:
            if nonce in self.used_codes:
                return False
            self.record("code", nonce=nonce)
            return True

    def next_id(self) -> int:
        return next(self._ids)

    def _apply(self, entry: dict[str, Any]) -> None:
        getattr(self, f"_on_{entry['kind']}")(entry)

    def _on_settings(self, entry: dict[str, Any]) -> None:
        self.settings = entry["values"]

    def _on_clock(self, entry: dict[str, Any]) -> None:
        self._clock = (entry["at"], entry["real"], entry["speed"])

    def _on_code(self, entry: dict[str, Any]) -> None:
        self.used_codes.add(entry["nonce"])

    def _on_consent(self, entry: dict[str, Any]) -> None:
        number = entry["number"]
        self.grants[number] = {"generation": self.generation[number], "scopes": entry["scopes"]}

    def _on_revoke(self, entry: dict[str, Any]) -> None:
        self.generation[entry["number"]] += 1
        self.grants.pop(entry["number"], None)

    def _on_expire(self, entry: dict[str, Any]) -> None:
        self.expired_before[entry["number"]] = entry["before"]

    def _on_event(self, entry: dict[str, Any]) -> None:
        event = Event(**entry["event"])
        self.events[event.number, event.type].append(event)

    def _on_hold(self, entry: dict[str, Any]) -> None:
        if entry["since"] is None:
            self.held.pop(entry["number"], None)
        else:
            self.held[entry["number"]] = entry["since"]

    def _on_deny(self, entry: dict[str, Any]) -> None:
        (self.denied.add if entry["denied"] else self.denied.discard)(entry["number"])

    def _on_disturb(self, entry: dict[str, Any]) -> None:
        (self.disturbed.add if entry["disturbed"] else self.disturbed.discard)(entry["number"])

    def _on_subscriber(self, entry: dict[str, Any]) -> None:
        if entry["value"] is None:
            self.subscribers.pop(entry["id"], None)
        else:
            self.subscribers[entry["id"]] = entry["value"]

    # --- the clock ---------------------------------------------------------------------------------------------

    def now(self) -> int:
        """Simulated instant, microseconds UTC."""
        at, real, speed = self._clock
        return at + int((time.time() - real) * speed * MICROSECOND)

    @property
    def speed(self) -> float:
        return self._clock[2]

    def clock_text(self) -> str:
        return instant(self.now()).strftime("%Y-%m-%d %H:%M:%S UTC") + (f" x{self.speed:g}" if self.speed != 1 else "")

    def set_clock(self, at: int, speed: float | None = None) -> None:
        self.record("clock", at=at, real=time.time(), speed=self.speed if speed is None else speed)
