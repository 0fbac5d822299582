"""Errors of live providers, by what is to be done about them."""

from __future__ import annotations

import datetime as dt

# --- live providers ----------------------------------------------------------------------------------------------


class VendorError(Exception):
    """Failure of a vendor to do what was requested. `code` is short, stable, and fit to store and to show.

    Messages name the code and nothing else: what vendors write in their errors may quote tokens, ids or health data.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code


class AccessGone(VendorError):
    """Loss of the access to (this part of) a participant's data: stop, and tell. Asking again is no use.

    `code` is one of the constants below. SCOPE_MISSING concerns the data type asked for, the others the connection.
    """

    EXPIRED_GRANT = "expired_grant"  # the refresh token was revoked or has run out: the vendor does not say which
    REAUTHENTICATION = "reauthentication_required"  # their organisation wants them to log in again
    CODE_REFUSED = "code_refused"  # the consent's code was used before, has run out or is not ours
    DENIED = "permission_denied"  # the vendor refuses everything although the token is good
    ACCOUNT_NOT_LINKED = "account_not_linked"  # an account without any device data
    SCOPE_MISSING = "scope_missing"  # the participant did not consent to this kind of data


class TokenExpired(VendorError):
    """Access token that is no longer taken: refresh it once and ask again; a second time, take it for AccessGone."""


class VendorBusy(VendorError):
    """Request to come back later. `retry_after` seconds, None where the vendor names no time."""

    def __init__(self, code: str, retry_after: float | None = None) -> None:
        super().__init__(code)
        self.retry_after = retry_after

    def until(self, now: dt.datetime) -> dt.datetime | None:
        """Instant from which the vendor may be asked again, None where it names none."""
        return None if self.retry_after is None else now + dt.timedelta(seconds=self.retry_after)


class BrokenResponse(VendorError):
    """Response that cannot be used: truncated, no JSON, an error in the body, a fault of the vendor's or of our
    request. Never an empty response. Try again some times, then let staff see it."""

    # No answer of the vendor's own: it is away, or something before it says so.
    UNREACHED = frozenset({"connection_failed", "unavailable", "http_502", "http_503", "http_504"})

    @property
    def unreached(self) -> bool:
        return self.code in self.UNREACHED


class ClientMisconfigured(VendorError):
    """Refusal of our own credentials or project: the operator must act. No participant is at fault."""
