"""Watches every log line of an example, and tells at the end what became of all of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from config.middleware import limits
from tests.security.fuzz.mutations import OUTCOMES

SECRETS = {
    "SECRET_KEY": "fuzzed-secret-key-that-nobody-may-see-0123456789",
    "TOKEN_KEYS": ["fuzzed-token-key-that-nobody-may-see"],
    "WEBHOOK_SECRET": "fuzzed-webhook-secret-that-nobody-may-see",
    "CLIENT_SECRET": "fuzzed-client-secret-that-nobody-may-see",
    "EMAIL_HOST_PASSWORD": "fuzzed-mail-password-that-nobody-may-see",
}
MARK = "nobody-may-see"
EMAIL = "somebody.fuzzed@example.org"


class Lines(logging.Handler):
    """Every line as the log's readers get it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


Watch = Callable[..., Any]


@pytest.fixture
def watch(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Watch:
    """A context: what is logged within it has no traceback, no secret, no e-mail address, nor any of `besides`."""
    for name, value in SECRETS.items():
        setattr(settings, name, value)
    monkeypatch.setattr(limits, "RATES", {})

    @contextmanager
    def watched(*besides: str) -> Iterator[None]:
        handler, root = Lines(), logging.getLogger()
        root.addHandler(handler)
        try:
            yield
        finally:
            root.removeHandler(handler)
        log = "\n".join(handler.lines)
        for secret in ("Traceback (most recent call last)", MARK, EMAIL, *besides):
            assert secret not in log, f"{secret!r} is in the log:\n{log[:4000]}"

    return watched


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for kind, outcomes in sorted(OUTCOMES.items()):
        found = ", ".join(f"{name}: {count}" for name, count in sorted(outcomes.items()))
        terminalreporter.write_line(f"fuzz {kind}: {sum(outcomes.values())} examples ({found})")
