"""What a provider is. A new vendor or file format is one new package beside this module and nothing else.

A file provider turns files into deliveries (columns of samples, nights, offsets); a synthetic provider makes
them up, for demo trials; a live provider asks a vendor over the network, by consent of each participant. Providers
know formats: no database, no settings. `ingestion.imports` and the sync call the writer.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO, ClassVar, Protocol, runtime_checkable

from metrics.batch import Delivery, Sessions
from metrics.days import LocalCalendar


class ForeignFile(Exception):
    """The file is refused whole; the message says what is wrong and is fit to show."""


class RowsRefused(Exception):
    """Rows under this participant label cannot be taken, the rest of the file can; the message says why."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that is not taken. `line`: 1 is the file's first line, or a JSON list's first record."""

    line: int
    reason: str


# Rows that are pointed at one by one, a file. Beyond that only their number is kept: a file of 30 million rows may
# be wrong in each of them.
PROBLEMS_SHOWN = 1000


@dataclass(slots=True)
class Chunk:
    """A part of a file, small enough to hold: what it brought, by participant.

    `deliveries` maps the file's own participant label (an Id column, a part of the file's name) to what it
    brought; the label is None where the file does not say whose it is. `rows` counts the rows read, good or bad;
    `rejected` those not taken, by reason, of which `problems` names the first lines; `skipped` those left out on
    purpose, by reason (missing-value markers, say); `noted` what was kept but deserves saying (clock changes).
    """

    deliveries: dict[str | None, Delivery] = field(default_factory=dict)
    rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    problems: list[RowProblem] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    position: int = 0  # bytes of the (uncompressed) file read so far, for the progress bar

    def delivery(self, label: str | None) -> Delivery:
        """What this chunk brings for a label, made empty at its first use."""
        return self.deliveries.setdefault(label, Delivery())

    def reject(self, lines: Iterable[int], reason: str) -> None:
        """Count rows as rejected and name the first of their lines."""
        count = 0
        for line in lines:
            count += 1
            if len(self.problems) < PROBLEMS_SHOWN:
                self.problems.append(RowProblem(int(line), reason))
        if count:
            self.rejected[reason] += count

    def skip(self, reason: str, count: int = 1) -> None:
        """Count rows as left out on purpose."""
        if count:
            self.skipped[reason] += int(count)


class Clock(StrEnum):
    """What the stamps of a file mean that does not say it."""

    UTC = "utc"
    LOCAL = "local"  # the clock on the wall where the participant was

    @property
    def label(self) -> str:
        """As it stands among an import's assumptions."""
        return {"utc": "UTC", "local": "local time"}[self]


@dataclass(frozen=True, slots=True)
class ClockSign:
    """The clock that a file alone looks like being on. `sure`: both its ends say so; else it may be chance."""

    clock: Clock
    sure: bool = True


@dataclass(slots=True)
class FileJob:
    """One file to be read. `open` gives its uncompressed bytes from the start, anew at each call.

    `zone_of` tells the time zone of a participant label for wall-clock formats; it raises RowsRefused where rows of
    this label cannot be taken, ForeignFile where nobody has said whose file it is. `companion` tells how to open a file
    of another name in the same folder or archive, None where there is none. `clock`: of files that share one without
    saying it, and why it is taken. `clock_told` takes what a file says of a label's clock: instants (microseconds UTC)
    and seconds east of UTC. `options` are a format's own switches. `assumptions` is filled by the reader with what the
    file does not say and it took to be so; it is stored with the import.
    """

    name: str
    open: Callable[[], IO[bytes]]
    zone_of: Callable[[str | None], zoneinfo.ZoneInfo]
    now: dt.datetime
    size: int = 0  # bytes, uncompressed
    companion: Callable[[str], Callable[[], IO[bytes]] | None] = lambda name: None
    clock: Clock = Clock.UTC
    clock_basis: str = ""
    clock_told: Callable[[str | None, Sequence[tuple[int, int]]], object] = lambda label, syncs: None
    options: Mapping[str, str] = field(default_factory=dict)
    assumptions: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NotRead:
    """A file that is not opened, by its name. `kind`: what it is, "" if that is not known. `reason` is fit to show."""

    kind: str
    reason: str


class FileFormat(Protocol):
    """One recognisable format, e.g. Fitabase's heart rate by seconds."""

    @property
    def code(self) -> str:
        """Stored with the import: "fitabase.heartrate_seconds"."""
        ...

    def matches(self, name: str, head: bytes) -> bool:
        """Whether a file is of this format, from its first bytes (uncompressed, 64 KiB at most); the name is a hint."""
        ...

    def near_miss(self, name: str, head: bytes) -> str | None:
        """What a file lacks that is named like one of this format but does not match; None if it is not so named."""
        ...

    def label_in(self, name: str, head: bytes) -> str | None:
        """The participant label that a file's name tells; None where its rows say, or nothing does."""
        ...

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        """The file's content, chunk by chunk. Raises ForeignFile where the file must be refused whole."""
        ...


@runtime_checkable
class SharesClock(Protocol):
    """A format whose files do not say what clock they are on, and share it with their siblings of the same export."""

    @property
    def clock_shared_by(self) -> str:
        """The files that share it; empty: this format's do not."""
        ...

    @property
    def clock_told_by(self) -> str:
        """The switch of the import by which somebody says the clock."""
        ...

    def sign_of_clock(self, job: FileJob) -> ClockSign | None:
        """What a file alone tells; None: nothing. Raises ForeignFile where its owner's zone cannot be had."""
        ...


class SyntheticUnavailable(Exception):
    """Synthetic data cannot be made here; the message says why, and what to do, in one line."""


@dataclass(frozen=True, slots=True)
class Wearer:
    """Who wears a synthetic device. `number` makes another person of the same seed; 1 is the first."""

    device: str
    seed: int
    number: int
    zone: zoneinfo.ZoneInfo
    starts_on: dt.date


class SyntheticProvider(Protocol):
    """Devices that do not exist. Output depends on the wearer and the date alone, so any day can be made again.

    `live`: data come through the day; otherwise a day comes when it is over.
    """

    code: ClassVar[str]  # also the provider of its sources
    devices: ClassVar[tuple[str, ...]]
    live: ClassVar[bool]

    def check(self) -> None:
        """Raises SyntheticUnavailable if the provider cannot work on this machine."""
        ...

    def day_starts_at(self, wearer: Wearer, on: dt.date) -> dt.datetime:
        """The first instant of a local day of the wearer, by the clock of their device."""
        ...

    def uploaded_until(self, wearer: Wearer, now: dt.datetime) -> dt.datetime | None:
        """Up to which instant the wearer's data have arrived by now; None if nothing has."""
        ...

    def states(self, wearer: Wearer, at: dt.datetime) -> list[DeviceState]:
        """What a vendor would say of the devices at an instant; none before the first upload, or where it is not told.

        `last_sync_at` is never later than uploaded_until, and the battery's level is of that moment.
        """
        ...

    def day(self, wearer: Wearer, on: dt.date, since: dt.datetime, until: dt.datetime) -> Delivery:
        """What a local day brings with since <= time < until. Empty where nothing was measured."""
        ...


# --- live providers ----------------------------------------------------------------------------------------------


class VendorError(Exception):
    """The vendor did not do what was asked. `code` is short, stable, and fit to store and to show.

    Messages name the code and nothing else: what vendors write in their errors may quote tokens, ids or health data.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code


class AccessGone(VendorError):
    """The participant's access no longer reaches (this part of) their data: stop, and tell. Asking again is no use.

    `code` is one of the constants below. SCOPE_MISSING concerns the data type asked for, the others the connection.
    """

    EXPIRED_GRANT = "expired_grant"  # the refresh token was revoked or has run out: the vendor does not say which
    REAUTHENTICATION = "reauthentication_required"  # their organisation wants them to log in again
    CODE_REFUSED = "code_refused"  # the consent's code was used before, has run out or is not ours
    DENIED = "permission_denied"  # the vendor refuses everything although the token is good
    ACCOUNT_NOT_LINKED = "account_not_linked"  # an account without any device data
    SCOPE_MISSING = "scope_missing"  # the participant did not consent to this kind of data


class TokenExpired(VendorError):
    """The access token is no longer taken: refresh it once and ask again; a second time, take it for AccessGone."""


class VendorBusy(VendorError):
    """Ask again later. `retry_after` seconds, None where the vendor names no time."""

    def __init__(self, code: str, retry_after: float | None = None) -> None:
        super().__init__(code)
        self.retry_after = retry_after

    def until(self, now: dt.datetime) -> dt.datetime | None:
        """The instant from which the vendor may be asked again, None where it names none."""
        return None if self.retry_after is None else now + dt.timedelta(seconds=self.retry_after)


class BrokenAnswer(VendorError):
    """An answer that cannot be taken for one: truncated, no JSON, an error in the body, a fault of the vendor's or
    of our question. Never an empty answer. Try again some times, then let staff see it.
    """

    # No answer of the vendor's own: it is away, or something before it says so.
    UNREACHED = frozenset({"connection_failed", "unavailable", "http_502", "http_503", "http_504"})

    @property
    def unreached(self) -> bool:
        return self.code in self.UNREACHED


class ClientMisconfigured(VendorError):
    """The vendor refuses our own credentials or project: the operator must act. No participant is at fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataType:
    """One kind of data that a vendor is asked for.

    `metrics`: codes of the metrics it brings; none for sessions. `sessions`: the kind of sessions it brings, if it
    does. `scope`: the consent it needs. `window`: the stretch of one pull, short enough for one answer.
    `fingerprinted`: whether `fingerprints` can tell which hours changed. `by_day`: stands for local days, so that a
    pull asks for each local day its window touches, whole. `answer`: so many points surely fit one answer of the
    vendor's. `sweep`: the stretch of one request when all that is past is asked for once more; of a fingerprinted
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
        """The metrics, or the kind of sessions."""
        return self.metrics if self.sessions is None else (*self.metrics, self.sessions)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a consent or a refresh yields. `refresh_token` and `scopes` are None where they stay as they were."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: dt.datetime
    scopes: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an account is at the vendor's: its stable id, and the one it had in an earlier system, if any."""

    user_id: str
    legacy_id: str | None


class DeviceKind(StrEnum):
    """What a device is, as far as its vendor says. Rings and bands are trackers; phones, tablets, displays and straps
    that are put on for an hour are others."""

    TRACKER = "TRACKER"
    WATCH = "WATCH"
    SCALE = "SCALE"
    OTHER = "OTHER"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A device of the account. `last_sync_at`: when it last handed its data to the phone, UTC.

    `model` and `battery_status` are "" where the vendor has no word for them. `kind` decides whether it is taken for
    what the participant wears: ingestion.devices.
    """

    external_id: str
    model: str
    kind: DeviceKind
    battery_percent: int | None
    battery_status: str
    last_sync_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """The account's own time zone (an IANA name, None if unknown) and its offset in seconds east of UTC."""

    time_zone: str | None
    utc_offset: int | None


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What the vendor says of an hour, to see whether it has changed. None where it says no such thing."""

    mean: float | None = None
    low: float | None = None
    high: float | None = None
    total: float | None = None


@dataclass(slots=True)
class Pulled:
    """What one pull brought.

    `offsets`: the device's clock, as (instant in microseconds UTC, seconds east of UTC) of the first point and
    wherever it changes; `delivery.offsets` is left empty, for the caller knows the participant's own zone. `skipped`:
    values left out on purpose, by reason. `unreadable`: records that the vendor sent and that could not be read, by
    reason (never what stands in them); then what is stored in the stretch stays. `unfinished`: when sessions began that
    still go on and are left out, in microseconds UTC; they are to be asked for again. `bytes`: JSON, uncompressed;
    `wire_bytes`: as it came over the network.
    """

    delivery: Delivery
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
    """A vendor's notice: something of a user and data type changed, or is gone, within [start, end).

    `start` and `end` are aware instants, or naive local times if `civil`; None where the message names no interval.
    `operation`: UPSERT, DELETE, or a word we do not know. `record_id`: of a deleted record that has an id.
    """

    user_id: str
    data_type: str
    operation: str
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    civil: bool = False
    record_id: str | None = None


class NoticeOrigin(StrEnum):
    """Who a notice comes from, as far as its proofs tell."""

    UNPROVEN = "unproven"  # no or a wrong secret: not for us
    UNREADABLE = "unreadable"  # the secret, no signature, and no message that could be one
    FORGED = "forged"  # the secret, without the vendor's signature
    VERIFICATION = "verification"  # the vendor tries whether we are there
    GENUINE = "genuine"


class SimulatedVendor(Protocol):
    """A simulator that plays a live vendor, as a demo drives it. Accounts go by number, 1 is the first."""

    def account(self, number: int) -> str:
        """The `login_hint` that offers this account."""
        ...

    def consent(self, screen: str) -> str:
        """Allow everything that the consent screen at this address asks for; returns the code for `exchange`."""
        ...

    def disturb(self, number: int) -> None:
        """Have the vendor fail for this account's data from now on."""
        ...


class LiveProvider(Protocol):
    """A vendor that is asked over the network, by consent of each participant.

    Instants are aware datetimes, spans half-open. Every method that asks may raise each VendorError; those that
    take an access token raise TokenExpired when it is refused.
    """

    slug: ClassVar[str]
    name: ClassVar[str]

    @property
    def source_provider(self) -> str:
        """The `provider` of the sources of what it brings."""
        ...

    @property
    def synthetic(self) -> bool:
        """Whether a simulator plays the vendor: then what it brings is made up, and for demo trials only."""
        ...

    @property
    def data_types(self) -> Mapping[str, DataType]:
        """By code, in the order in which a first sync should ask."""
        ...

    @property
    def scopes(self) -> tuple[str, ...]:
        """What a participant is asked to allow: the consents of the data types, and what their devices need beyond."""
        ...

    def authorize_url(
        self, state: str, code_challenge: str, redirect_uri: str, scopes: Iterable[str], login_hint: str | None = None
    ) -> str:
        """Where to send the participant. `code_challenge`: base64url of the verifier's SHA-256, without padding."""
        ...

    def exchange(self, code: str, code_verifier: str, redirect_uri: str) -> Grant:
        """The code of a consent for tokens. Raises AccessGone with CODE_REFUSED where it is not taken."""
        ...

    def refresh(self, refresh_token: str) -> Grant:
        """A new access token. Raises AccessGone where the grant is dead."""
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
        """All that the vendor holds of a data type for start <= time < end; for sleep, the nights that end then.
        Sessions of other kinds go by their start.

        `calendar` is the participant's: it tells local days and where they begin. Raises KeyError for a data type
        that is none of ours.
        """
        ...

    def fingerprints(
        self, access_token: str, data_type: str, start: dt.datetime, end: dt.datetime
    ) -> dict[dt.datetime, Fingerprint]:
        """By hour (its first instant, UTC), for each whole hour that touches the span and has data."""
        ...

    def notice_origin(self, headers: Mapping[str, str], body: bytes) -> NoticeOrigin:
        """Prove where a notice comes from. Raises BrokenAnswer where the vendor's keys cannot be had: ask it again."""
        ...

    def notifications(self, body: bytes) -> list[Notification]:
        """What a notice says. Raises BrokenAnswer where it says nothing that can be understood."""
        ...
