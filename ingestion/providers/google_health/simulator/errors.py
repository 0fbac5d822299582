"""Errors in Google's shape (AIP-193)."""

from __future__ import annotations

from typing import Any

STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class GoogleError(Exception):
    """Error response. `reason` None: a bare error without details, as some of Google's are.

    `headers` go with the answer (Retry-After). `status` departs from the usual one for some codes.
    """

    def __init__(
        self,
        code: int,
        reason: str | None,
        message: str,
        *,
        status: str | None = None,
        metadata: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        extra: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.status = status or STATUS[code]
        self.metadata = metadata or {}
        self.headers = headers or {}
        self.extra = extra or []

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": self.message, "status": self.status}
        if self.reason:
            info = {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": self.reason,
                "domain": "health.googleapis.com",
                "metadata": self.metadata,
            }
            error["details"] = [info, *self.extra]
        return {"error": error}


def invalid(reason: str | None, message: str, **metadata: str) -> GoogleError:
    """Error 400 that is the caller's fault."""
    return GoogleError(400, reason, message, metadata=metadata)
