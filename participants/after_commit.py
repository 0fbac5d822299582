"""Work that begins once a transaction is over, and whose failure undoes nothing: messages to workers, other servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVarTuple

from django.db import transaction

Given = TypeVarTuple("Given")


def after_commit(work: Callable[[*Given], object], *given: *Given) -> None:
    """Do it after the transaction that is going on. An error is logged: what was committed stays, and beat goes on
    with what a message should have begun.

    A function of its own: Django names what failed in its log, and a functools.partial has no name, so that the
    error of a broker that is away became an AttributeError for whoever had asked.
    """

    def run() -> None:
        work(*given)

    transaction.on_commit(run, robust=True)
