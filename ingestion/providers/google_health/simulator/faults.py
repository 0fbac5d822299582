"""Faults on purpose, in named degrees, and the quotas."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass

from ingestion.providers.google_health.simulator.errors import GoogleError
from ingestion.providers.google_health.simulator.messages import Response

WIDE_HOURS = 6.0


@dataclass(frozen=True, slots=True)
class Profile:
    """Profile of faults. Shares are of requests (or deliveries) unless said otherwise."""

    busy: float = 0.0  # 429
    busy_told: float = 0.5  # of those, with Retry-After
    wide: float = 0.0  # 500, of windows wider than six hours
    internal: float = 0.0  # 500
    unavailable: float = 0.0  # 503, the token endpoint too
    slow: float = 0.0
    slow_seconds: float = 0.0
    truncated: float = 0.0  # the body ends in the middle
    error_in_200: float = 0.0  # an error's body with the status of success
    empty_page: float = 0.0  # no points, but a token
    page_cap: int = 5000  # points a page, whatever was asked for
    drops_ties: bool = False  # points that share the instant of a page's last one are lost
    expires_in: int = 3599  # seconds of an access token
    denied: float = 0.0  # of accounts: RESOURCE_PERMISSION_DENIED on everything while tokens still refresh
    restates_per_minute: float = 0.0
    revokes_per_minute: float = 0.0
    hook_twice: float = 0.0
    hook_late: float = 0.0  # overtaken by later ones
    hook_forged: float = 0.0  # an extra delivery with a wrong signature
    hook_unknown_key: float = 0.0  # an extra delivery signed by a key that is not published


PROFILES: dict[str, Profile] = {
    "none": Profile(),
    "mild": Profile(
        busy=0.005, wide=0.01, internal=0.002, unavailable=0.002, slow=0.01, slow_seconds=0.5, truncated=0.001,
        empty_page=0.005, drops_ties=True, restates_per_minute=0.5, hook_twice=0.05, hook_late=0.05,
    ),
    "gone": Profile(unavailable=1.0),
    "storm": Profile(
        busy=0.05, wide=0.15, internal=0.02, unavailable=0.02, slow=0.03, slow_seconds=2.0, truncated=0.02,
        error_in_200=0.01, empty_page=0.03, page_cap=1000, drops_ties=True, expires_in=120, restates_per_minute=6,
        revokes_per_minute=0.5, hook_twice=0.3, hook_late=0.3, hook_forged=0.05, hook_unknown_key=0.02,
    ),
}  # fmt: skip


class Faults:
    """Faults drawn from the seed; counts what was given by name."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.profile = PROFILES[name]
        self.given: dict[str, int] = {}
        self._seed = seed
        self._random = random.Random(f"faults {seed}")  # noqa: S311 - to be repeatable, not secret
        self._lock = threading.Lock()

    def choose(self, name: str) -> None:
        """Change to a profile. Raises KeyError for one that does not exist."""
        self.profile = PROFILES[name]
        self.name = name

    def strikes(self, fault: str, share: float | None = None) -> bool:
        """Whether a fault happens now; counted if it does."""
        share = getattr(self.profile, fault) if share is None else share
        if share <= 0:
            return False
        with self._lock:
            if self._random.random() >= share:
                return False
            self.given[fault] = self.given.get(fault, 0) + 1
        return True

    def denies(self, number: int) -> bool:
        """Whether this account is one of those that are shut out."""
        share = self.profile.denied
        return share > 0 and random.Random(f"denied {self._seed} {number}").random() < share  # noqa: S311

    def choice(self, low: int, high: int) -> int:
        with self._lock:
            return self._random.randint(low, high)

    def before(self, hours: float | None) -> None:
        """Refuse a request of the API, perhaps; `hours` is the width of its window. Raises GoogleError."""
        if self.strikes("busy"):
            raise busy("Queries per minute", self.choice(1, 5) if self.strikes("busy_told") else None)
        if hours is not None and hours > WIDE_HOURS and self.strikes("wide"):
            raise GoogleError(500, "INTERNAL_ERROR", "Internal error encountered.")
        if self.strikes("internal"):
            raise GoogleError(500, "INTERNAL_ERROR", "Internal error encountered.")
        if self.strikes("unavailable"):
            raise GoogleError(503, None, "The service is currently unavailable.")
        if self.strikes("error_in_200"):
            raise Disguised(503, None, "The service is currently unavailable.")

    def after(self, response: Response) -> Response:
        """Spoil a good response, perhaps."""
        if self.strikes("slow"):
            response.delay = self.profile.slow_seconds
        if len(response.body) > 20 and self.strikes("truncated"):
            response.cut = True
        return response


class Disguised(GoogleError):
    """Error that is sent with the status of success."""


def busy(limit: str, retry_after: int | None) -> GoogleError:
    """Error 429 as Google words it. `retry_after` seconds go into the header and RetryInfo; None: no hint at all."""
    message = (
        f"Quota exceeded for quota metric 'Queries' and limit '{limit}' of service 'health.googleapis.com' "
        "for consumer 'project_number:123456789'."
    )
    extra: list[dict[str, object]] = []
    headers = {}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
        extra = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{retry_after}s"}]
    return GoogleError(429, "RATE_LIMIT_EXCEEDED", message, headers=headers, extra=extra)


class Quota:
    """Quota of requests of this minute, by account and in all; 0 means no limit."""

    def __init__(self, *, user_limit: int, project_limit: int) -> None:
        self._limits = (user_limit, project_limit)
        self._minute = 0
        self._users: dict[int, int] = {}
        self._total = 0
        self._lock = threading.Lock()

    def spend(self, number: int) -> None:
        """Count a request. Raises GoogleError beyond a limit."""
        moment = time.time()
        minute = int(moment // 60)
        with self._lock:
            if minute != self._minute:
                self._minute, self._users, self._total = minute, {}, 0
            self._total += 1
            spent = self._users[number] = self._users.get(number, 0) + 1
            total = self._total
        user_limit, project_limit = self._limits
        wait = 60 - int(moment % 60)
        if user_limit and spent > user_limit:
            raise busy("Queries per minute per user", wait)
        if project_limit and total > project_limit:
            raise busy("Queries per minute", wait)
