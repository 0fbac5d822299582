"""Contract of live providers, and what a provider is. A new vendor or file format is one new package beside this one.

A file provider turns files into payloads (columns of samples, nights, offsets); a synthetic provider makes
them up, for demo trials; a live provider asks a vendor over the network, by consent of each participant. Providers
know formats: no database, no settings. `ingestion.file_imports.services` and the sync call the writer.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Protocol

from metrics.batch import Payload, Sessions
from metrics.local_time import LocalCalendar


@dataclass(frozen=True, slots=True, kw_only=True)
class DataType:
    """Kind of data that a vendor is asked for.

    `metrics`: codes of the metrics it brings; none for sessions. `sessions`: the kind of sessions it brings, if it
    does. `scope`: the consent it needs. `window`: the interval of one pull, short enough for one response.
    `fingerprinted`: whether `fingerprints` can tell which hours changed. `by_day`: stands for local days, so that a
    pull asks for each local day its window touches, whole. `answer`: so many points surely fit one answer of the
    vendor's. `sweep`: the interval of one request when all that is past is requested once more; of a fingerprinted
    type, its sums.
    """

    code: str
    metrics: tuple[str, ...]
    scope: str
    window: dt.timedelta = dt.timedelta(days=1)
    fingerprinted: bool = False
    by_day: bool = False
    answer: int = 5000
    sweep: dt.timedelta = dt.timedelta(days=14)
    sessions: Sessions | None = None

    @property
    def brings(self) -> tuple[str | Sessions, ...]:
        """Metrics that it brings, or the kind of sessions."""
        return self.metrics if self.sessions is None else (*self.metrics, self.sessions)


@dataclass(frozen=True, slots=True)
class Grant:
    """Result of a consent or a refresh. `refresh_token` and `scopes` are None where they stay as they were."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: dt.datetime
    scopes: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Ids of an account at the vendor's: its stable id, and the one it had in an earlier system, if any."""

    user_id: str
    legacy_id: str | None


class DeviceKind(StrEnum):
    """Kind of a device, as far as its vendor says. Rings and bands are trackers; phones, tablets, displays and straps
    that are put on for an hour are others."""

    TRACKER = "TRACKER"
    WATCH = "WATCH"
    SCALE = "SCALE"
    OTHER = "OTHER"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class DeviceState:
    """State of a device of the account. `last_sync_at`: when it last handed its data to the phone, UTC.

    `model` and `battery_status` are "" where the vendor names none. `kind` decides whether it is taken for
    what the participant wears: ingestion.connections.devices.
    """

    external_id: str
    model: str
    kind: DeviceKind
    battery_percent: int | None
    battery_status: str
    last_sync_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """Settings of an account: its time zone (an IANA name, None if unknown) and its offset in seconds east of UTC."""

    time_zone: str | None
    utc_offset: int | None


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Sums that the vendor gives of an hour, to see whether it has changed. None where it gives no such thing."""

    mean: float | None = None
    low: float | None = None
    high: float | None = None
    total: float | None = None


@dataclass(slots=True)
class Pulled:
    """Result of one pull.

    `offsets`: the device's clock, as (instant in microseconds UTC, seconds east of UTC) of the first point and wherever
    it changes; `payload.offsets` is left empty, for the caller knows the participant's own zone. `skipped`: values left
    out on purpose, by reason. `unreadable`: records that the vendor sent and that could not be read, by reason (never
    what stands in them); then what is stored in the interval stays. `unfinished`: when sessions began that still go on
    and are left out, in microseconds UTC; they are to be asked for again. `bytes`: JSON, uncompressed; `wire_bytes`: as
    it came over the network.
    """

    payload: Payload
    offsets: list[tuple[int, int]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    unfinished: list[int] = field(default_factory=list)
    points: int = 0
    requests: int = 0
    bytes: int = 0
    wire_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Notification:
    """Notice of a vendor: something of a user and data type changed, or is gone, within [start, end).

    `start` and `end` are aware instants, or naive local times if `civil`; None where the message names no interval.
    `operation`: UPSERT, DELETE, or one we do not know. `record_id`: of a deleted record that has an id.
    """

    user_id: str
    data_type: str
    operation: str
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    civil: bool = False
    record_id: str | None = None


class NoticeOrigin(StrEnum):
    """Origin of a notice, as far as its proofs tell."""

    UNPROVEN = "unproven"  # no or a wrong secret: not for us
    UNREADABLE = "unreadable"  # the secret, no signature, and no message that could be one
    FORGED = "forged"  # the secret, without the vendor's signature
    VERIFICATION = "verification"  # the vendor tries whether we are there
    GENUINE = "genuine"


class SimulatedVendor(Protocol):
    """Simulator that plays a live vendor, as a demo drives it. Accounts go by number, 1 is the first."""

    def account(self, number: int) -> str:
        """Value of `login_hint` that offers this account."""
        ...

    def consent(self, screen: str) -> str:
        """Allow everything that the consent screen at this address asks for; returns the code for `exchange`."""
        ...

    def disturb(self, number: int) -> None:
        """Have the vendor fail for this account's data from now on."""
        ...


class LiveProvider(Protocol):
    """Vendor that is asked over the network, by consent of each participant.

    Instants are aware datetimes, spans half-open. Every method that asks may raise each VendorError; those that
    take an access token raise TokenExpired when it is refused. `pull` and `fingerprints` are called in several threads
    at once.
    """

    slug: ClassVar[str]
    name: ClassVar[str]

    @property
    def source_provider(self) -> str:
        """Name of the `provider` in the sources of what it brings."""
        ...

    @property
    def synthetic(self) -> bool:
        """Whether a simulator plays the vendor: then what it brings is made up, and for demo trials only."""
        ...

    @property
    def data_types(self) -> Mapping[str, DataType]:
        """Data types by code, in the order in which a first sync should ask."""
        ...

    @property
    def scopes(self) -> tuple[str, ...]:
        """Scopes that a participant is asked to allow: those of the data types, and what their devices need beyond."""
        ...

    def authorize_url(
        self, state: str, code_challenge: str, redirect_uri: str, scopes: Iterable[str], login_hint: str | None = None
    ) -> str:
        """Address for the participant. `code_challenge`: base64url of the verifier's SHA-256, without padding."""
        ...

    def exchange(self, code: str, code_verifier: str, redirect_uri: str) -> Grant:
        """Exchange the code of a consent for tokens. Raises AccessGone with CODE_REFUSED where it is not taken."""
        ...

    def refresh(self, refresh_token: str) -> Grant:
        """Fetch a new access token. Raises AccessGone where the grant is dead."""
        ...

    def revoke(self, token: str) -> None:
        """End the grant at the vendor's, by its refresh or access token. One that is dead already is no error."""
        ...

    def identity(self, access_token: str) -> Identity: ...

    def devices(self, access_token: str) -> list[DeviceState]: ...

    def settings(self, access_token: str) -> AccountSettings: ...

    def pull(
        self, access_token: str, data_type: str, start: dt.datetime, end: dt.datetime, calendar: LocalCalendar
    ) -> Pulled:
        """Fetch all that the vendor holds of a data type for start <= time < end; for sleep, the nights that end then.
        Sessions of other kinds go by their start.

        `calendar` is the participant's: it tells local days and where they begin. Raises KeyError for a data type
        that is none of ours.
        """
        ...

    def fingerprints(
        self, access_token: str, data_type: str, start: dt.datetime, end: dt.datetime
    ) -> dict[dt.datetime, Fingerprint]:
        """Fingerprints by hour (its first instant, UTC), for each whole hour that touches the span and has data."""
        ...

    def notice_origin(self, headers: Mapping[str, str], body: bytes) -> NoticeOrigin:
        """Prove where a notice comes from. Raises BrokenResponse where the vendor's keys cannot be had: retry."""
        ...

    def notifications(self, body: bytes) -> list[Notification]:
        """Notifications in a notice. Raises BrokenResponse where it holds nothing that can be understood."""
        ...
