"""Consequences of a trial's dates and its closing in the packages above this one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from participants import hooks
from participants.after_commit import after_commit
from participants.models import Trial

DATES = frozenset({"status", "starts_on", "ends_on"})


@dataclass(frozen=True, slots=True)
class Ends:
    """Counts of what the closing of a trial ends: connections, and invitations still open."""

    connections: int
    invitations: int

    def __str__(self) -> str:
        """Sentence, e.g. "12 connections end and 1 open invitation is cancelled"."""
        if not (self.connections or self.invitations):
            return "nobody is connected or invited"
        connections = f"{self.connections:,} connection{'s end' if self.connections != 1 else ' ends'}"
        invited = f"{self.invitations:,} open invitation{'s are' if self.invitations != 1 else ' is'} cancelled"
        return f"{connections} and {invited}"


def ends(trial: Trial) -> Ends:
    """Counts of what closing the trial would end now (hooks.trial_ends)."""
    counts = [count(trial) for count in hooks.trial_ends]
    return Ends(sum(connections for connections, _ in counts), sum(invitations for _, invitations in counts))


def changed(trial: Trial, names: Collection[str]) -> None:
    """Tell whoever goes by a trial's dates and status, once this transaction is over; `names`: what has changed.

    Who evaluates its days (hooks.trial_dates_changed), and where it was closed who ends its connections
    (hooks.trial_closed). They may ask other servers: what is wrong there does not undo the change.
    """
    functions = list(hooks.trial_dates_changed) if DATES.intersection(names) else []
    if "status" in names and trial.status == Trial.Status.CLOSED:
        functions += hooks.trial_closed
    for function in functions:
        after_commit(function, trial.pk)
